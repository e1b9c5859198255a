"""Threads that log without pause, each to a run of its own, and ask again whenever an answer is lost.

    python -m tests.stories.logging_client PORT RUN_ID...

When its input ends it stops and prints what was acknowledged, as JSON: for each run the steps of single points and the
numbers of batches. A batch holds POINTS points, a param and a tag, all named after its number: half of one would show.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from typing import Any

POINTS = 40
PATIENCE_S = 60
E2 = "/api/2.0/mlflow/"


class Logger(threading.Thread):
    def __init__(self, port: int, stopping: threading.Event, run_id: str) -> None:
        super().__init__()
        self.port, self.stopping, self.run_id = port, stopping, run_id
        self.singles: list[int] = []
        self.batches: list[int] = []
        self.repeated = 0
        self.refused = ""
        self.connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        number = 0
        while not self.stopping.is_set() and not self.refused:
            number += 1
            if number % 4:
                point = {"run_id": self.run_id, "key": "single", "value": number, "timestamp": number, "step": number}
                if self.acknowledged("log-metric", point):
                    self.singles.append(number)
            elif self.acknowledged("log-batch", batch(self.run_id, number)):
                self.batches.append(number)
        if self.connection is not None:
            self.connection.close()

    def acknowledged(self, route: str, sent: dict[str, Any]) -> bool:
        """Send it until it is answered; False when nobody answered in time, and then it may be there or not."""
        body = json.dumps(sent).encode()
        given_up = time.monotonic() + PATIENCE_S
        while time.monotonic() < given_up:
            status, answer = self.post(route, body)
            if status == 200:
                return True
            if 400 <= status < 500:
                self.refused = f"{status} {answer!r}"
                return False
            self.repeated += 1
            time.sleep(0.05)
        return False

    def post(self, route: str, body: bytes) -> tuple[int, bytes]:
        """Status and body; status 0 when the connection broke, whether or not the server had stored it."""
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            self.connection.request("POST", f"{E2}runs/{route}", body, {"Content-Type": "application/json"})
            answer = self.connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            if self.connection is not None:
                self.connection.close()
            self.connection = None
            return 0, b""


def batch(run_id: str, number: int) -> dict[str, Any]:
    steps = range(number * POINTS, (number + 1) * POINTS)
    return {
        "run_id": run_id,
        "metrics": [{"key": "batch", "value": step / 7, "timestamp": number, "step": step} for step in steps],
        "params": [{"key": f"p{number}", "value": str(number)}],
        "tags": [{"key": f"t{number}", "value": str(number)}],
    }


def main(port: int, run_ids: list[str]) -> None:
    stopping = threading.Event()
    loggers = [Logger(port, stopping, run_id) for run_id in run_ids]
    for one in loggers:
        one.start()
    sys.stdin.read()
    stopping.set()
    for one in loggers:
        one.join()
    told = {
        "runs": {one.run_id: {"singles": one.singles, "batches": one.batches} for one in loggers},
        "repeated": sum(one.repeated for one in loggers),
        "refused": [one.refused for one in loggers if one.refused],
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
