"""How fast runs are found: `python -m benchmarks.searching`. Pages of 100 of `runs/search`, at three sizes.

MLflow's server is filled with the same runs, up to `PEERS_RUNS` of them.
"""

from __future__ import annotations

import os
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.client import API, Connection
from benchmarks.servers import Running, mlflow, tenure

SIZES = (1_000, 10_000, int(os.environ.get("TENURE_BENCH_RUNS", "50000")))
PEERS_RUNS = 10_000
SEARCHES = 40
PEERS_SEARCHES = 5
QUESTIONS: dict[str, dict[str, Any]] = {
    "newest": {},
    "filter, order by metric": {
        "filter": "metrics.auc > 0.5 AND params.model = 'forest'",
        "order_by": ["metrics.loss ASC"],
    },
    "rare filter, order by metric": {"filter": "params.depth = '7'", "order_by": ["metrics.auc DESC"]},
    "narrow range": {"filter": "metrics.auc > 0.999 AND tags.team = 'a'", "order_by": ["metrics.loss DESC"]},
    "broad filter, by start": {"filter": "tags.team != 'a' AND metrics.loss < 0.9"},
    "order by param": {"order_by": ["params.depth DESC", "metrics.auc"]},
}

WALKS: dict[str, dict[str, Any]] = {
    "filter, order by its metric": {
        "filter": "metrics.auc > 0.5 AND params.model = 'forest'",
        "order_by": ["metrics.auc ASC"],
    },
    "filter, order by another": {
        "filter": "metrics.auc > 0.5 AND params.model = 'forest'",
        "order_by": ["metrics.loss ASC"],
    },
}
"""Searches of which every page is asked for by its token, to the last."""


class MadeUp(NamedTuple):
    run_id: str
    name: str
    start_ms: int
    metrics: dict[str, float]
    params: dict[str, str]
    tags: dict[str, str]


def runs(count: int) -> Iterator[MadeUp]:
    draw = random.Random(1)
    for number in range(count):
        yield MadeUp(
            run_id=f"{draw.getrandbits(128):032x}",
            name=f"run-{number}",
            start_ms=1_700_000_000_000 + number,
            metrics={"auc": draw.random(), "loss": draw.random()},
            params={"model": draw.choice(["forest", "linear"]), "depth": str(draw.randrange(1000))},
            tags={"mlflow.runName": f"run-{number}", "team": draw.choice("abcdefgh")},
        )


def fill(database: Path, count: int) -> None:
    """Put runs into the database of a Tenure that does not run."""
    with sqlite3.connect(database) as connection:
        for run in runs(count):
            location = f"mlflow-artifacts:/0/{run.run_id}/artifacts"
            row = (run.run_id, run.name, run.start_ms, run.start_ms + 5, location)
            connection.execute(
                "INSERT INTO runs (run_id, experiment_id, name, user_id, status, start_time, end_time, artifact_uri,"
                " lifecycle_stage) VALUES (?, 0, ?, 'me', 'FINISHED', ?, ?, ?, 'active')",
                row,
            )
            _add(connection, run, "latest_metrics (run_id, key, value, timestamp, step) VALUES (?, ?, ?, ?, 1)")
    connection.close()


def fill_mlflow(database: Path, count: int) -> None:
    """The same runs for MLflow's server."""
    with sqlite3.connect(database) as connection:
        for run in runs(count):
            row = (run.run_id, run.name, run.start_ms, run.start_ms + 5, f"mlflow-artifacts:/0/{run.run_id}/artifacts")
            connection.execute(
                "INSERT INTO runs (run_uuid, experiment_id, name, user_id, status, start_time, end_time, artifact_uri,"
                " lifecycle_stage, source_type) VALUES (?, 0, ?, 'me', 'FINISHED', ?, ?, ?, 'active', 'LOCAL')",
                row,
            )
            _add(
                connection,
                run,
                "latest_metrics (run_uuid, key, value, timestamp, step, is_nan) VALUES (?, ?, ?, ?, 1, 0)",
                run_id="run_uuid",
            )
    connection.close()


def _add(connection: sqlite3.Connection, run: MadeUp, latest: str, run_id: str = "run_id") -> None:
    points = [(run.run_id, key, value, run.start_ms) for key, value in run.metrics.items()]
    connection.executemany(f"INSERT INTO {latest}", points)
    for table, pairs in (("params", run.params), ("tags", run.tags)):
        rows = [(run.run_id, key, value) for key, value in pairs.items()]
        connection.executemany(f"INSERT INTO {table} ({run_id}, key, value) VALUES (?, ?, ?)", rows)


def search_ms(connection: Connection, question: dict[str, Any], times: int) -> float:
    """Median milliseconds of a page of 100 runs."""
    asked = {"experiment_ids": ["0"], "max_results": 100, **question}
    request = connection.request(f"{API}runs/search", asked)
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        connection.exchange(request)
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken)


def walked_ms(server: Running, question: dict[str, Any]) -> str:
    """Median milliseconds of the first, the middle and the last page, each begun by the token of the one before."""
    connection, token = Connection(server.port), ""
    pages: list[dict[str, Any]] = []
    while token or not pages:
        pages.append({**question, "page_token": token} if token else question)
        found = connection.ask("runs/search", experiment_ids=["0"], max_results=100, **pages[-1])
        token = found.get("next_page_token", "")
    picked = (pages[0], pages[len(pages) // 2], pages[-1])
    return " / ".join(f"{search_ms(connection, page, SEARCHES):.1f}" for page in picked)


def answered(server: Running) -> Iterator[str]:
    times = PEERS_SEARCHES if server.is_peer else SEARCHES
    for question in QUESTIONS.values():
        yield f"{search_ms(Connection(server.port), question, times):.1f}"


def main() -> None:
    table = Table("server", "runs", *QUESTIONS, title="runs/search, a page of 100, median ms")
    walks = Table("server", "runs", *WALKS, title="The first / middle / last page of a search, median ms")
    for count in SIZES:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            with tenure(folder / "tenure"):
                pass
            fill(folder / "tenure" / "tenure.db", count)
            with tenure(folder / "tenure") as server:
                table.add_row(server.name, f"{count:,}", *answered(server))
                walks.add_row(server.name, f"{count:,}", *(walked_ms(server, one) for one in WALKS.values()))
            peer = mlflow(folder) if count <= PEERS_RUNS else None
            if peer is None:
                continue
            with peer:
                pass
            fill_mlflow(folder / "mlflow.db", count)
            again = mlflow(folder)
            assert again is not None
            with again as server:
                table.add_row(server.name, f"{count:,}", *answered(server))
    Console(width=150).print(table, walks)


if __name__ == "__main__":
    main()
