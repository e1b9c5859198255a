"""The promise: what was answered is in the journal, whichever process is killed whenever."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import httpx

from tenure.records.frames import PredictionFrame

from .conftest import Gateway, release, wait_until

CLIENTS = 8


class Load:
    """Clients that score as fast as they are answered, and remember every id they were given."""

    def __init__(self, gateway: Gateway) -> None:
        self.answered: list[str] = []
        self.refused = 0
        self._gateway = gateway
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(k,)) for k in range(CLIENTS)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, client: int) -> None:
        url = f"{self._gateway.url}/endpoints/tricky/invocations"
        body = {"dataframe_records": [{"what": "echo", "number": float(client)}] * (1 + client)}
        with httpx.Client(timeout=10) as line:
            while not self._done.is_set():
                try:
                    answer = line.post(url, json=body)
                except httpx.TransportError:
                    continue
                if answer.status_code == 200:
                    self.answered.append(answer.headers["tenure-prediction-id"])
                else:
                    assert answer.status_code == 503
                    self.refused += 1


def test_killing_gateway_and_scorer_under_load_loses_nothing_that_was_answered(
    gateway: Callable[..., Gateway], tricky_folder: Path
) -> None:
    one = gateway(segment_seal_s=0.3)
    one.publish(tricky=[release(tricky_folder)])
    one.serves("r-tricky-1-champion")
    chance = random.Random(7)
    with Load(one) as load:
        for victim in ("gateway", "scorer", "gateway"):
            goal = len(load.answered) + chance.randrange(150, 250)
            wait_until(lambda goal=goal: len(load.answered) >= goal, "the load is answered")
            if victim == "scorer":
                answer = one.score("tricky", {"dataframe_records": [{"what": "pid"}]})
                load.answered.append(answer.headers["tenure-prediction-id"])
                os.kill(answer.json()["predictions"][0], signal.SIGKILL)
            else:
                one.kill()
                one.start()
        goal = len(load.answered) + 100
        wait_until(lambda: len(load.answered) >= goal, "the load is answered after the last kill")
    one.stop()
    journaled = [frame.prediction_id for frame in one.frames() if isinstance(frame, PredictionFrame)]
    assert len(journaled) == len(set(journaled))
    assert len(load.answered) == len(set(load.answered)) > 500
    assert set(load.answered) <= set(journaled)
    assert len(journaled) - len(load.answered) <= 3 * CLIENTS  # on disk, but killed before the answer arrived
