"""How fast late outcomes find their predictions: `python -m benchmarks.late_outcomes`.

Predictions lie in the lake as the worker leaves them, in merged files by day; then as many outcomes as are asked for,
drawn evenly from all of them, which is the worst case, come through control's journal and are joined by prediction id.
Run with growing lakes to see how it scales; the largest says what the disk and the time of a run allow.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from benchmarks.experiments import Grid, show
from tenure.monitor import intake, progress
from tenure.records.base import DAY_US, Instant
from tenure.records.frames import OutcomeFrame
from tenure.serving.journal import Journal
from tenure.settings import Settings
from tenure.store import lake_files, migrate, tables
from tenure.store.artifacts import ArtifactStore
from tenure.store.database import Database
from tenure.store.ground import Ground
from tenure.store.keys import open_key
from tenure.store.lake import timestamps

PREDICTIONS = (1_000_000, 10_000_000, 100_000_000)
OUTCOMES = 1_000_000
ROWS_A_FILE = 1_000_000
DAYS = 100
START = Instant(1_700_000_000_000_000)
NAME = "flights"
GROUPS = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
"""Of hexadecimal digits, between the dashes of a UUID."""
MOST_SECONDS, MOST_MIB = 60.0, 2048


class Run(msgspec.Struct):
    """What one process did with a lake of so many predictions: seconds until all were joined, of the clock and of
    the processor, and its peak memory."""

    predictions: int
    outcomes: int
    seconds: float
    cpu_seconds: float
    peak_mib: int
    lake_mib: int


def main() -> None:
    if len(sys.argv) > 2 and sys.argv[1] == "--one":
        print(msgspec.json.encode(run(int(sys.argv[2]))).decode())
        return
    runs = [_in_a_process(int(given)) for given in sys.argv[1:] or PREDICTIONS]
    show(grid_of(runs))
    if any(one.seconds > MOST_SECONDS or one.peak_mib > MOST_MIB for one in runs):
        sys.exit(f"missed: at most {MOST_SECONDS:g} s and {MOST_MIB:,} MiB")


def grids() -> Iterator[Grid]:
    yield grid_of([_in_a_process(predictions) for predictions in PREDICTIONS])


def grid_of(runs: Sequence[Run]) -> Grid:
    rows = [
        (
            f"{one.predictions:,}",
            f"{one.lake_mib:,}",
            f"{one.seconds:.1f}",
            f"{one.cpu_seconds:.1f}",
            f"{one.outcomes / one.seconds:,.0f}",
            f"{one.peak_mib:,}",
        )
        for one in runs
    ]
    title = f"{OUTCOMES:,} late outcomes, drawn evenly from all predictions, joined by id"
    columns = ("predictions", "lake, MiB", "seconds", "of CPU", "outcomes a second", "peak memory, MiB")
    return Grid(title, columns, rows)


def _in_a_process(predictions: int) -> Run:
    """Each size in a process of its own, so that the peak is this size's."""
    command = [sys.executable, "-m", "benchmarks.late_outcomes", "--one", str(predictions)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    return msgspec.json.decode(answer.stdout, type=Run)


def run(predictions: int) -> Run:
    folder = Path(tempfile.mkdtemp(prefix="late-outcomes-"))
    try:
        return _run(folder, predictions)
    finally:
        shutil.rmtree(folder)


def _run(folder: Path, predictions: int) -> Run:
    settings = Settings(data=str(folder))
    database = Database(settings.database)
    migrate.to_newest(database)
    ground = Ground(settings, database, ArtifactStore(settings.artifacts), open_key(folder), lambda: START)
    values = {"name": NAME, "model": NAME, "created_at": 0, "created_by": "ann"}
    database.write(lambda tx: tx.execute(sa.insert(tables.endpoints).values(**values)))
    _fill(ground, predictions)
    control = Journal(progress.journal_folder(ground), "control", 1e9, 1024, False)
    outcomes = _tell(control, predictions)
    _forget_peak()
    begun, worked = time.perf_counter(), time.process_time()
    while intake.take_in(ground, START):
        pass
    seconds, worked = time.perf_counter() - begun, time.process_time() - worked
    told = progress.of(ground, NAME)
    assert (told.outcomes, told.outcomes_waiting) == (outcomes, 0), told
    control.close()
    database.close()
    size = sum(file.stat().st_size for file in (folder / "lake" / "predictions").rglob("*.parquet"))
    return Run(predictions, outcomes, seconds, worked, _peak_mib(), size // 2**20)


def _fill(ground: Ground, predictions: int) -> None:
    """Predictions in the lake, in files of a million rows: what a year of merging leaves, by the lake's own writer."""
    lake, step = progress.lake_of(ground), DAYS * DAY_US // predictions
    rng = np.random.default_rng(1)
    for first in range(0, predictions, ROWS_A_FILE):
        rows = np.arange(first, min(first + ROWS_A_FILE, predictions))
        at = timestamps(START + rows * step)
        n = len(rows)
        table = pa.table(
            {
                "prediction_id": ids(rows, step),
                "at": at,
                "event_at": at,
                "release_id": pa.array(["r"] * n),
                "model": pa.array([NAME] * n),
                "version": pa.array(np.ones(n, np.int32)),
                "role": pa.array(["champion"] * n),
                "score": pa.array(rng.random(n)),
                "propensity": pa.array(np.ones(n)),
                "sampling_fraction": pa.array(np.ones(n)),
                "latency_us": pa.array(np.full(n, 1000)),
                "f_distance": pa.array(rng.random(n)),
            }
        )
        files = lake.write(NAME, "predictions", f"made-{first}", table)
        ground.database.write(lambda tx, files=files: lake_files.add(tx, files, START))


def ids(rows: np.ndarray, step: int) -> pa.Array:
    """Prediction ids as the gateway makes them: UUIDv7, whose first 48 bits are the milliseconds of the request."""
    raw = np.frombuffer(np.random.default_rng(rows[0]).bytes(16 * len(rows)), np.uint8).reshape(-1, 16).copy()
    ms = ((START + rows * step) // 1000).astype(">u8").view(np.uint8).reshape(-1, 8)
    raw[:, :6] = ms[:, 2:]
    raw[:, 6] = (raw[:, 6] & 0x0F) | 0x70
    raw[:, 8] = (raw[:, 8] & 0x3F) | 0x80
    digits = np.frombuffer(raw.tobytes().hex().encode(), "S1").reshape(-1, 32)
    parts = [np.ascontiguousarray(digits[:, a:b]).view(f"S{b - a}").ravel() for a, b in GROUPS]
    texts = [pa.array(part).cast(pa.string()) for part in parts]
    return pc.binary_join_element_wise(pc.binary_join_element_wise(*texts, "-"), "0", ":")


def _tell(control: Journal, predictions: int) -> int:
    """Outcomes of predictions drawn evenly from all, in no order; how many."""
    step, rng = DAYS * DAY_US // predictions, np.random.default_rng(2)
    keys: list[str] = []
    for first in range(0, predictions, ROWS_A_FILE):
        rows = np.arange(first, min(first + ROWS_A_FILE, predictions))
        wanted = np.sort(rng.choice(len(rows), OUTCOMES * len(rows) // predictions, replace=False))
        keys += ids(rows, step).take(wanted).to_pylist()
    keys = [keys[place] for place in rng.permutation(len(keys)).tolist()]
    for first in range(0, len(keys), 1000):
        part = keys[first : first + 1000]
        n = len(part)
        frame = OutcomeFrame(at=START, endpoint=NAME, key=part, value=[1.0] * n, event_at=[START + DAYS * DAY_US] * n)
        control.append_now(frame)
    return len(keys)


def _forget_peak() -> None:
    """Begin the peak of memory anew, where the system lets a process do so (Linux)."""
    import gc

    gc.collect()
    pa.default_memory_pool().release_unused()
    Path("/proc/self/clear_refs").write_text("5")


def _peak_mib() -> int:
    for line in Path(f"/proc/{os.getpid()}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1024
    raise AssertionError


if __name__ == "__main__":
    main()
