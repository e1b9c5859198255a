"""How long lineage takes where there is much of it: `python -m benchmarks.lineage`.

One dataset, read by 10,000 runs, each registered as a version of one model, the last hundred of them in service. Asked:
a page's lineage of the dataset, the API's largest, what breaks if the dataset goes, and the lineage of one version.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from tenure.manage import impact, lineage
from tenure.records.lineage import Node
from tenure.settings import Settings
from tenure.store import driver, migrate
from tenure.store.database import Database, Transaction
from tenure.web import lineage as pages

RUNS = 10_000
SERVING = 100
REPEATS = 15
DATASET = Node(kind="dataset", id="loans@a1b2")


def fill(tx: Transaction) -> None:
    driver.execute(
        tx,
        "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage, creation_time,"
        " last_update_time) VALUES (1, 'risk', 'x', 'active', 0, 0)",
    )
    driver.execute(
        tx,
        "INSERT INTO datasets (dataset_id, experiment_id, name, digest, source_type, source)"
        " VALUES (1, 1, 'loans', 'a1b2', 'local', '{}')",
    )
    driver.execute(tx, "INSERT INTO registered_models (name, creation_time, last_updated_time) VALUES ('fraud', 0, 0)")
    numbers = range(1, RUNS + 1)
    driver.execute_many(
        tx,
        "INSERT INTO runs (run_id, experiment_id, name, user_id, status, start_time, artifact_uri, lifecycle_stage)"
        " VALUES (?, 1, 'forest', 'ann', 'FINISHED', ?, 'x', 'active')",
        [(f"{number:032x}", number) for number in numbers],
    )
    driver.execute_many(
        tx,
        "INSERT INTO run_inputs (run_id, dataset_id, tags) VALUES (?, 1, '[]')",
        [(f"{one:032x}",) for one in numbers],
    )
    driver.execute_many(
        tx,
        "INSERT INTO model_versions (name, version, user_id, current_stage, source, run_id, status, creation_time,"
        " last_updated_time, state) VALUES ('fraud', ?, 'ann', 'None', 'x', ?, 'READY', 0, 0, 'approved')",
        [(number, f"{number:032x}") for number in numbers],
    )
    serving = range(RUNS - SERVING + 1, RUNS + 1)
    driver.execute_many(
        tx,
        "INSERT INTO endpoints (name, model, created_at, created_by) VALUES (?, 'fraud', 0, 'ann')",
        [(f"e{number}",) for number in serving],
    )
    driver.execute_many(
        tx,
        "INSERT INTO releases (release_id, endpoint, model, version, role, share, reason, released_by, from_at)"
        " VALUES (?, ?, 'fraud', ?, 'champion', 1, '', 'ann', 0)",
        [(f"r{number}", f"e{number}", number) for number in serving],
    )


def took_ms(ask: Callable[[], object]) -> tuple[float, float]:
    """Median and largest of some calls, in milliseconds, after one that is not counted."""
    ask()
    found = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        ask()
        found.append((time.perf_counter() - began) * 1000)
    return statistics.median(found), max(found)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Settings(data=folder).database)
        migrate.to_newest(database)
        database.write(fill)
        version = Node(kind="version", id=f"fraud/{RUNS}")
        asked: dict[str, Callable[[Transaction], object]] = {
            "a page of the dataset, drawn": lambda tx: pages.shown(lineage.of(tx, DATASET, limit=pages.PAGE_NODES)),
            "the API's largest answer": lambda tx: lineage.of(tx, DATASET, limit=lineage.MOST_COUNT),
            "a page of one version, drawn": lambda tx: pages.shown(lineage.of(tx, version, limit=pages.PAGE_NODES)),
            "what breaks if the dataset goes": lambda tx: impact.of_node(tx, DATASET),
            "what breaks if one version goes": lambda tx: impact.of_node(tx, version),
        }
        table = Table(title=f"Lineage with {RUNS:,} runs and versions", title_justify="left", box=None)
        for column in ("asked", "median ms", "largest ms"):
            table.add_column(column, justify="left" if column == "asked" else "right")
        for name, ask in asked.items():
            median, largest = took_ms(lambda ask=ask: database.read(ask))
            table.add_row(name, f"{median:.1f}", f"{largest:.1f}")
        database.close()
    Console().print(table)


if __name__ == "__main__":
    main()
