"""How fast tracking is: `python -m benchmarks.tracking`.

Beside Tenure runs the bare floor: raw ASGI under uvicorn, msgspec, and one SQLite insert in a committed transaction,
which is the least that any server in Python must do for a metric. Client and connection are the same for all: one
keep-alive socket, so the figures are latencies of one client. Repeats alternate, so that a busy machine hits all.

`TENURE_BENCH_MLFLOW=/path/to/venv/bin/mlflow` adds MLflow's own server with uvloop on SQLite.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

POINTS = 1500
BATCHES = 15
BATCH = 1000
REPEATS = 3
RUNS = int(os.environ.get("TENURE_BENCH_RUNS", "50000"))
SEARCHES = 40
PEERS_SHARE = 10
OURS = ("floor", "Tenure")
API = "/api/2.0/mlflow/"


# --- the floor ---


def floor(port: int, folder: str) -> None:
    """Serve the least: decode a metric, insert it, commit, answer."""
    import msgspec
    import uvicorn

    class Metric(msgspec.Struct):
        run_id: str
        key: str
        value: float
        timestamp: int
        step: int = 0

    decoder = msgspec.json.Decoder(Metric)
    database = sqlite3.connect(f"{folder}/floor.db", isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL"):
        database.execute(f"PRAGMA {pragma}")
    database.execute("CREATE TABLE metrics (run_id TEXT, key TEXT, value REAL, timestamp INTEGER, step INTEGER)")
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = (await receive())["body"]
        if body:
            metric = decoder.decode(body)
            row = (metric.run_id, metric.key, metric.value, metric.timestamp, metric.step)
            database.execute("INSERT INTO metrics VALUES (?, ?, ?, ?, ?)", row)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    uvicorn.run(app, port=port, loop="uvloop", http="httptools", log_level="error", access_log=False, lifespan="off")


# --- the servers ---


def free_port() -> int:
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            with contextlib.suppress(OSError):
                second.bind(("127.0.0.1", port + 1))
                return port


@contextlib.contextmanager
def started(command: list[str], port: int) -> Iterator[int]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 90
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                    break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise RuntimeError(f"{command[0]} did not start") from None
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def commands(folder: Path) -> dict[str, tuple[list[str], int]]:
    """What is measured: name → command and port."""
    found = {}
    port = free_port()
    found["floor"] = ([sys.executable, "-m", "benchmarks.tracking", "floor", str(port), str(folder)], port)
    port = free_port()
    serve = [sys.executable, "-m", "tenure", "serve", "--data", str(folder / "tenure"), "--port", str(port)]
    found["Tenure"] = (serve, port)
    mlflow = os.environ.get("TENURE_BENCH_MLFLOW")
    if mlflow:
        port = free_port()
        store = f"sqlite:///{folder}/mlflow.db"
        options = ["--backend-store-uri", store, "--artifacts-destination", str(folder / "files"), "--port", str(port)]
        found["MLflow"] = ([mlflow, "server", *options, "--workers", "1"], port)
    return found


# --- the client ---


class Connection:
    """One keep-alive connection that does no more than it must."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def request(self, path: str, fields: dict[str, Any]) -> bytes:
        body = json.dumps(fields).encode()
        head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\ncontent-type: application/json\r\n"
        return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body

    def exchange(self, request: bytes) -> bytes:
        self.socket.sendall(request)
        answer = self._more()
        while b"\r\n\r\n" not in answer:
            answer += self._more()
        head, _, body = answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(answer[:500].decode(errors="replace"))
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        while len(body) < length:
            body += self._more()
        return body

    def _more(self) -> bytes:
        received = self.socket.recv(1 << 20)
        if not received:
            raise RuntimeError("the server closed the connection")
        return received

    def ask(self, path: str, **fields: Any) -> Any:
        return json.loads(self.exchange(self.request(API + path, fields)))


def new_run(connection: Connection) -> str:
    return str(connection.ask("runs/create", experiment_id="0", start_time=1)["run"]["info"]["run_id"])


def points_per_second(connection: Connection, run_id: str, count: int) -> float:
    requests = [
        connection.request(
            f"{API}runs/log-metric",
            {"run_id": run_id, "key": "loss", "value": step / 7, "timestamp": time.time_ns() // 1000, "step": step},
        )
        for step in range(count)
    ]
    return _rate(connection, requests, 1)


def batched_metrics_per_second(connection: Connection, run_id: str, count: int) -> float:
    requests = []
    for batch in range(count):
        stamp = time.time_ns() // 1000
        points = [
            {"key": f"m{place % 10}", "value": place / 3, "timestamp": stamp + place, "step": batch * BATCH + place}
            for place in range(BATCH)
        ]
        requests.append(connection.request(f"{API}runs/log-batch", {"run_id": run_id, "metrics": points}))
    return _rate(connection, requests, BATCH)


def _rate(connection: Connection, requests: list[bytes], each: int) -> float:
    start = time.perf_counter()
    for request in requests:
        connection.exchange(request)
    return len(requests) * each / (time.perf_counter() - start)


def best(measure: Callable[[], float]) -> float:
    return max(measure() for _ in range(REPEATS))


# --- searching ---


def fill(database: Path, runs: int) -> None:
    """Put runs with two metrics, two params and two tags into the database of a server that does not run."""
    import random

    draw = random.Random(1)
    with sqlite3.connect(database) as connection:
        for number in range(runs):
            run_id = f"{draw.getrandbits(128):032x}"
            start = 1_700_000_000_000 + number
            row = (
                run_id,
                f"run-{number}",
                "me",
                "FINISHED",
                start,
                start + 5,
                f"mlflow-artifacts:/0/{run_id}/artifacts",
            )
            connection.execute(
                "INSERT INTO runs (run_id, experiment_id, name, user_id, status, start_time, end_time, artifact_uri,"
                " lifecycle_stage) VALUES (?, 0, ?, ?, ?, ?, ?, ?, 'active')",
                row,
            )
            for key in ("auc", "loss"):
                point = (run_id, key, draw.random(), start, 1)
                connection.execute(
                    "INSERT INTO latest_metrics (run_id, key, value, timestamp, step) VALUES (?,?,?,?,?)", point
                )
            for key, value in (("model", draw.choice(["forest", "linear"])), ("depth", str(draw.randrange(1000)))):
                connection.execute("INSERT INTO params (run_id, key, value) VALUES (?, ?, ?)", (run_id, key, value))
            for key, value in (("mlflow.runName", f"run-{number}"), ("team", draw.choice("abcdefgh"))):
                connection.execute("INSERT INTO tags (run_id, key, value) VALUES (?, ?, ?)", (run_id, key, value))
    connection.close()


QUESTIONS: dict[str, dict[str, Any]] = {
    "newest": {},
    "filter, order by metric": {
        "filter": "metrics.auc > 0.5 AND params.model = 'forest'",
        "order_by": ["metrics.loss ASC"],
    },
    "rare filter, order by metric": {"filter": "params.depth = '7'", "order_by": ["metrics.auc DESC"]},
    "narrow range": {"filter": "metrics.auc > 0.999 AND tags.team = 'a'", "order_by": ["metrics.loss DESC"]},
    "broad filter, by start": {"filter": "tags.team != 'a' AND metrics.loss < 0.9"},
    "order by param": {"order_by": ["params.depth DESC", "metrics.auc"]},
}


def search_ms(connection: Connection, question: dict[str, Any]) -> float:
    """Median milliseconds of a page of 100 runs."""
    request = connection.request(f"{API}runs/search", {"experiment_ids": ["0"], "max_results": 100, **question})
    times = []
    for _ in range(SEARCHES):
        start = time.perf_counter()
        connection.exchange(request)
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


# --- the report ---


def logging(console: Console) -> None:
    table = Table("server", "log-metric /s", "of floor", "log-batch metrics/s", title="Logging, one client")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        open_ = {}
        for name, (command, port) in commands(Path(folder)).items():
            stack.enter_context(started(command, port))
            open_[name] = port
        points: dict[str, list[float]] = {name: [] for name in open_}
        batches: dict[str, list[float]] = {name: [] for name in open_}
        for _ in range(REPEATS):
            for name, port in open_.items():
                connection = Connection(port)  # anew: a server closes what is idle for some seconds
                run_id = "0" * 32 if name == "floor" else new_run(connection)
                share = PEERS_SHARE if name not in OURS else 1  # a peer takes its time: a tenth tells as much
                points[name].append(points_per_second(connection, run_id, POINTS // share))
                if name != "floor":
                    batches[name].append(batched_metrics_per_second(connection, run_id, max(2, BATCHES // share)))
        for name in open_:
            ratio = max(points[name]) / max(points["floor"])
            batch = f"{max(batches[name]):,.0f}" if batches[name] else ""
            table.add_row(name, f"{max(points[name]):,.0f}", f"{ratio:.0%}", batch)
    console.print(table)


def searching(console: Console) -> None:
    table = Table("runs", *QUESTIONS, title="runs/search, a page of 100, median ms")
    for runs in (1000, RUNS):
        with tempfile.TemporaryDirectory() as folder:
            command, port = commands(Path(folder))["Tenure"]
            with started(command, port):
                pass
            fill(Path(folder) / "tenure" / "tenure.db", runs)
            with started(command, port):
                connection = Connection(port)
                table.add_row(f"{runs:,}", *(f"{search_ms(connection, asked):.1f}" for asked in QUESTIONS.values()))
    console.print(table)


def main() -> None:
    if sys.argv[1:2] == ["floor"]:
        floor(int(sys.argv[2]), sys.argv[3])
        return
    console = Console()
    logging(console)
    searching(console)


if __name__ == "__main__":
    main()
