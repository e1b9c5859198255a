"""A day in ten minutes: `python -m benchmarks.soak [--minutes N]`.

One server, two endpoints: one whose versions have a compiled form, one whose versions run in a scorer. Each is asked by
MLflow's JSON, V2 with JSON and with bytes, and gRPC, at once. Meanwhile releases are switched back and forth; scorer,
gateway and worker are killed with -9 at random; outcomes are sent; a file is scored now and then. Afterwards every
answered id must be there exactly once (lake, and what of the journal is not in it yet), what was refused must not be
there, clients must have seen nothing but what may be tried again, and the memory of all processes together (PSS, so
that what they share counts once) must be flat: the median of the last third beside that of the first.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import grpc
import httpx
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from benchmarks.servers import free_port
from benchmarks.startup import family, pss_kib
from tenure.errors import TenureError
from tenure.records.frames import PredictionFrame
from tenure.sdk.client import Client
from tenure.serving.journal import read_frames, segments
from tenure.serving.protocols import grpc_messages
from tenure.store import journal_cursors, lake_files
from tenure.store.database import Database

ENDPOINTS = ("compiled", "scored")
SWITCH_S, KILL_S, BATCH_S, SAMPLE_S, PACE_S = 3.0, 10.0, 60.0, 2.0, 0.05
SETTLED_S = 5.0
"""After a kill memory is not looked at for so long: what starts has not yet what it will have."""
BATCH_ROWS = 500
GROWTH = 1.1
RETRIED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED)
MODELS = """
import sys, logging, mlflow, numpy as np, pandas as pd
from pathlib import Path
from sklearn.linear_model import LogisticRegression
logging.getLogger("mlflow").setLevel(logging.ERROR)
mlflow.set_tracking_uri(sys.argv[1])
rng = np.random.default_rng(1)
frame = pd.DataFrame({"a": rng.normal(size=500), "b": rng.normal(size=500)})
own = Path(sys.argv[2]) / "own.py"
own.write_text('''
import mlflow.models, mlflow.pyfunc
class Own(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return (model_input["a"] + model_input["b"]).tolist()
mlflow.models.set_model(Own())
''')
for number in (1, 2):
    y = (frame["a"] + rng.normal(size=500) > 0).astype(int)
    model = LogisticRegression(C=number).fit(frame, y)
    with mlflow.start_run():
        shape = mlflow.models.infer_signature(frame, model.predict_proba(frame)[:, 1])
        logged = mlflow.sklearn.log_model(model, name="model", signature=shape, pip_requirements=["scikit-learn"],
            pyfunc_predict_fn="predict", serialization_format="cloudpickle")
        mlflow.register_model(logged.model_uri, "compiled")
        shape = mlflow.models.infer_signature(frame, frame["a"])
        own.write_text(own.read_text() + f"# {number}\\n")
        logged = mlflow.pyfunc.log_model(
            name="own", python_model=str(own), signature=shape, pip_requirements=["mlflow"]
        )
        mlflow.register_model(logged.model_uri, "scored")
for name in ("compiled", "scored"):
    mlflow.MlflowClient().set_registered_model_alias(name, "champion", 1)
"""


class Refused(Exception):
    """An answer that says no. `retried`: the client may ask again."""

    def __init__(self, said: str, *, retried: bool) -> None:
        super().__init__(said)
        self.retried = retried


class Place(NamedTuple):
    """Where a server answers, its folder and its process."""

    url: str
    scoring_url: str
    grpc_port: int
    folder: Path
    process: subprocess.Popen[bytes]


Ask = Callable[[str, str], str]
"""Asks an endpoint about one row with a reference; the prediction's id. Raises Refused, or what a lost line raises."""


# --- the four protocols ----------------------------------------------------------------------------------------------


@contextmanager
def by_json(place: Place) -> Iterator[Ask]:
    client = httpx.Client(timeout=30)

    def ask(endpoint: str, reference: str) -> str:
        body = {"dataframe_records": [{"a": 0.1, "b": 0.2}], "reference": [reference]}
        return _told(client.post(f"{place.scoring_url}/endpoints/{endpoint}/invocations", json=body))

    with client:
        yield ask


@contextmanager
def by_v2(place: Place) -> Iterator[Ask]:
    client = httpx.Client(timeout=30)

    def ask(endpoint: str, reference: str) -> str:
        inputs = [{"name": name, "shape": [1, 1], "datatype": "FP64", "data": [0.1]} for name in "ab"]
        body = {"inputs": inputs, "parameters": {"reference": reference}}
        return _told(client.post(f"{place.scoring_url}/v2/models/{endpoint}/infer", json=body))

    with client:
        yield ask


@contextmanager
def by_bytes(place: Place) -> Iterator[Ask]:
    client = httpx.Client(timeout=30)
    raw = struct.pack("<2d", 0.1, 0.2)

    def ask(endpoint: str, reference: str) -> str:
        sized = {"binary_data_size": 8}
        inputs = [{"name": name, "shape": [1, 1], "datatype": "FP64", "parameters": sized} for name in "ab"]
        head = json.dumps({"inputs": inputs, "parameters": {"reference": reference}}).encode()
        told = {"inference-header-content-length": str(len(head))}
        return _told(client.post(f"{place.scoring_url}/v2/models/{endpoint}/infer", content=head + raw, headers=told))

    with client:
        yield ask


@contextmanager
def by_call(place: Place) -> Iterator[Ask]:
    channel = grpc.insecure_channel(f"127.0.0.1:{place.grpc_port}", options=[("grpc.max_reconnect_backoff_ms", 200)])
    infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")

    def ask(endpoint: str, reference: str) -> str:
        request = grpc_messages.message("ModelInferRequest")(
            model_name=endpoint,
            inputs=[{"name": name, "datatype": "FP64", "shape": [1, 1]} for name in "ab"],
            raw_input_contents=[struct.pack("<d", 0.1)] * 2,
            parameters={"reference": {"string_param": reference}},
        )
        try:
            said = infer(request.SerializeToString(), timeout=30)
        except grpc.RpcError as problem:
            said = "" if problem.code() in RETRIED else f" {problem.details()}"
            raise Refused(f"gRPC {problem.code().name}{said}", retried=problem.code() in RETRIED) from None
        return str(grpc_messages.message("ModelInferResponse").FromString(said).id)

    with channel:
        yield ask


def _told(answer: httpx.Response) -> str:
    if answer.status_code != 200:
        said = "" if answer.status_code in (429, 503) else f" {answer.text[:300]}"
        raise Refused(f"HTTP {answer.status_code}{said}", retried=answer.status_code in (429, 503))
    return answer.headers["tenure-prediction-id"]


PROTOCOLS = {"MLflow's JSON": by_json, "V2 JSON": by_v2, "V2 bytes": by_bytes, "gRPC": by_call}


# --- what happens ----------------------------------------------------------------------------------------------------


class Soak:
    """What was done and seen. Everything that threads write is appended to, and read when they have ended."""

    def __init__(self, place: Place, seed: int) -> None:
        self.place, self.chance = place, random.Random(seed)
        self.stopping = threading.Event()
        self.answered: list[tuple[str, str, str]] = []
        self.refused: list[str] = []
        self.seen: Counter[str] = Counter()
        self.surprises: list[str] = []
        self.kills: Counter[str] = Counter()
        self.killed_at = 0.0
        self.answered_at: dict[tuple[str, str], float] = {}
        self.done: Counter[str] = Counter()
        self.batches: list[str] = []
        self.memory: list[tuple[float, float]] = []

    def run(self, seconds: float) -> None:
        work = [(self.ask, name, endpoint) for name in PROTOCOLS for endpoint in ENDPOINTS]
        each = [(self.every, SWITCH_S, self.switch), (self.every, KILL_S, self.kill), (self.every, 1.0, self.tell)]
        each += [(self.every, BATCH_S, self.batch), (self.every, SAMPLE_S, self.sample)]
        threads = [threading.Thread(target=what, args=more) for what, *more in (*work, *each)]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        self.stopping.set()
        for thread in threads:
            thread.join()

    def every(self, pause_s: float, act: Callable[[], None]) -> None:
        while not self.stopping.wait(pause_s):
            try:
                act()
            except (TenureError, OSError, httpx.HTTPError) as problem:
                self.seen[f"{act.__name__}: {type(problem).__name__}"] += 1
            except Exception as problem:
                self.surprises.append(f"{act.__name__}: {problem!r}")

    def ask(self, protocol: str, endpoint: str) -> None:
        """One row after the other; what fails is asked anew, under another reference."""
        with PROTOCOLS[protocol](self.place) as ask:
            for number in itertools.count():
                if self.stopping.wait(PACE_S):
                    return
                self.ask_one(ask, protocol, endpoint, f"{protocol}/{endpoint}/{number}")

    def ask_one(self, ask: Ask, protocol: str, endpoint: str, reference: str) -> None:
        try:
            self.answered.append((endpoint, ask(endpoint, reference), reference))
            self.answered_at[protocol, endpoint] = time.monotonic()
        except Refused as problem:
            self.seen[f"{protocol}: {problem}"] += 1
            if not problem.retried:
                self.surprises.append(f"{protocol} at {endpoint}: {problem}")
            elif str(problem).startswith("HTTP"):
                self.refused.append(reference)
        except httpx.TransportError as problem:
            self.seen[f"{protocol}: {type(problem).__name__}"] += 1
        except Exception as problem:
            self.surprises.append(f"{protocol} at {endpoint}: {problem!r}")

    def switch(self) -> None:
        endpoint = ENDPOINTS[self.done["switch"] // 2 % 2]
        body = {"name": endpoint, "alias": "champion", "version": str(self.done["switch"] % 2 + 1)}
        path = "/api/2.0/mlflow/registered-models/alias"
        httpx.post(self.place.url + path, json=body, timeout=30).raise_for_status()
        self.done["switch"] += 1

    def is_steady(self) -> bool:
        """Whether everybody was answered since the last kill."""
        each = self.answered_at.values()
        return len(each) == len(ENDPOINTS) * len(PROTOCOLS) and min(each) > self.killed_at

    def kill(self) -> None:
        """Only once what was killed before is back: otherwise a slow machine would show nothing but starts."""
        if not self.is_steady():
            return
        kind = self.chance.choice(("scorer", "gateway", "worker"))
        found = [pid for pid in family(self.place.process.pid) if _kind(pid) == kind]
        if found:
            self.killed_at = time.monotonic()
            os.kill(self.chance.choice(found), signal.SIGKILL)
            self.kills[kind] += 1

    def tell(self) -> None:
        """The outcome of what was answered last at each endpoint."""
        with Client(self.place.url, self.place.scoring_url) as client:
            for endpoint in ENDPOINTS:
                mine = [one for name, one, _ in self.answered[-200:] if name == endpoint][-20:]
                if mine:
                    client.outcomes(endpoint, [1] * len(mine), prediction_ids=mine)
                    self.done["outcomes"] += len(mine)

    def batch(self) -> None:
        folder = self.place.folder
        number = self.done["batches"]
        command = [sys.executable, "-m", "tenure", "score", "compiled", "--input", str(folder / "in.parquet"), "--json"]
        command += ["--output", str(folder / f"out-{number}.parquet"), "--cache", str(folder / "cache")]
        ran = subprocess.run([*command, "--url", self.place.url], capture_output=True, text=True, check=False)
        if ran.returncode:
            self.surprises.append(f"batch: {ran.stderr.strip()[-300:]}")
            return
        self.batches.append(json.loads(ran.stdout)["batch"]["batch_id"])
        self.done["batches"] += 1

    def sample(self) -> None:
        began = time.monotonic()
        if began > self.killed_at + SETTLED_S and self.is_steady():
            mib = sum(pss_kib(pid) for pid in family(self.place.process.pid)) / 1024
            self.memory.append((began, mib))


def _kind(pid: int) -> str:
    command = Path(f"/proc/{pid}/cmdline").read_text()
    if "tenure.serving.scorer" in command:
        return "scorer"
    return next((kind for kind in ("gateway", "worker") if f"tenure.app\0{kind}" in command), "")


# --- afterwards ------------------------------------------------------------------------------------------------------


def there(folder: Path) -> Counter[str]:
    """How often each prediction is in the lake, or in what of the journal is not in it yet."""
    database = Database(f"sqlite:///{folder / 'data' / 'tenure.db'}")
    found: Counter[str] = Counter()
    try:
        cursors = database.read(journal_cursors.all_of)
        for endpoint in ENDPOINTS:
            for file in database.read(lambda tx, name=endpoint: lake_files.latest_first(tx, name, "predictions")):
                table = pq.read_table(folder / "data" / "lake" / file.path, columns=["prediction_id", "reference"])
                found.update(table.column(0).to_pylist())
                found.update(one for one in table.column(1).to_pylist() if one)
    finally:
        database.close()
    root = folder / "data" / "journal"
    for segment in segments(root):
        place = cursors.get(segment.key, 0)
        while True:
            frames, place = read_frames(segment.path, place)
            if not frames:
                break
            for frame in frames:
                if isinstance(frame, PredictionFrame):
                    found.update(frame.row_ids)
                    found.update(frame.reference or ())
    return found


def judged(soak: Soak, found: Counter[str]) -> dict[str, int]:
    """How many answered ids are not there exactly once, and so on: all must be 0."""
    ids = [f"{one}:0" for _, one, _ in soak.answered]
    rows = [f"{batch}:{row}" for batch in soak.batches for row in range(BATCH_ROWS)]
    return {
        "answered ids that are lost": sum(found[one] == 0 for one in ids),
        "answered ids that are there twice": sum(found[one] > 1 for one in ids),
        "ids that were given twice": len(ids) - len(set(ids)),
        "answered references not there exactly once": sum(found[one] != 1 for *_, one in soak.answered),
        "rows of batches not there exactly once": sum(found[one] != 1 for one in rows),
        "requests that were refused, and are there": sum(found[one] != 0 for one in soak.refused),
        "errors that no client may try again after": len(soak.surprises),
    }


def thirds(memory: list[tuple[float, float]]) -> tuple[float, float]:
    """Median MiB of the first and of the last third of the time."""
    first, last = memory[0][0], memory[-1][0]
    third = (last - first) / 3
    early = [mib for at, mib in memory if at <= first + third]
    late = [mib for at, mib in memory if at >= last - third]
    return statistics.median(early), statistics.median(late)


@contextmanager
def serving(folder: Path) -> Iterator[Place]:
    """A server with two endpoints whose second versions are ready to take over."""
    port, calls = free_port(), free_port()
    command = [sys.executable, "-m", "tenure", "serve", "--data", str(folder / "data"), "--port", str(port)]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen([*command, "--grpc-port", str(calls)], stdout=subprocess.PIPE, stderr=log)
        try:
            assert server.stdout is not None
            server.stdout.readline()
            place = Place(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}", calls, folder, server)
            prepare(place)
            yield place
        finally:
            server.terminate()
            server.wait(60)
            if server.stdout is not None:
                server.stdout.close()


def prepare(place: Place) -> None:
    subprocess.run(
        [sys.executable, "-c", MODELS, place.url, str(place.folder)],
        check=True,
        capture_output=True,
    )
    table = pa.table({name: [0.1] * BATCH_ROWS for name in "ab"})
    pq.write_table(table, place.folder / "in.parquet")
    with Client(place.url, place.scoring_url) as client:
        for name in ENDPOINTS:
            client.endpoint(name, model=name)
        forms = [f"/api/v1/models/{name}/versions/1/form" for name in ENDPOINTS]
        wait_for(lambda: all(client.get(form)["state"] in ("done", "failed") for form in forms), "the forms")
    ready = {(name, protocol) for name in ENDPOINTS for protocol in PROTOCOLS}
    for name, protocol in ready:
        wait_for(lambda name=name, protocol=protocol: _answers(place, protocol, name), f"{name} by {protocol}")


def _answers(place: Place, protocol: str, endpoint: str) -> bool:
    try:
        with PROTOCOLS[protocol](place) as ask:
            return bool(ask(endpoint, f"{protocol}/{endpoint}/first"))
    except (Refused, httpx.TransportError) as problem:
        if isinstance(problem, Refused) and not problem.retried:
            sys.exit(f"{endpoint} by {protocol}: {problem}")
        return False


def wait_for(true: Callable[[], bool], what: str, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            sys.exit(f"not within {seconds:g} s: {what}")
        time.sleep(0.1)


def soaked(folder: Path, seconds: float, seed: int = 1) -> tuple[Soak, dict[str, int]]:
    with serving(folder) as place:
        soak = Soak(place, seed)
        soak.run(seconds)
        with Client(place.url, place.scoring_url) as client:
            paths = [f"/api/v1/endpoints/{name}/progress" for name in ENDPOINTS]
            wait_for(lambda: all(client.get(one)["journal_bytes_waiting"] == 0 for one in paths), "the journal", 120)
    return soak, judged(soak, there(folder))


def main() -> None:
    asked = argparse.ArgumentParser(prog="benchmarks.soak")
    asked.add_argument("--minutes", type=float, default=10.0)
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as name:
        soak, found = soaked(Path(name), given.minutes * 60, given.seed)
    early, late = thirds(soak.memory)
    show(soak, found, early, late)
    if any(found.values()) or late > GROWTH * early:
        sys.exit("a figure is not what it should be")


def show(soak: Soak, found: dict[str, int], early: float, late: float) -> None:
    table = Table(title="A soak")
    table.add_column("what")
    table.add_column("measured", justify="right")
    table.add_column("to reach", justify="right")
    table.add_row("answers", f"{len(soak.answered):,}", "")
    for name, count in [*soak.done.items(), *((f"kill -9 of a {kind}", count) for kind, count in soak.kills.items())]:
        table.add_row(name, f"{count:,}", "")
    table.add_section()
    for name, count in found.items():
        table.add_row(name, f"{count:,}", "0")
    growth = f"{early:,.0f} → {late:,.0f} MiB ({late / early:.2f} ×)"
    table.add_row("memory, first and last third", growth, f"≤ {GROWTH:g} ×")
    console = Console()
    console.print(table)
    console.print(
        "Seen by clients, all to be tried again: " + ", ".join(f"{k} {n}" for k, n in soak.seen.most_common())
    )
    for surprise in soak.surprises[:10]:
        console.print(f"not to be tried again: {surprise}")


if __name__ == "__main__":
    main()
