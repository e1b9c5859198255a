"""What a thousand rows in one binary request cost: `python -m benchmarks.blocks`.

The gateway, journal on, beside the same work in one process without a server: decode the request, check it, compute the
same compiled form, encode the answer. Rounds alternate between the two, one connection; the best round of each counts.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.scoring import NUMBERS, WORDS, answers, compiled, free_port, process, wait_for
from tenure.records.base import Instant
from tenure.records.routing import Release, Route, RoutingTable
from tenure.serving import routing
from tenure.serving.columns import Inputs
from tenure.serving.decoding import Answer, Request
from tenure.serving.forms import loading
from tenure.serving.protocols import v2
from tenure.settings import Settings

ROWS, ROUNDS, TIMES = 1000, 12, 40
TARGET = 0.8


def binary_request() -> tuple[dict[str, str], bytes]:
    """Headers and body: a tensor for each column, in bytes, and answers wanted in bytes too."""
    rng = np.random.default_rng(2)
    told, parts = [], []
    for k in range(NUMBERS):
        parts.append(rng.normal(size=ROWS).tobytes())
        told.append({"name": f"number_{k}", "shape": [ROWS], "datatype": "FP64"})
    for k in range(WORDS):
        words = [word.encode() for word in rng.choice(["red", "green", "blue", "grey"], ROWS).tolist()]
        parts.append(b"".join(len(word).to_bytes(4, "little") + word for word in words))
        told.append({"name": f"word_{k}", "shape": [ROWS], "datatype": "BYTES"})
    for one, part in zip(told, parts, strict=True):
        one["parameters"] = {"binary_data_size": len(part)}
    head = json.dumps({"inputs": told, "parameters": {"binary_data_output": True}}).encode()
    return {"inference-header-content-length": str(len(head))}, b"".join([head, *parts])


def ask(line: socket.socket, request: bytes) -> None:
    line.sendall(request)
    answer = line.recv(1 << 20)
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(answer[:2000].decode(errors="replace"))
    left = int(head.lower().partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]) - len(body)
    while left > 0:
        left -= len(line.recv(1 << 20))


def here(release: Release, headers: dict[str, str], body: bytes) -> float:
    """Seconds for one request's work in this process."""
    assert release.form is not None
    inputs, form = Inputs(release.inputs), loading.load(Path(release.form.location), release.form)
    started = time.perf_counter()
    for _ in range(TIMES):
        asked = v2.reader(headers)(Request(headers, body, Instant(10**15), 100_000, inputs))
        outputs = form.outputs(inputs.columns_of(asked), asked.rows)  # type: ignore[union-attr, arg-type]
        v2.encode(asked, Answer("e", 1, "id", outputs))  # type: ignore[arg-type]
    return (time.perf_counter() - started) / TIMES


def main() -> None:
    table = Table(title=f"{ROWS:,} rows in one binary request", caption=__doc__.split("\n\n")[1].replace("\n", " "))
    for name in ("what", "here", "through the gateway", "rate of the first"):
        table.add_column(name, justify="left" if name == "what" else "right")
    headers, body = binary_request()
    missed = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        subprocess.run([sys.executable, "-m", "benchmarks.scoring", "models", scratch], check=True)
        releases = [compiled(folder, name) for name in ("forest", "logistic")]
        settings = Settings(data=str(folder / "data"), scoring_port=free_port(), spare_scorer=False)
        routes = {one.release_id: Route(endpoint=one.release_id, model=one.model, releases=[one]) for one in releases}
        routing.write_table(settings.folder, RoutingTable(epoch=1, routes=routes))
        with process("ours", msgspec.json.encode(settings).decode()):
            for one in releases:
                url = f"{settings.gateway_url}/endpoints/{one.release_id}/invocations"
                wait_for(lambda url=url: answers(url))
                line = socket.create_connection(("127.0.0.1", settings.gateway_port))
                said = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                head = f"POST /v2/models/{one.release_id}/infer HTTP/1.1\r\nHost: localhost\r\n{said}"
                request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
                ask(line, request)
                alone, served = [], []
                for _ in range(ROUNDS):
                    alone.append(here(one, headers, body))
                    started = time.perf_counter()
                    for _ in range(TIMES):
                        ask(line, request)
                    served.append((time.perf_counter() - started) / TIMES)
                share = min(alone) / min(served)
                table.add_row(
                    one.release_id, f"{min(alone) * 1e3:.2f} ms", f"{min(served) * 1e3:.2f} ms", f"{share:.0%}"
                )
                missed += [one.release_id] if share < TARGET else []
    Console().print(table)
    if missed:
        sys.exit(f"below {TARGET:.0%}: {', '.join(missed)}")


if __name__ == "__main__":
    main()
