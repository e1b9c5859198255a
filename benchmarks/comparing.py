"""A table beside a stored reference, without a server: `python -m benchmarks.comparing [--rows N …] [--repeats N]`.

Fifty columns (forty numbers, ten of levels) in Parquet. The command is `tenure monitor compare` in a process of its
own, so its time holds the start of Python, every import, reading, counting and PSI, KS and χ² of all columns. Beside
it, in the same way: a bare pass of numpy (read, sort, look up the edges, count levels: no statistics, no missing
values), and Evidently's preset, where `TENURE_BENCH_EVIDENTLY` names the Python of an environment that has it (one run,
since it takes a minute). Then the same job with more rows, to see whether time stays linear and memory bounded.

Wall time is the best of a few; processor time stands beside it, since other work on the machine lengthens the first.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.experiments import Grid, show

NUMBERS, LEVELS = 40, (3, 10, 100, 1000)
PIECE_ROWS = 250_000
ROWS = 1_000_000
GROWING = (1_000_000, 2_000_000, 5_000_000)
REPEATS = 3

BARE = """
import sys
import numpy as np, pyarrow.parquet as pq
names = pq.read_schema(sys.argv[1]).names
edges = np.quantile(np.random.default_rng(1).normal(size=10_000), np.arange(1, 256) / 256)
file = pq.ParquetFile(sys.argv[1], read_dictionary=[name for name in names if name[0] == "c"], buffer_size=262_144)
for batch in file.iter_batches(65_536):
    for name, column in zip(names, batch.columns):
        if name[0] == "c":
            np.bincount(column.indices.to_numpy())
        else:
            np.diff(np.searchsorted(np.sort(column.to_numpy()), edges))
"""
EVIDENTLY = """
import sys
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset
reference, current = pd.read_parquet(sys.argv[1]), pd.read_parquet(sys.argv[2])
Report([DataDriftPreset()]).run(current, reference)
"""
WRITE = """
import sys
from pathlib import Path
from benchmarks import comparing
comparing.write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
"""
WITHOUT_IMPORTS = """
import sys, time
from pathlib import Path
from tenure.monitor import comparing
import pyarrow.compute, pyarrow.parquet, scipy.special
from tenure.stats import distances
began = time.perf_counter()
comparing.compare(comparing.reference_of(Path(sys.argv[1])), Path(sys.argv[2]))
print(time.perf_counter() - began)
"""


class Run(NamedTuple):
    """What a process took; memory is its largest resident set."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    said: str = ""


def pieces(rows: int, seed: int) -> Iterator[pa.Table]:
    """A table of any size, a piece at a time; columns are normal, skewed, whole and of 32 bits in turn."""
    rng = np.random.default_rng(seed)
    names = [pa.array([f"level {place}" for place in range(count)]) for count in LEVELS]
    for start in range(0, rows, PIECE_ROWS):
        size = min(PIECE_ROWS, rows - start)
        columns: dict[str, object] = {}
        for place in range(NUMBERS):
            kind = place % 4
            columns[f"n{place}"] = (
                rng.normal(size=size)
                if kind == 0
                else rng.lognormal(0, 1, size)
                if kind == 1
                else rng.integers(0, 1000, size)
                if kind == 2
                else rng.random(size, np.float32)
            )
        for place in range(10):
            levels = names[place % 4]
            codes = pa.array(rng.integers(0, len(levels), size).astype(np.int32))
            columns[f"c{place}"] = pa.DictionaryArray.from_arrays(codes, levels).cast(pa.string())
        yield pa.table(columns)


def write(path: Path, rows: int, seed: int) -> Path:
    writer = None
    for piece in pieces(rows, seed):
        writer = writer or pq.ParquetWriter(path, piece.schema)
        writer.write_table(piece)
    assert writer is not None
    writer.close()
    return path


def written(path: Path, rows: int, seed: int) -> Path:
    """As `write`, in a process of its own: what is large here would count as the memory of what is started later."""
    subprocess.run([sys.executable, "-c", WRITE, str(path), str(rows), str(seed)], check=True)
    return path


def run(arguments: list[str], *, may_drift: bool = True) -> Run:
    """A process's own figures. Raises for another exit status than 0, or 1 where drift may be found."""
    began = time.perf_counter()
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    said, complained = process.stdout.read(), process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in ((0, 1) if may_drift else (0,)):
        raise RuntimeError(f"{arguments[:4]} ended with {process.returncode}: {complained.decode()[-500:]}")
    return Run(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said.decode())


def best(arguments: list[str], repeats: int) -> Run:
    runs = [run(arguments) for _ in range(repeats)]
    return Run(min(one.wall_s for one in runs), min(one.cpu_s for one in runs), max(one.peak_mb for one in runs))


def compare(reference: Path, current: Path) -> list[str]:
    return [sys.executable, "-m", "tenure", "monitor", "compare", str(reference), str(current), "--format", "json"]


def grids(growing: Sequence[int] = GROWING, repeats: int = REPEATS) -> Iterator[Grid]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        after, stored = written(folder / "after.parquet", ROWS, 2), folder / "reference.json"
        yield beside(folder, stored, after, repeats)
        yield grown(folder, stored, after, growing, repeats)


def beside(folder: Path, stored: Path, after: Path, repeats: int) -> Grid:
    """The command, a bare pass, and Evidently where it is known; stores the reference."""
    before = written(folder / "before.parquet", ROWS, 1)
    run([sys.executable, "-m", "tenure", "monitor", "profile", str(before), "-o", str(stored)], may_drift=False)
    ours = best(compare(stored, after), repeats)
    within = [sys.executable, "-c", WITHOUT_IMPORTS, str(stored), str(after)]
    without = min(float(run(within).said) for _ in range(repeats))
    bare = best([sys.executable, "-c", BARE, str(after)], repeats)
    rows = [
        _row("tenure monitor compare, whole process", ours, ours),
        ("the same, without Python's start and imports", f"{without:.2f}", "", "", ""),
        _row("bare numpy, one thread, no statistics", bare, ours),
    ]
    evidently = os.environ.get("TENURE_BENCH_EVIDENTLY")
    if evidently:
        theirs = run([evidently, "-c", EVIDENTLY, str(before), str(after)], may_drift=False)
        rows.append(_row("Evidently, its drift preset", theirs, ours))
    return Grid(f"{ROWS:,} × 50 from Parquet", ("what", "wall, s", "processor, s", "peak, MB", "× ours"), rows)


def grown(folder: Path, stored: Path, after: Path, growing: Sequence[int], repeats: int) -> Grid:
    """The command with more and more rows."""
    rows = []
    for count in growing:
        file = after if count == ROWS else written(folder / "grown.parquet", count, 3)
        took = best(compare(stored, file), 1 if count > ROWS else repeats)
        per_million = f"{took.cpu_s / count * 1e6:.2f}"
        rows.append((f"{count:,}", f"{took.wall_s:.2f}", f"{took.cpu_s:.2f}", per_million, f"{took.peak_mb:.0f}"))
    return Grid("More rows", ("rows", "wall, s", "processor, s", "processor, s a million", "peak, MB"), rows)


def _row(what: str, took: Run, ours: Run) -> tuple[str, ...]:
    ratio = f"{took.wall_s / ours.wall_s:.1f}"
    return what, f"{took.wall_s:.2f}", f"{took.cpu_s:.2f}", f"{took.peak_mb:.0f}", ratio


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rows", type=int, nargs="*", default=list(GROWING), help="sizes for the second table")
    asked.add_argument("--repeats", type=int, default=REPEATS)
    given = asked.parse_args()
    for grid in grids(given.rows, given.repeats):
        show(grid)


if __name__ == "__main__":
    main()
