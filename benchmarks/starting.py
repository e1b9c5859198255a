"""How soon a server with work to do answers: `python -m benchmarks.starting [--runs N]`.

Five endpoints: four whose version has a proven form (linear, a forest, boosted trees, a regression) and one whose
version is asked through a scorer. The folder is that of a server that was stopped. Measured from the start of
`tenure serve` to the first 200 of each endpoint's own scoring address, asked every 20 ms; the target is for
the slowest of the five. The floor of the same run is an interpreter that imports what a scorer cannot do without.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tenure.sdk.client import Client

RUNS, TARGET_S, PAUSE_S = 5, 5.0, 0.02
COMPILED, SCORED = ("linear", "forest", "boosted", "regression"), "function"
ENDPOINTS = (*COMPILED, SCORED)
BODY = json.dumps({"dataframe_records": [{f"n{k}": k / 7 for k in range(10)}]}).encode()
MODELS = """
import sys, logging, mlflow, numpy as np, pandas as pd
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
logging.getLogger("mlflow").setLevel(logging.ERROR)
mlflow.set_tracking_uri(sys.argv[1])
rng = np.random.default_rng(1)
frame = pd.DataFrame({f"n{k}": rng.normal(size=1000) for k in range(10)})
y = (frame["n0"] + rng.normal(size=1000) > 0).astype(int)
def known(name, logged):
    number = mlflow.register_model(logged.model_uri, name).version
    mlflow.MlflowClient().set_registered_model_alias(name, "champion", number)
for name, model in (
    ("linear", LogisticRegression()), ("forest", RandomForestClassifier(100, max_depth=8, random_state=1)),
    ("boosted", GradientBoostingClassifier(random_state=1)), ("regression", LinearRegression()),
):
    method = "predict" if name == "regression" else "predict_proba"
    model.fit(frame, y)
    shape = mlflow.models.infer_signature(frame, getattr(model, method)(frame[:3]))
    with mlflow.start_run():
        known(name, mlflow.sklearn.log_model(model, name="model", signature=shape, pip_requirements=["scikit-learn"],
              pyfunc_predict_fn=method, serialization_format="cloudpickle"))
class Own(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input["n0"] * 2
shape = mlflow.models.infer_signature(frame, frame["n0"])
with mlflow.start_run():
    known("function", mlflow.pyfunc.log_model(name="model", python_model=Own(), signature=shape,
          pip_requirements=["mlflow", "pandas"]))
"""
FLOOR = "import mlflow.pyfunc, pandas"


def main() -> None:
    asked = argparse.ArgumentParser(prog="benchmarks.starting")
    asked.add_argument("--runs", type=int, default=RUNS)
    runs = asked.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        floors = [interpreter() for _ in range(runs)]
        taken = [started(folder) for _ in range(runs)]
    slowest = show(taken, floors)
    if slowest > TARGET_S:
        sys.exit(f"{slowest:.1f} s to the first answer of each endpoint; at most {TARGET_S:g} s it should be")


def prepare(folder: Path) -> None:
    """A server's folder with five endpoints in service, and the server that made it stopped."""
    port = quiet_port()
    with serving(folder, port):
        url = f"http://127.0.0.1:{port}"
        wait(lambda: get(port, "/ready"), 60)
        subprocess.run([sys.executable, "-c", MODELS, url], check=True, capture_output=True)
        with Client(url) as client:
            for name in ENDPOINTS:
                client.endpoint(name, model=name)
            wait(lambda: all(_form_state(client, name) in ("done", "failed") for name in ENDPOINTS), 600)
            without = [name for name in COMPILED if _kind(client, name) == "original"]
            if without:
                sys.exit(f"not compiled: {', '.join(without)}")
        for name in ENDPOINTS:
            wait(lambda name=name: scored(port + 1, name), 60)


def _form_state(client: Client, model: str) -> str:
    return str(client.get(f"/api/v1/models/{model}/versions/1/form")["state"])


def _kind(client: Client, model: str) -> str:
    report = client.get(f"/api/v1/models/{model}/versions/1/form")["report"]
    return report["kind"] if report else "original"


def started(folder: Path) -> dict[str, float]:
    """Seconds from the start of a server to the first answer of each endpoint."""
    port, found = quiet_port(), dict[str, float]()

    def ask(name: str) -> None:
        wait(lambda: scored(port + 1, name), 120)
        found[name] = time.perf_counter() - began

    began = time.perf_counter()
    with serving(folder, port):
        asking = [threading.Thread(target=ask, args=(name,)) for name in ENDPOINTS]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
    return found


def quiet_port() -> int:
    """A free port with a free one after it, which the kernel gives to no client.

    Among those that it gives, who asks before anybody listens may be connected to itself.
    """
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in range(first - 2, 1024, -2):
        with socket.socket() as one, socket.socket() as other, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            other.bind(("127.0.0.1", port + 1))
            return port
    sys.exit("no port is free")


def interpreter() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", FLOOR], check=True)
    return time.perf_counter() - began


@contextmanager
def serving(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tenure", "serve", "--data", str(folder / "data"), "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield server
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)


def scored(port: int, name: str) -> bool:
    return asked(port, "POST", f"/endpoints/{name}/invocations", BODY)


def get(port: int, path: str) -> bool:
    return asked(port, "GET", path, None)


def asked(port: int, method: str, path: str, body: bytes | None) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def wait(true: object, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        if time.monotonic() > deadline:
            sys.exit(f"not within {seconds} s")
        time.sleep(PAUSE_S)


def show(taken: list[dict[str, float]], floors: list[float]) -> float:
    """Print the figures; the median of the runs' slowest endpoint."""
    table = Table(title=f"Seconds from the start of a server to the first answer, {len(taken)} runs")
    for column in ("endpoint", "median", "slowest run"):
        table.add_column(column, justify="left" if column == "endpoint" else "right")
    for name in ENDPOINTS:
        each = [run[name] for run in taken]
        table.add_row(name, f"{statistics.median(each):.2f}", f"{max(each):.2f}")
    worst = [max(run.values()) for run in taken]
    table.add_section()
    table.add_row(f"all five (to reach: {TARGET_S:g})", f"{statistics.median(worst):.2f}", f"{max(worst):.2f}")
    table.add_row(f"floor: {FLOOR}", f"{statistics.median(floors):.2f}", f"{max(floors):.2f}")
    Console().print(table)
    return statistics.median(worst)


if __name__ == "__main__":
    main()
