"""What is measured side by side: the bare floor, Tenure in its forms, and MLflow where it is installed.

`TENURE_BENCH_MLFLOW=/path/to/venv/bin/mlflow` adds MLflow's own server with uvloop on SQLite. A Postgres that is
installed is started for the run, with its fsync on.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FLOOR, TENURE, FSYNC, POSTGRES, MLFLOW = "floor", "Tenure", "Tenure, fsync", "Tenure, Postgres", "MLflow"


class Running(NamedTuple):
    name: str
    port: int

    @property
    def is_peer(self) -> bool:
        return self.name == MLFLOW


def free_port() -> int:
    """A port that nobody listens on, and neither on the one after it."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            with contextlib.suppress(OSError):
                second.bind(("127.0.0.1", port + 1))
                return port


@contextlib.contextmanager
def started(name: str, command: list[str], port: int) -> Iterator[Running]:
    """A server until the block ends."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                    break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise RuntimeError(f"{name} did not start: {' '.join(command)}") from None
                time.sleep(0.05)
        yield Running(name, port)
    finally:
        process.terminate()
        process.wait(60)


def tenure(folder: Path, *options: str, name: str = TENURE) -> contextlib.AbstractContextManager[Running]:
    port = free_port()
    command = [sys.executable, "-m", "tenure", "serve", "--data", str(folder), "--port", str(port), *options]
    return started(name, command, port)


def bare(folder: Path) -> contextlib.AbstractContextManager[Running]:
    port = free_port()
    return started(FLOOR, [sys.executable, "-m", "benchmarks.floor", str(port), str(folder)], port)


def mlflow(folder: Path) -> contextlib.AbstractContextManager[Running] | None:
    """MLflow's server, where `TENURE_BENCH_MLFLOW` says where it is."""
    program = os.environ.get("TENURE_BENCH_MLFLOW")
    if not program:
        return None
    port = free_port()
    options = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", f"{folder}/files"]
    return started(MLFLOW, [program, "server", *options, "--port", str(port), "--workers", "1"], port)


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """The URL of a Postgres that forces every commit to disk; empty where none is installed."""
    from tests import postgres as installed

    binaries = installed.binaries()
    if binaries is None:
        yield ""
        return
    with tempfile.TemporaryDirectory() as folder, installed.cluster(binaries, Path(folder), durable=True) as url:
        yield url


@contextlib.contextmanager
def beside_mlflow() -> Iterator[list[Running]]:
    """The floor, Tenure and MLflow, each on an empty folder."""
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        peer = mlflow(Path(place))
        opened = [bare(Path(place)), tenure(Path(place) / "plain"), *([peer] if peer else [])]
        yield [stack.enter_context(one) for one in opened]


@contextlib.contextmanager
def on_disk() -> Iterator[list[Running]]:
    """The floor, and Tenure where every commit is forced to disk: on SQLite and on Postgres."""
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        opened = [bare(Path(place)), tenure(Path(place) / "fsync", "--database-fsync=yes", name=FSYNC)]
        url = stack.enter_context(postgres())
        if url:
            opened.append(tenure(Path(place) / "postgres", "--database-url", url, name=POSTGRES))
        yield [stack.enter_context(one) for one in opened]
