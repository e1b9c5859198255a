"""How often Tenure answers while another server answers once: `python -m benchmarks.peers`.

One row of 23 mixed columns, the same pickled pipeline in every server, each with the settings of its manual that suit a
small model best and on one process of its own: MLflow's scoring server and a FastAPI application as one would write it
by hand, and LitServe, BentoML and MLServer where `TENURE_BENCH_PEERS` names folders of virtual environments that have
them, separated by colons. Tenure answers with the version's compiled form, its journal on; nothing else here keeps what
it answered. Turns of a third of a second in an order that rotates; rates and CPU are medians. A server that cannot
start is named as missing.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from rich.console import Console

from benchmarks.experiments import Grid, show
from benchmarks.scoring import (
    CONNECTIONS,
    NUMBERS,
    WORDS,
    Rate,
    Target,
    answers,
    free_port,
    measured,
    prepared,
    process,
    request_body,
    wait_for,
)
from benchmarks.startup import family

TARGETS = {"forest": 40.0, "logistic": 5.0}
"""How often the best other server has to be beaten at one connection."""
MLFLOWS, BY_HAND = "MLflow's scoring server", "FastAPI by hand"
FASTAPI = """
import pickle, sys
import pandas as pd, uvicorn
from fastapi import FastAPI
from pydantic import create_model

path, port = sys.argv[1:]
model = pickle.load(open(path, "rb"))
names = {name: (str if name.startswith("word") else float, ...) for name in model.feature_names_in_}
Row = create_model("Row", **names)
app = FastAPI()

@app.post("/predict")
async def predict(row: Row):
    return {"predictions": model.predict_proba(pd.DataFrame([row.model_dump()])).tolist()}

uvicorn.run(app, host="127.0.0.1", port=int(port), loop="uvloop", http="httptools", log_level="error", access_log=False)
"""
LITSERVE = """
import pickle, sys
import pandas as pd
import litserve

path, port = sys.argv[1:]

class Rows(litserve.LitAPI):
    def setup(self, device):
        self.model = pickle.load(open(path, "rb"))

    def predict(self, row):
        return self.model.predict_proba(pd.DataFrame([row])).tolist()

    def encode_response(self, output):
        return {"predictions": output}

if __name__ == "__main__":
    server = litserve.LitServer(Rows(), accelerator="cpu", fast_queue=True)
    server.run(host="127.0.0.1", port=int(port), log_level="error", generate_client_file=False)
"""
BENTOML = """
import os, pickle
import bentoml, pandas as pd

@bentoml.service(workers=1)
class Rows:
    def __init__(self):
        self.model = pickle.load(open(os.environ["MODEL"], "rb"))

    @bentoml.api
    def predict(self, row: dict) -> list:
        return self.model.predict_proba(pd.DataFrame([row])).tolist()
"""
ENVIRONMENT = {
    "BENTOML_DO_NOT_TRACK": "True",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "PYTHONWARNINGS": "ignore",
}


class Peer(NamedTuple):
    """Another server: the command that starts it in a folder of its own, and what to ask it."""

    name: str
    command: list[str]
    port: int
    path: str
    body: bytes


# --- the other servers ---------------------------------------------------------------------------------------------


def row() -> dict[str, Any]:
    asked: dict[str, Any] = json.loads(request_body())["dataframe_records"][0]
    return asked


def peers_of(model: Path, scratch: Path) -> Iterator[Peer]:
    """Every server that can be tried here with a saved model; `scratch` takes the files that they want."""
    pickled, one = str(model / "model.pkl"), json.dumps(row()).encode()
    port = free_port()
    mlflows = [sys.executable, "-m", "benchmarks.scoring", "mlflow", str(model), str(port)]
    yield Peer(MLFLOWS, mlflows, port, "/invocations", request_body())
    port = free_port()
    yield Peer(BY_HAND, program(sys.executable, FASTAPI, scratch / "by_hand.py", pickled, port), port, "/predict", one)
    for place in filter(None, os.environ.get("TENURE_BENCH_PEERS", "").split(":")):
        python, port = Path(place) / "bin" / "python", free_port()
        if has(python, "litserve"):
            command = program(str(python), LITSERVE, scratch / "lit.py", pickled, port)
            yield Peer("LitServe", command, port, "/predict", one)
        port = free_port()
        if has(python, "bentoml"):
            (scratch / "bento.py").write_text(BENTOML)
            serve = [str(python), "-m", "bentoml", "serve", "bento:Rows", "--host", "127.0.0.1", "--port", str(port)]
            command = ["env", f"MODEL={pickled}", *serve]
            yield Peer("BentoML", command, port, "/predict", json.dumps({"row": row()}).encode())
        if has(python, "mlserver"):
            yield mlserver(python, pickled, scratch / "mlserver")


def mlserver(python: Path, pickled: str, folder: Path) -> Peer:
    """MLServer with its runtime for scikit-learn, without the second process that it has by default."""
    port = free_port()
    ports = {"http_port": port, "grpc_port": free_port(), "metrics_port": free_port()}
    settings = {"host": "127.0.0.1", "debug": False, "parallel_workers": 0, "metrics_endpoint": None, **ports}
    parameters = {"uri": pickled, "extra": {"predict_fn": "predict_proba"}}
    declared = {"name": "rows", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": parameters}
    folder.mkdir(exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps(declared))
    inputs = [tensor(name, value) for name, value in row().items()]
    body = json.dumps({"parameters": {"content_type": "pd"}, "inputs": inputs}).encode()
    command = [str(python.with_name("mlserver")), "start", str(folder)]
    return Peer("MLServer", command, port, "/v2/models/rows/infer", body)


def tensor(name: str, value: Any) -> dict[str, Any]:
    """One value in the Open Inference Protocol."""
    if isinstance(value, float):
        return {"name": name, "shape": [1, 1], "datatype": "FP64", "data": [value]}
    about = {"name": name, "shape": [1, 1], "datatype": "BYTES", "parameters": {"content_type": "str"}}
    return {**about, "data": [value]}


def program(python: str, source: str, at: Path, pickled: str, port: int) -> list[str]:
    at.write_text(source)
    return [python, str(at), pickled, str(port)]


def has(python: Path, package: str) -> bool:
    look = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({package!r}) is None)"
    return subprocess.run([str(python), "-c", look], check=False).returncode == 0


@contextlib.contextmanager
def started(peer: Peer, cwd: Path) -> Iterator[Target | None]:
    """A server as one to ask, until the block ends; `None` where it did not come to answer."""
    where = None if peer.name == MLFLOWS else cwd  # which is started as a module of this project
    environment = {**os.environ, **ENVIRONMENT}
    server = subprocess.Popen(
        peer.command,
        cwd=where,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    try:
        url = f"http://127.0.0.1:{peer.port}{peer.path}"
        wait_for(lambda: answers(url, peer.body) or server.poll() is not None)
        there = server.poll() is None
        yield Target(family(server.pid), peer.port, peer.path, peer.body) if there else None
    finally:
        os.killpg(server.pid, signal.SIGKILL)  # with its workers, which some leave behind when they are asked to end
        server.wait()


# --- the run -------------------------------------------------------------------------------------------------------


def main() -> None:
    fell_short = []
    for model, grid, times in compared():
        show(grid)
        if times < TARGETS[model]:
            fell_short.append(f"{model} {times:.1f} × the best other, {TARGETS[model]:g} × to reach")
    if fell_short:
        sys.exit("missed: " + ", ".join(fell_short))


def grids() -> Iterator[Grid]:
    for _, grid, _ in compared():
        yield grid


def compared() -> Iterator[tuple[str, Grid, float]]:
    """For each model the table, and how often Tenure answers at one connection while the best other does once."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings, releases = prepared(folder, forms=tuple(TARGETS))
        with process("ours", msgspec.json.encode(settings).decode()) as ours:
            for release in releases:
                path = f"/endpoints/{release.release_id}/invocations"
                wait_for(lambda path=path: answers(settings.gateway_url + path))
                target = Target(family(ours.pid), settings.gateway_port, path)
                model = release.release_id.removesuffix("-form")
                found = beside(model, target, folder)
                others = [rate(turns) for name, turns in found[1].items() if name != "Tenure"]
                yield model, table(model, found), rate(found[1]["Tenure"]) / max(others)


def beside(model: str, ours: Target, folder: Path) -> dict[int, dict[str, list[Rate]]]:
    """How Tenure and all others answer with one model, by the number of connections."""
    scratch = folder / f"peers of {model}"
    scratch.mkdir()
    with contextlib.ExitStack() as running:
        targets = {"Tenure": ours}
        for peer in peers_of(folder / model, scratch):
            if there := running.enter_context(started(peer, scratch)):
                targets[peer.name] = there
            else:
                Console(stderr=True).print(f"{peer.name} did not start: {' '.join(peer.command)}")
        return {connections: measured(targets, connections) for connections in CONNECTIONS}


def table(model: str, found: dict[int, dict[str, list[Rate]]]) -> Grid:
    rows = []
    for connections, rates in found.items():
        for name, turns in rates.items():
            ratio = "" if name == "Tenure" else f"{rate(rates['Tenure']) / rate(turns):,.1f} ×"
            cpu = statistics.median(turn.cpu_us for turn in turns)
            rows.append((name, str(connections), f"{rate(turns):,.0f}", f"{cpu:,.0f}", ratio))
    columns = ("what", "connections", "answers/s", "CPU µs", "Tenure's rate over it")
    return Grid(f"One row of {NUMBERS + WORDS} mixed columns, {model}", columns, rows)


def rate(turns: list[Rate]) -> float:
    return statistics.median(turn.per_second for turn in turns)


if __name__ == "__main__":
    main()
