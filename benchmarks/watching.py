"""What monitoring costs scoring: `python -m benchmarks.watching [--rounds N]`.

One gateway answers a compiled forest of 23 mixed columns at 32 connections as fast as it can, journal on: with the
worker, which takes every prediction in and judges windows, and without it, in turns on the same folder; the ratio is
the median of those of two turns that followed each other, since a machine's speed changes by the minute. On two
processors, of which the load itself takes one, everything that the worker does is taken from somebody. Beside the
ratio stands the processor time behind one answer, of the gateway and of the worker, which says what it would cost on a
machine with a processor to spare: nothing of scoring, and so much of that one. At last a window of all that was
answered is judged, and its processor time told for each of its rows.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import uvloop

from benchmarks.experiments import Grid, show
from benchmarks.scoring import cpu_s, load, request_body
from benchmarks.starting import get, quiet_port, wait
from benchmarks.startup import family
from tenure.records.base import DAY_US
from tenure.sdk.client import Client

CONNECTIONS, SECONDS, ROUNDS, TARGET = 32, 10.0, 9, 0.05
PATH = "/endpoints/forest/invocations"
MODEL = """
import sys, logging, mlflow, numpy as np, pandas as pd, tenure
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
logging.getLogger("mlflow").setLevel(logging.ERROR)
mlflow.set_tracking_uri(sys.argv[1])
rng = np.random.default_rng(1)
numbers = {f"number_{k}": rng.normal(size=2000) for k in range(15)}
words = {f"word_{k}": rng.choice(["red", "green", "blue", "grey"], 2000) for k in range(8)}
frame = pd.DataFrame(numbers | words)
columns = make_column_transformer((StandardScaler(), list(numbers)), (OneHotEncoder(), list(words)))
y = frame["number_0"] + rng.normal(size=2000) > 0
model = make_pipeline(columns, RandomForestClassifier(100, max_depth=8, n_jobs=1, random_state=1)).fit(frame, y)
score = model.predict_proba(frame)
with mlflow.start_run():
    logged = mlflow.sklearn.log_model(
        model, name="model", signature=mlflow.models.infer_signature(frame, score), pyfunc_predict_fn="predict_proba",
        pip_requirements=["scikit-learn"], serialization_format="cloudpickle", registered_model_name="forest")
    tenure.log_baseline(logged, frame=frame, y=y.astype(int), score=score[:, 1], url=sys.argv[1])
mlflow.MlflowClient().set_registered_model_alias("forest", "champion", 1)
"""


class Round(NamedTuple):
    """Answers a second, and microseconds of processor time for each answer."""

    per_second: float
    gateway_us: float
    worker_us: float


class Found(NamedTuple):
    """Rounds with a worker and without one, each beside the other of its place; rows of a window, and the processor
    seconds of judging it."""

    watched: list[Round]
    alone: list[Round]
    rows: int
    judging_s: float

    @property
    def ratios(self) -> list[float]:
        pairs = zip(self.watched, self.alone, strict=True)
        return [watched.per_second / alone.per_second for watched, alone in pairs]

    @property
    def lost(self) -> float:
        """The share of the answers that a worker costs; below 0 where there were more with one."""
        return 1 - statistics.median(self.ratios)


def main() -> None:
    asked = argparse.ArgumentParser(prog="benchmarks.watching")
    asked.add_argument("--rounds", type=int, default=ROUNDS)
    found = watched_and_not(asked.parse_args().rounds)
    show(grid_of(found))
    if found.lost > TARGET:
        sys.exit(f"with its worker the server answers {found.lost:.1%} less; at most {TARGET:.0%} it should be")


def grids() -> Iterator[Grid]:
    yield grid_of(watched_and_not(ROUNDS))


def watched_and_not(rounds: int) -> Found:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        found: dict[bool, list[Round]] = {True: [], False: []}
        for number in range(2 * rounds):
            watched = number % 4 in (0, 3)
            with serving(folder, watched=watched) as (port, server):
                found[watched].append(measured(port, server.pid))
        with serving(folder, watched=True) as (port, server):
            return Found(found[True], found[False], *judged(port, server.pid))


def prepare(folder: Path) -> None:
    with serving(folder, watched=True, ready=False) as (port, _):
        url = f"http://127.0.0.1:{port}"
        subprocess.run([sys.executable, "-c", MODEL, url], check=True, capture_output=True)
        with Client(url) as client:
            client.endpoint("forest", model="forest")
            wait(lambda: client.get("/api/v1/models/forest/versions/1/form")["state"] in ("done", "failed"), 600)
            report = client.get("/api/v1/models/forest/versions/1/form")["report"]
        if not report or report["kind"] == "original":
            sys.exit("the forest was not compiled")
        wait(lambda: scored(port), 60)


@contextmanager
def serving(folder: Path, *, watched: bool, ready: bool = True) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    port, only = quiet_port(), "control,gateway,worker" if watched else "control,gateway"
    command = [sys.executable, "-m", "tenure", "serve", "--data", str(folder / "data"), "--port", str(port)]
    server = subprocess.Popen([*command, "--only", only], stdout=subprocess.DEVNULL)
    try:
        wait(lambda: get(port, "/ready"), 60)
        if ready:
            wait(lambda: scored(port), 60)
        yield port, server
    finally:
        server.terminate()
        server.wait(60)


def scored(port: int, **more: object) -> bool:
    body = json.loads(request_body()) | more
    try:
        return httpx.post(f"http://127.0.0.1:{port + 1}{PATH}", json=body, timeout=30).status_code == 200
    except httpx.TransportError:
        return False


def measured(port: int, server: int) -> Round:
    """A load of some seconds, after one of half a second and, with a worker, once that has taken in all that a server
    without one had left to it."""
    uvloop.run(load(port + 1, PATH, CONNECTIONS, 0.5))
    if "worker" in used(server):
        settle(port)
    before = used(server)
    answered, took = uvloop.run(load(port + 1, PATH, CONNECTIONS, SECONDS))
    while_asked = used(server)
    if "worker" in while_asked:
        settle(port)
    after = used(server)
    gateway = while_asked["gateway"] - before["gateway"]
    worker = after.get("worker", 0.0) - before.get("worker", 0.0)
    return Round(answered / took, gateway / answered * 1e6, worker / answered * 1e6)


def used(server: int) -> dict[str, float]:
    """Processor seconds by kind of process; what they started counts with them."""
    found: dict[str, float] = {}
    for pid in family(server):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        kind = words[words.index(b"tenure.app") + 1].decode() if b"tenure.app" in words else ""
        found[kind] = found.get(kind, 0.0) + cpu_s([pid])
    return found


def settle(port: int) -> None:
    """Wait until the worker has taken everything in."""
    with Client(f"http://127.0.0.1:{port}") as client:
        wait(lambda: client.get("/api/v1/endpoints/forest/progress")["journal_bytes_waiting"] == 0, 120)


def judged(port: int, server: int) -> tuple[int, float]:
    """Rows of the window of today, and the worker's processor seconds until it is judged."""
    settle(port)
    before = used(server)["worker"]
    later = time.time_ns() // 1000 + 15 * DAY_US  # windows are of a week
    assert scored(port, event_time=later)
    with Client(f"http://127.0.0.1:{port}") as client:
        wait(lambda: client.get("/api/v1/endpoints/forest/windows"), 120)
        rows = sum(int(one["predictions"]) for one in client.get("/api/v1/endpoints/forest/windows"))
    return rows, used(server)["worker"] - before


def grid_of(found: Found) -> Grid:
    gateway = statistics.median(one.gateway_us for one in found.watched)
    worker = statistics.median(one.worker_us for one in found.watched)
    each = found.judging_s / max(found.rows, 1) * 1e6
    return Grid(
        f"{len(found.watched)} rounds each, {CONNECTIONS} connections",
        ("what", "measured"),
        [
            ("answers a second, without a worker", f"{statistics.median(one.per_second for one in found.alone):,.0f}"),
            ("with one", f"{statistics.median(one.per_second for one in found.watched):,.0f}"),
            ("median ratio of two turns beside each other", f"{-found.lost:+.1%}"),
            ("half of the ratios lie in", " … ".join(f"{one - 1:+.1%}" for one in quarters(found.ratios))),
            ("processor time of the gateway, an answer", f"{gateway:.0f} µs"),
            ("of the worker, until all is taken in", f"{worker:.1f} µs ({worker / gateway:.0%} of it)"),
            (f"judging a window of {found.rows:,} rows", f"{found.judging_s:.2f} s, {each:.1f} µs a row"),
        ],
    )


def quarters(ratios: list[float]) -> tuple[float, float]:
    """The first and the third quartile; of less than two values that one."""
    if len(ratios) < 2:
        return ratios[0], ratios[0]
    first, _, third = statistics.quantiles(ratios, method="inclusive")
    return first, third


if __name__ == "__main__":
    main()
