"""How fast artifacts move through the server: `python -m benchmarks.artifacts`.

Large: one file of 100 MiB up and down again, in MB/s. Small: files of 2 KB one after the other on one connection, as
`log_model` sends them, in files/s. Files lie in a local folder. The client is one socket that does the least it can.

`TENURE_BENCH_MLFLOW=/path/to/venv/bin/mlflow` adds MLflow's own server with uvloop; repeats alternate.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.client import Connection
from benchmarks.servers import MLFLOW, TENURE, Running, mlflow, tenure

LARGE_MIB = 100
SMALL_BYTES = 2048
SMALL_FILES = 300
REPEATS = 5
MIB = 1024 * 1024
FILES = "/api/2.0/mlflow-artifacts/artifacts/0/bench"


class Client(Connection):
    """A connection that sends files and fetches them without keeping them."""

    def put(self, name: str, content: bytes) -> None:
        head = f"PUT {FILES}/{name} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\ncontent-length: {len(content)}\r\n\r\n"
        if len(content) < MIB:
            self.exchange(head.encode() + content)
        else:
            self.socket.sendall(head.encode())
            self.exchange(content)

    def fetch(self, name: str) -> None:
        self.socket.sendall(f"GET {FILES}/{name} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\n\r\n".encode())
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, body = received.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(received[:500].decode(errors="replace"))
        left = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]) - len(body)
        buffer = bytearray(MIB)
        while left:
            count = self.socket.recv_into(buffer)
            if not count:
                raise RuntimeError("the server closed the connection")
            left -= count


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measured(server: Running, large: bytes, small: bytes) -> dict[str, float]:
    """One round of every measure against one server."""
    client = Client(server.port)
    names = [f"small-{number}" for number in range(SMALL_FILES)]
    found = {
        "up MB/s": len(large) / 1e6 / seconds(lambda: client.put("large", large)),
        "down MB/s": len(large) / 1e6 / seconds(lambda: client.fetch("large")),
        "PUT /s": SMALL_FILES / seconds(lambda: [client.put(name, small) for name in names]),
        "GET /s": SMALL_FILES / seconds(lambda: [client.fetch(name) for name in names]),
    }
    client.close()
    return found


def main() -> None:
    large, small = os.urandom(LARGE_MIB * MIB), os.urandom(SMALL_BYTES)
    best: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        peer = mlflow(Path(folder))
        servers = [stack.enter_context(one) for one in [tenure(Path(folder, "tenure")), *([peer] if peer else [])]]
        for _ in range(REPEATS):
            for server in servers:
                kept = best.setdefault(server.name, {})
                for what, figure in measured(server, large, small).items():
                    kept[what] = max(figure, kept.get(what, 0.0))
    title = f"Artifacts: a file of {LARGE_MIB} MiB; files of {SMALL_BYTES} bytes in turn"
    table = Table("server", *best[TENURE], title=title)
    for name, figures in best.items():
        table.add_row(name, *(f"{figure:,.0f}" for figure in figures.values()))
    if MLFLOW in best:
        table.add_row(f"× {MLFLOW}", *(f"{best[TENURE][what] / best[MLFLOW][what]:.1f}" for what in best[MLFLOW]))
    Console().print(table)


if __name__ == "__main__":
    main()
