"""How fast outcomes are taken: `python -m benchmarks.outcomes`.

A whole server takes a batch of each form over HTTP, until it is answered and in the journal. Then, in process, the
worker's intake joins as many outcomes to predictions that are in the lake already, by prediction id and by reference.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from benchmarks.servers import free_port, started
from tenure.monitor import intake, progress
from tenure.records.base import Instant, new_id
from tenure.records.frames import OutcomeFrame, PredictionFrame
from tenure.serving.journal import Journal
from tenure.settings import Settings
from tenure.store import migrate, tables
from tenure.store.artifacts import ArtifactStore
from tenure.store.database import Database
from tenure.store.ground import Ground
from tenure.store.keys import open_key

ROWS, LONG_ROWS, PREDICTIONS = 100_000, 1_000_000, 400_000
TARGET = 100_000
START = Instant(1_700_000_000_000_000)
NAME = "flights"
CLASSES = ["in time", "late"]


def main() -> None:
    table = Table(title="Outcomes a second, one request after the other")
    for column in ("", "rows", "seconds", "rows a second"):
        table.add_column(column, justify="left" if not column else "right")
    missed = []
    for name, rows, seconds in [*uploaded(), *joined()]:
        table.add_row(name, f"{rows:,}", f"{seconds:.2f}", f"{rows / seconds:,.0f}")
        if rows / seconds < TARGET:
            missed.append(name)
    Console().print(table)
    if missed:
        sys.exit(f"missed: {TARGET:,} a second by {', '.join(missed)}")


def uploaded() -> list[tuple[str, int, float]]:
    """A batch of each form, sent to a server of its own: the better of three, the process that reads being ready."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        command = [sys.executable, "-m", "tenure", "serve", "--only", "control", "--port", str(port)]
        with started("Tenure", [*command, "--data", folder], port), httpx.Client(timeout=120) as client:
            base = f"http://127.0.0.1:{port}"
            made(client, base)
            for name, (content_type, rows, body) in bodies().items():
                taken = []
                for _ in range(3):
                    start = time.perf_counter()
                    answer = client.post(
                        f"{base}/api/v1/endpoints/{NAME}/outcomes", content=body, headers={"content-type": content_type}
                    )
                    taken.append(time.perf_counter() - start)
                    assert answer.json()["accepted"] == rows, answer.text
                    time.sleep(1)  # until the next process that reads is ready
                found.append((f"HTTP to journal, {name}", rows, min(taken)))
    return found


def made(client: httpx.Client, base: str) -> None:
    wait = time.monotonic() + 60
    while client.get(f"{base}/ready").status_code != 200 and time.monotonic() < wait:
        time.sleep(0.1)
    client.post(f"{base}/api/2.0/mlflow/registered-models/create", json={"name": NAME}).raise_for_status()
    client.post(f"{base}/api/v1/endpoints", json={"name": NAME, "model": NAME}).raise_for_status()
    prediction = {"outcome": "came", "classes": CLASSES}
    file = {"model": NAME, "purpose": "To be on time", "owner": "ann", "prediction": prediction}
    client.put(f"{base}/api/v1/models/{NAME}/file", json=file).raise_for_status()


def columns(rows: int) -> pa.Table:
    return pa.table(
        {
            "prediction_id": [f"{new_id(START)}:0" for _ in range(rows)],
            "value": [float(row % 2) for row in range(rows)],
            "event_time": pa.array(range(START, START + rows)),
        }
    )


def bodies() -> dict[str, tuple[str, int, bytes]]:
    table = columns(ROWS)
    parquet, csv = io.BytesIO(), io.BytesIO()
    pq.write_table(table, parquet)
    pacsv.write_csv(table, csv)
    return {
        "JSON": ("application/json", ROWS, msgspec.json.encode({"outcomes": table.to_pylist()})),
        "CSV": ("text/csv", ROWS, csv.getvalue()),
        "CSV, names of classes": ("text/csv", ROWS, named(table)),
        "Parquet": ("application/vnd.apache.parquet", ROWS, parquet.getvalue()),
        "Arrow stream": ("application/vnd.apache.arrow.stream", ROWS, arrow(table)),
        "long Arrow stream": ("application/vnd.apache.arrow.stream", LONG_ROWS, arrow(columns(LONG_ROWS))),
    }


def named(table: pa.Table) -> bytes:
    """The same outcomes as CSV, by the names of their classes."""
    names = pa.array([CLASSES[int(value)] for value in table.column("value").to_pylist()])
    sink = io.BytesIO()
    pacsv.write_csv(table.set_column(table.column_names.index("value"), "value", names), sink)
    return sink.getvalue()


def arrow(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table, max_chunksize=16_384)
    return sink.getvalue()


def joined() -> list[tuple[str, int, float]]:
    found = []
    for name, key_of in (("prediction id", by_id), ("reference", by_reference)):
        with tempfile.TemporaryDirectory() as folder:
            found.append((f"journal to lake, joined by {name}", *join(Path(folder), key_of)))
    return found


Prediction = tuple[str, str]


def by_id(prediction: Prediction) -> str:
    return f"{prediction[0]}:0"


def by_reference(prediction: Prediction) -> str:
    return f"ref:{prediction[1]}"


def join(folder: Path, key_of: Callable[[Prediction], str]) -> tuple[int, float]:
    """Of predictions in the lake, the latest get outcomes; how many, and the seconds until all are joined."""
    settings = Settings(data=str(folder))
    database = Database(settings.database)
    migrate.to_newest(database)
    ground = Ground(settings, database, ArtifactStore(settings.artifacts), open_key(folder), lambda: START)
    values = {"name": NAME, "model": NAME, "created_at": 0, "created_by": "ann"}
    database.write(lambda tx: tx.execute(sa.insert(tables.endpoints).values(**values)))
    root = progress.journal_folder(ground)
    gateway, control = Journal(root, "gateway", 1e9, 256, False), Journal(root, "control", 1e9, 256, False)
    predictions = [(new_id(Instant(START + row * 1000)), uuid.uuid4().hex) for row in range(PREDICTIONS)]
    for row, (prediction_id, reference) in enumerate(predictions):
        gateway.append_now(predicted(prediction_id, reference, START + row * 1000))
    while intake.take_in(ground, START):
        pass
    for start in range(PREDICTIONS - ROWS, PREDICTIONS, 1000):
        keys = [key_of(one) for one in predictions[start : start + 1000]]
        frame = OutcomeFrame(at=START, endpoint=NAME, key=keys, value=[1.0] * 1000, event_at=[START] * 1000)
        control.append_now(frame)
    begun = time.perf_counter()
    while intake.take_in(ground, START):
        pass
    seconds = time.perf_counter() - begun
    told = progress.of(ground, NAME)
    assert (told.outcomes, told.outcomes_waiting) == (ROWS, 0), told
    gateway.close()
    control.close()
    database.close()
    return ROWS, seconds


def predicted(prediction_id: str, reference: str, at: int) -> PredictionFrame:
    return PredictionFrame(
        prediction_id=prediction_id,
        at=at,
        endpoint=NAME,
        release_id="r",
        model=NAME,
        version=1,
        role="champion",
        rows=1,
        event_at=[at],
        reference=[reference],
        columns={"distance": [1.5]},
        output=[0.5],
        score=[0.5],
        latency_us=1000,
    )


if __name__ == "__main__":
    main()
