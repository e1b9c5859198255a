"""What a batch costs beside the bare loop: `python -m benchmarks.batch [--rows N] [--trees N]`.

Parquet to Parquet, ten million rows of twenty numbers unless told otherwise. The bare loop reads a piece, has the same
form compute it and writes the answers; nothing is checked, named or journaled. The batch is `tenure score` against a
real server on the same machine, which gets every prediction with its columns. Memory is the largest resident set of the
command; the server's work is part of the time. Pieces of both runs alternate, and the best of each counts. CPU is the
command's own, which a busy machine distorts less than seconds.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from benchmarks.servers import free_port
from tenure.batch.answering import OfForm
from tenure.batch.sources import CHUNK_ROWS
from tenure.records.routing import Release
from tenure.sdk.client import Client
from tenure.serving.forms import bulk

ROWS, COLUMNS, TREES, RUNS = 10_000_000, 20, 100, 2
PIECE_ROWS = 1_000_000
NAMES = [f"n{k}" for k in range(COLUMNS)]
MODEL = """
import sys, mlflow, numpy as np, pandas as pd, logging
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
logging.getLogger("mlflow").setLevel(logging.ERROR)
url, trees, columns = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
mlflow.set_tracking_uri(url)
rng = np.random.default_rng(1)
frame = pd.DataFrame({f"n{k}": rng.normal(size=2000) for k in range(columns)})
y = (frame["n0"] + rng.normal(size=2000) > 0).astype(int)
model = GradientBoostingClassifier(n_estimators=trees, max_depth=3, random_state=1) if trees else LogisticRegression()
model.fit(frame, y)
with mlflow.start_run():
    logged = mlflow.sklearn.log_model(
        model, name="model", signature=mlflow.models.infer_signature(frame, model.predict_proba(frame[:3])),
        pip_requirements=["scikit-learn"], pyfunc_predict_fn="predict_proba", serialization_format="cloudpickle",
    )
number = mlflow.register_model(logged.model_uri, "batched").version
mlflow.MlflowClient().set_registered_model_alias("batched", "champion", number)
"""


def main() -> None:
    asked = argparse.ArgumentParser(prog="benchmarks.batch")
    asked.add_argument("--rows", type=int, default=ROWS)
    asked.add_argument("--trees", type=int, default=TREES, help="0: a logistic regression")
    asked.add_argument("--runs", type=int, default=RUNS)
    asked.add_argument("--bare", nargs=2, metavar=("ORDER", "OUTPUT"), help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.bare:
        return bare(Path(given.bare[0]), Path(given.bare[1]))
    with tempfile.TemporaryDirectory() as name, served(Path(name)) as url:
        folder = Path(name)
        write_rows(folder / "in.parquet", given.rows)
        release = champion(url, given.trees)
        (folder / "order.json").write_bytes(msgspec.json.encode([str(folder), release]))
        fetch_form(url, folder, release)
        taken: dict[str, list[tuple[float, float, float]]] = {"bare": [], "batch": []}
        for _ in range(given.runs):
            taken["bare"].append(measured(folder, "-m", "benchmarks.batch", "--bare", folder / "order.json", "out.b"))
            score = ("score", "batched", "--input", "in.parquet", "--output", "out.parquet", "--overwrite")
            taken["batch"].append(measured(folder, "-m", "tenure", *score, "--url", url, "--cache", "cache"))
        show(given.rows, given.trees, {name: min(runs) for name, runs in taken.items()})
    return None


def bare(order: Path, output: Path) -> None:
    """The loop that the batch is held against."""
    folder, release = msgspec.json.decode(order.read_bytes(), type=tuple[str, Release])
    assert release.form is not None
    form = OfForm(release, bulk.load(Path(folder) / "form", release.form))
    with pq.ParquetFile(Path(folder) / "in.parquet", pre_buffer=False) as source:
        writer: Any = None
        for batch in source.iter_batches(CHUNK_ROWS):
            columns = {name: batch.column(name) for name in batch.schema.names}
            answers, _ = form.outputs(columns, batch.num_rows)
            table = pa.table({"prediction": answers})
            writer = writer or pq.ParquetWriter(output, table.schema)
            writer.write_table(table)
        writer.close()


def measured(folder: Path, *command: object) -> tuple[float, float, float]:
    """Seconds, CPU seconds, and MiB of the largest resident set of one command."""
    started = time.perf_counter()
    place = {"PYTHONPATH": str(Path(__file__).parents[1]), "ORT_DISABLE_TELEMETRY": "1"}
    process = subprocess.Popen(
        [sys.executable, *map(str, command)], cwd=folder, env={**os.environ, **place}, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command[1]} failed")
    return time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def write_rows(path: Path, count: int) -> None:
    random = np.random.default_rng(2)
    writer: Any = None
    for start in range(0, count, PIECE_ROWS):
        rows = min(PIECE_ROWS, count - start)
        table = pa.table({name: random.normal(size=rows) for name in NAMES})
        writer = writer or pq.ParquetWriter(path, table.schema, use_dictionary=False)
        writer.write_table(table, row_group_size=CHUNK_ROWS * 4)
    writer.close()


def champion(url: str, trees: int) -> Release:
    """Train, register and promote through mlflow's client; the release once its form is proven."""
    subprocess.run(
        [sys.executable, "-c", MODEL, url, str(trees), str(COLUMNS)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with Client(url) as client:
        client.endpoint("batched", model="batched")
        deadline = time.monotonic() + 600
        while client.get("/api/v1/models/batched/versions/1/form")["state"] not in ("done", "failed"):
            if time.monotonic() > deadline:
                sys.exit("the version was not compiled in time")
            time.sleep(0.2)
        order = client.post("/api/v1/endpoints/batched/batches", {"dry_run": True})
    release: Release = msgspec.convert(order["release"], Release)
    if release.form is None:
        sys.exit("no form was proven")
    return release


def fetch_form(url: str, folder: Path, release: Release) -> None:
    from tenure.batch.fetching import fetcher

    with Client(url) as client:
        held = fetcher(client, "batched", folder / "cache", form=True)(release)
    (folder / "form").symlink_to(held)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "tenure", "serve", "--data", str(folder / "data"), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def show(rows: int, trees: int, best: dict[str, tuple[float, float, float]]) -> None:
    table = Table(title=f"{rows:,} rows of {COLUMNS} numbers, {f'{trees} trees' if trees else 'logistic regression'}")
    for column in ("", "seconds", "CPU seconds", "rows a second", "MiB at most"):
        table.add_column(column, justify="right" if column else "left")
    for name, (seconds, cpu, mib) in best.items():
        table.add_row(name, f"{seconds:.1f}", f"{cpu:.1f}", f"{rows / seconds:,.0f}", f"{mib:,.0f}")
    console = Console()
    console.print(table)
    console.print(f"The batch reaches {best['bare'][0] / best['batch'][0]:.0%} of the bare loop of the same form.")


if __name__ == "__main__":
    main()
