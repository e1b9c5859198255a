"""What one scored row costs: `python -m benchmarks.scoring`.

The gateway, with its journal on, beside a fixed answer to the same POST from the same process, and beside MLflow's own
scoring server with the same model, in one run at 1 and 32 connections. Compiled versions answer in the gateway by
their form, others in a scorer. All take turns of a third of a second, so that a machine whose speed changes does so for
all of them: a share is the median of those of single rounds, rate and CPU are medians too. CPU is that of the gateway
and its scorers together. At last compiled versions are asked at half of the rate that they reached at 32 connections:
requests are due at fixed times, whether or not those before are answered, and a latency counts from when its request
was due, so that a server that stalls cannot hide it; the p99 is that of the median round, beside a fixed answer's.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import uvloop
from rich.console import Console
from rich.table import Table

from tenure.deploy import compiling
from tenure.records.forms import FormOrder, FormResult
from tenure.records.people import Permission, Principal
from tenure.records.routing import InputColumn, PinnedFile, Release, Route, RoutingTable
from tenure.serving import gateway, routing
from tenure.serving.answers import JSON, answer
from tenure.serving.forms.program import ONNX_FILE, PROGRAM_FILE
from tenure.settings import Settings

TURN_S, ROUNDS = 0.35, 15
CONNECTIONS = (1, 32)
PACED_S, PACED_ROUNDS, TARGET_P99_MS = 2.0, 5, 5.0
NUMBERS, WORDS = 15, 8
OWNER = Principal(name="owner", kind="owner", permissions=frozenset(Permission))
ECHO = """
import mlflow.models, mlflow.pyfunc
class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [0.5] * len(model_input)
mlflow.models.set_model(Echo())
"""


class Rate(NamedTuple):
    per_second: float
    cpu_us: float


# --- models, made in a process of their own ------------------------------------------------------------------------


def save_models(folder: Path) -> None:
    """A forest and a logistic regression behind encoders on 23 mixed columns, and a model that costs nothing."""
    import mlflow.pyfunc
    import mlflow.sklearn
    import numpy as np
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    rng = np.random.default_rng(1)
    numbers = {f"number_{k}": rng.normal(size=2000) for k in range(NUMBERS)}
    words = {f"word_{k}": rng.choice(["red", "green", "blue", "grey"], 2000) for k in range(WORDS)}
    frame = pd.DataFrame(numbers | words)
    columns = make_column_transformer(
        (StandardScaler(), list(numbers)), (OneHotEncoder(handle_unknown="ignore"), list(words))
    )
    forest = RandomForestClassifier(100, max_depth=8, n_jobs=1, random_state=1)
    for name, last in (("forest", forest), ("logistic", LogisticRegression())):
        model = make_pipeline(columns, last).fit(frame, frame["number_0"] + rng.normal(size=2000) > 0)
        shape = infer_signature(frame, model.predict_proba(frame))
        mlflow.sklearn.save_model(
            model,
            str(folder / name),
            signature=shape,
            pyfunc_predict_fn="predict_proba",
            pip_requirements=["scikit-learn"],
            serialization_format="cloudpickle",
        )
    (folder / "echo.py").write_text(ECHO)
    mlflow.pyfunc.save_model(
        str(folder / "echo"), python_model=str(folder / "echo.py"), signature=shape, pip_requirements=["mlflow"]
    )


def release(folder: Path) -> Release:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    inputs = [InputColumn(name=f"number_{k}", type="double") for k in range(NUMBERS)]
    inputs += [InputColumn(name=f"word_{k}", type="string") for k in range(WORDS)]
    return Release(
        release_id=folder.name,
        model=folder.name,
        version=1,
        role="champion",
        share=1.0,
        location=str(folder),
        digest=folder.name,
        files=[
            PinnedFile(
                path=path.relative_to(folder).as_posix(),
                size_bytes=path.stat().st_size,
                sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            )
            for path in files
        ],
        inputs=inputs,
    )


def compiled(folder: Path, name: str) -> Release:
    """The release of a model with its form, made by the process that makes it in service."""
    plain = release(folder / name)
    out = folder / f"{name}-form"
    (out / "kept").mkdir(parents=True)
    order = FormOrder(
        model=name, version=1, folder=plain.location, files=plain.files, inputs=plain.inputs, out=str(out)
    )
    (out / "order").write_bytes(msgspec.msgpack.encode(order))
    subprocess.run(compiling.command(out / "order", 4096), env=compiling.environment(), check=True)
    result = msgspec.msgpack.decode((out / "result.msgpack").read_bytes(), type=FormResult)
    if result.report.kind == "original":
        raise SystemExit(f"{name} was not compiled: {result.report.reason}")
    for path in out.glob("*.*"):
        if path.name in (PROGRAM_FILE, ONNX_FILE):
            path.rename(out / "kept" / path.name)
    form = compiling.released(result, release(out / "kept").files)
    form = msgspec.structs.replace(form, location=str(out / "kept"))
    return msgspec.structs.replace(plain, release_id=f"{name}-form", model=f"{name}-form", form=form)


def prepared(folder: Path, forms: tuple[str, ...], plain: tuple[str, ...] = ()) -> tuple[Settings, list[Release]]:
    """Settings of a gateway that has an endpoint for each of the models as it was saved and for each in its form."""
    subprocess.run([sys.executable, "-m", "benchmarks.scoring", "models", str(folder)], check=True)
    settings = Settings(data=str(folder / "data"), scoring_port=free_port())
    releases = [*(release(folder / name) for name in plain), *(compiled(folder, name) for name in forms)]
    routes = {one.release_id: Route(endpoint=one.release_id, model=one.model, releases=[one]) for one in releases}
    routing.write_table(settings.folder, RoutingTable(epoch=1, routes=routes))
    return settings, releases


def request_body() -> bytes:
    row: dict[str, Any] = {f"number_{k}": k / 7 for k in range(NUMBERS)}
    row |= {f"word_{k}": "green" for k in range(WORDS)}
    return json.dumps({"dataframe_records": [row]}).encode()


# --- servers, each in a process of its own -------------------------------------------------------------------------


class WithFloor:
    """The gateway, with one more address that reads the body and gives a fixed answer through ASGI: bare uvicorn."""

    def __init__(self, ours: Any) -> None:
        self.ours = ours

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == "/fixed":
            while (await receive()).get("more_body"):
                pass
            await answer(send, 200, JSON, b'{"predictions":[0.5]}')
        else:
            await self.ours(scope, receive, send)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ours, name)


def serve_ours(settings: Settings) -> None:
    make_app = gateway.make_app
    gateway.make_app = lambda *arguments: WithFloor(make_app(*arguments))
    gateway.run(settings, lambda release: Path(release.location), lambda _headers: OWNER)


def serve_mlflows(folder: str, port: int) -> None:
    import mlflow.pyfunc
    import uvicorn
    from mlflow.pyfunc.scoring_server import init

    app = init(mlflow.pyfunc.load_model(folder))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", loop="uvloop", http="httptools", access_log=False)


# --- load and measures ---------------------------------------------------------------------------------------------


class Client(asyncio.Protocol):
    """One connection: the next request as soon as the answer is whole. Counts the answers until told to stop."""

    def __init__(self, request: bytes) -> None:
        self.request, self.answered, self.stopping, self.buffer = request, 0, False, b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(self.buffer.decode())
        self.buffer = b""
        self.answered += 1
        if not self.stopping:
            self.transport.write(self.request)


class Paced(asyncio.Protocol):
    """One connection whose requests are due at fixed times, pipelined if they must be. Keeps latencies in seconds."""

    def __init__(self, request: bytes, first_at: float, every_s: float, until: float) -> None:
        self.request, self.due_at, self.every_s, self.until = request, first_at, every_s, until
        self.waiting: deque[float] = deque()
        self.latencies: list[float] = []
        self.buffer = b""

    def connection_made(self, transport: Any) -> None:
        self.transport, self.loop = transport, asyncio.get_running_loop()
        self._wait()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            head, found, body = self.buffer.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
            if not found or len(body) < length:
                return
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(self.buffer.decode())
            self.buffer = body[length:]
            self.latencies.append(time.perf_counter() - self.waiting.popleft())

    def _send(self) -> None:
        now = time.perf_counter()
        while self.due_at <= now and self.due_at < self.until:
            self.transport.write(self.request)
            self.waiting.append(self.due_at)
            self.due_at += self.every_s
        if self.due_at < self.until:
            self._wait()

    def _wait(self) -> None:
        self.loop.call_later(self.due_at - time.perf_counter(), self._send)


async def paced(port: int, path: str, connections: int, per_second: float, seconds: float) -> list[float]:
    """Latencies in seconds of requests that come at a fixed rate, spread over the connections; after a second of it."""
    loop, request = asyncio.get_running_loop(), request_of(port, path)
    every_s, begun = connections / per_second, time.perf_counter() + 0.2
    clients = [Paced(request, begun + each / per_second, every_s, begun + 1.0 + seconds) for each in range(connections)]
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.sleep(1.2)
    skipped = [len(client.latencies) for client in clients]
    await asyncio.sleep(seconds)
    deadline = time.perf_counter() + 10
    while any(client.waiting for client in clients) and time.perf_counter() < deadline:
        await asyncio.sleep(0.01)
    for client in clients:
        client.transport.close()
    if any(client.waiting for client in clients):
        raise SystemExit("requests were not answered")
    return [one for client, skip in zip(clients, skipped, strict=True) for one in client.latencies[skip:]]


def request_of(port: int, path: str, body: bytes = b"") -> bytes:
    body = body or request_body()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def load(port: int, path: str, connections: int, seconds: float, body: bytes = b"") -> tuple[int, float]:
    request, loop = request_of(port, path, body), asyncio.get_running_loop()
    clients = [Client(request) for _ in range(connections)]
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
    start = time.perf_counter()
    await asyncio.sleep(seconds)
    took = time.perf_counter() - start
    answered = sum(client.answered for client in clients)
    for client in clients:
        client.stopping = True
        client.transport.close()
    return answered, took


def cpu_s(pids: list[int]) -> float:
    """Seconds of processor time that processes took, to the nanosecond."""
    tasks = [task for pid in pids for task in Path(f"/proc/{pid}/task").iterdir()]
    used = 0
    for task in tasks:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended
            used += int((task / "schedstat").read_text().split()[0])
    return used / 1e9


class Target(NamedTuple):
    """Who is asked: an address, and the processes that answer there."""

    pids: list[int]
    port: int
    path: str
    body: bytes = b""
    """The row in MLflow's way where it is empty."""


def measured(targets: dict[str, Target], connections: int) -> dict[str, list[Rate]]:
    """What each target answers in its turns, in an order that rotates, after a turn that is not counted."""
    found: dict[str, list[Rate]] = {name: [] for name in targets}
    names = list(targets)
    for round_ in range(ROUNDS + 1):
        for name in names[round_ % len(names) :] + names[: round_ % len(names)]:
            target = targets[name]
            before = cpu_s(target.pids)
            answered, took = uvloop.run(load(target.port, target.path, connections, TURN_S, target.body))
            if round_:
                cpu_us = (cpu_s(target.pids) - before) / max(1, answered) * 1e6
                found[name].append(Rate(answered / took, cpu_us))
    return found


# --- the run -------------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen([sys.executable, "-m", "benchmarks.scoring", *arguments])
    try:
        yield started
    finally:
        started.terminate()
        started.wait(30)


def wait_for(ready: Any, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise SystemExit("a server did not start")
        time.sleep(0.05)


def answers(url: str, body: bytes = b"") -> bool:
    try:
        request = urllib.request.Request(url, body or request_body(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as got:
            return bool(got.status == 200)
    except OSError:
        return False


def main() -> None:
    table = Table(title="One row of 23 mixed columns", caption=__doc__.split("\n\n")[1].replace("\n", " "))
    for name in ("what", "connections", "answers/s", "CPU µs", "of the fixed answer's rate"):
        table.add_column(name, justify="left" if name == "what" else "right")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        settings, releases = prepared(folder, plain=("echo", "forest"), forms=("forest", "logistic"))
        names = tuple(one.release_id for one in releases)
        with process("ours", msgspec.json.encode(settings).decode()) as ours:
            for name in names:
                wait_for(lambda name=name: answers(f"{settings.gateway_url}/endpoints/{name}/invocations"))
            children = Path(f"/proc/{ours.pid}/task/{ours.pid}/children").read_text().split()
            pids = [ours.pid, *map(int, children)]
            port = free_port()
            targets = {"fixed answer": Target(pids, settings.gateway_port, "/fixed")}
            for name in names:
                targets[f"Tenure, {name}"] = Target(pids, settings.gateway_port, f"/endpoints/{name}/invocations")
            with process("mlflow", str(folder / "forest"), str(port)) as peer:
                wait_for(lambda: answers(f"http://127.0.0.1:{port}/invocations") or peer.poll() is not None)
                there = peer.poll() is None
                peers = {"MLflow's server, forest": Target([peer.pid], port, "/invocations")} if there else {}
                for connections in CONNECTIONS:
                    found = measured({**targets, **peers}, connections)
                    for what, rates in found.items():
                        add(table, what, connections, rates, found["fixed answer"])
            paced_ones = ("fixed answer", *(f"Tenure, {name}" for name in names[2:]))
            delays = halved({what: targets[what] for what in paced_ones}, found)
    Console().print(table)
    Console().print(of_delays(delays))


def halved(targets: dict[str, Target], found: dict[str, list[Rate]]) -> dict[str, tuple[float, list[list[float]]]]:
    """Half of the rate that each reached, and by round the latencies (s) of requests that come at it."""
    half = {what: statistics.median(rate.per_second for rate in found[what]) / 2 for what in targets}
    delays: dict[str, list[list[float]]] = {what: [] for what in targets}
    for _ in range(PACED_ROUNDS):
        for what, target in targets.items():
            delays[what].append(uvloop.run(paced(target.port, target.path, CONNECTIONS[-1], half[what], PACED_S)))
    return {what: (half[what], delays[what]) for what in targets}


def of_delays(delays: dict[str, tuple[float, list[list[float]]]]) -> Table:
    table = Table(title=f"Latency at {CONNECTIONS[-1]} connections and half of the most answers/s")
    for name in ("what", "answers/s", "median", "p99", "best and worst round", "p99 to reach"):
        table.add_column(name, justify="left" if name == "what" else "right")
    for what, (per_second, rounds) in delays.items():
        cuts = [statistics.quantiles(latencies, n=100) for latencies in rounds]
        middle, most = (statistics.median(one[at] for one in cuts) * 1e3 for at in (49, 98))
        spread = [one[98] * 1e3 for one in cuts]
        target = "" if what == "fixed answer" else f"≤ {TARGET_P99_MS:g} ms"
        told = (f"{middle:.2f} ms", f"{most:.2f} ms", f"{min(spread):.2f} to {max(spread):.2f} ms")
        table.add_row(what, f"{per_second:,.0f}", *told, target)
    return table


def add(table: Table, what: str, connections: int, rates: list[Rate], floors: list[Rate]) -> None:
    share = statistics.median(one.per_second / floor.per_second for one, floor in zip(rates, floors, strict=True))
    rate, cpu_us = (statistics.median(one[place] for one in rates) for place in (0, 1))
    table.add_row(what, str(connections), f"{rate:,.0f}", f"{cpu_us:,.0f}", f"{share:.1%}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["models", folder]:
            save_models(Path(folder))
        case ["ours", settings]:
            serve_ours(msgspec.json.decode(settings, type=Settings))
        case ["mlflow", folder, port]:
            serve_mlflows(folder, int(port))
        case _:
            main()
