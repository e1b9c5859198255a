"""Whether logging stays fast as a server fills up: `python -m benchmarks.growth`.

One server has no metric points, the other ten million, of 1,000 runs with 10 keys each. Rates are taken in turns.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.servers import Running, tenure
from benchmarks.tracking import BATCHES, POINTS, at_once, batched, sequential
from tenure.build import runs
from tenure.records.tracking import MetricPoint
from tenure.store import metrics
from tenure.store.database import Database, Transaction

RUNS = int(os.environ.get("TENURE_BENCH_POINTS", "10000000")) // 10_000
KEYS = 10
STEPS = 1_000
REPEATS = 4


def fill(database: Database) -> None:
    for _ in track(range(RUNS), description=f"{RUNS * KEYS * STEPS:,} points", transient=True):
        database.write(_one_run)


def _one_run(tx: Transaction) -> None:
    made = runs.create(tx, "0", name=None, user_id="me", start_time=1, tags=[], now=1)
    for first in range(0, STEPS, 100):
        points = [
            MetricPoint(key=f"m{key}", value=step / 7, timestamp=step, step=step)
            for key in range(KEYS)
            for step in range(first, first + 100)
        ]
        metrics.add(tx, made.info.run_id, points)


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        folders = {"none": Path(place) / "none", f"{RUNS * KEYS * STEPS:,}": Path(place) / "many"}
        for folder in folders.values():
            with tenure(folder):
                pass
        file = Path(place) / "many" / "tenure.db"
        database, begun = Database(f"sqlite:///{file}"), time.perf_counter()
        fill(database)
        database.close()
        took = time.perf_counter() - begun
        with tenure(folders["none"]) as empty, tenure(Path(place) / "many") as full:
            found = {name: measured(name, [empty, full]) for name in MEASURES}
        table = Table(
            "points stored", *MEASURES, title=f"Logging as a server fills up ({file.stat().st_size / 1e6:,.0f} MB)"
        )
        for place_, name in enumerate(folders):
            table.add_row(name, *(f"{rates[place_]:,.0f} /s" for rates in found.values()))
        table.add_row("ratio", *(f"{rates[1] / rates[0]:.0%}" for rates in found.values()))
        console = Console(width=120)
        console.print(table)
        console.print(f"filled in {took:.0f} s, {RUNS * KEYS * STEPS / took:,.0f} points/s through the store")


MEASURES = {
    "log-metric": (sequential, POINTS),
    "log-metric, 8 connections": (at_once, POINTS * 4),
    "log-batch, metrics": (batched, BATCHES * 2),
}


def measured(name: str, servers: list[Running]) -> list[float]:
    """The best rate of each server, taken in turns."""
    take, count = MEASURES[name]
    rates = [[take(server, count) for server in servers] for _ in range(REPEATS)]
    return [max(column) for column in zip(*rates, strict=True)]


if __name__ == "__main__":
    main()
