"""How fast tracking is: `python -m benchmarks.tracking`.

Client and requests are the same for all servers, each request is encoded beforehand, and repeats alternate, so that a
busy machine hits all. A figure is the best of its repeats. What is beside Tenure stands in `benchmarks.servers`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.client import API, Connection, flood
from benchmarks.servers import FLOOR, Running, beside_mlflow, on_disk

REPEATS = 3
POINTS, BATCHES, RUNS = 2000, 20, 200
BATCH = 1000
CONNECTIONS = 8
HISTORY = 100_000
PEERS_SHARE = 20


class Measure(NamedTuple):
    name: str
    unit: str
    take: Callable[[Running, int], float]
    count: int
    higher_is_better: bool = True
    without: tuple[str, ...] = ()


def point(connection: Connection, run_id: str, key: str, step: int) -> bytes:
    now = time.time_ns() // 1_000_000
    fields = {"run_id": run_id, "key": key, "value": step / 7, "timestamp": now, "step": step}
    return connection.request(f"{API}runs/log-metric", fields)


def batch(connection: Connection, run_id: str, number: int) -> bytes:
    now = time.time_ns() // 1_000_000
    points = [
        {"key": f"m{place % 10}", "value": place / 3, "timestamp": now + place, "step": number * BATCH + place}
        for place in range(BATCH)
    ]
    return connection.request(f"{API}runs/log-batch", {"run_id": run_id, "metrics": points})


def new_run(connection: Connection) -> str:
    return str(connection.ask("runs/create", experiment_id="0", start_time=1)["run"]["info"]["run_id"])


def sequential(server: Running, count: int) -> float:
    connection = Connection(server.port)
    run_id = new_run(connection)
    return connection.per_second([point(connection, run_id, "loss", step) for step in range(count)])


def at_once(server: Running, count: int) -> float:
    return flood(server.port, _points(server, count), CONNECTIONS).per_second


def slowest(server: Running, count: int) -> float:
    return flood(server.port, _points(server, count), CONNECTIONS).p99_ms


def _points(server: Running, count: int) -> list[bytes]:
    connection = Connection(server.port)
    run_id = new_run(connection)
    return [point(connection, run_id, f"loss{step % CONNECTIONS}", step) for step in range(count)]


def batched(server: Running, count: int) -> float:
    connection = Connection(server.port)
    run_id = new_run(connection)
    return BATCH * connection.per_second([batch(connection, run_id, number) for number in range(count)])


def whole_runs(server: Running, count: int) -> float:
    """Runs of 5 tags, 10 params and 10 metrics: one request creates it, one brings the rest."""
    connection = Connection(server.port)
    tags = [{"key": f"tag{place}", "value": "told"} for place in range(5)]
    params = [{"key": f"param{place}", "value": f"{place}"} for place in range(10)]
    metrics = [{"key": f"m{place}", "value": place / 3, "timestamp": 1, "step": 0} for place in range(10)]
    begun = time.perf_counter()
    for number in range(count):
        made = connection.ask("runs/create", experiment_id="0", start_time=number, tags=tags)
        connection.ask("runs/log-batch", run_id=made["run"]["info"]["run_id"], params=params, metrics=metrics)
    return count / (time.perf_counter() - begun)


def history(server: Running, count: int) -> float:
    """Seconds until all points of one key are here."""
    connection = Connection(server.port)
    run_id = new_run(connection)
    for first in range(0, count, BATCH):
        points = [{"key": "loss", "value": at / 7, "timestamp": at, "step": at} for at in range(first, first + BATCH)]
        connection.ask("runs/log-batch", run_id=run_id, metrics=points)
    seconds = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        connection.get(f"{API}metrics/get-history?run_id={run_id}&metric_key=loss")
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


MEASURES = (
    Measure("log-metric, one connection", "/s", sequential, POINTS),
    Measure(f"log-metric, {CONNECTIONS} connections", "/s", at_once, POINTS * 4),
    Measure("its slowest of a hundred", "ms", slowest, POINTS * 4, higher_is_better=False),
    Measure(f"log-batch of {BATCH:,} metrics", "metrics/s", batched, BATCHES),
    Measure("run with 10 params, 10 metrics, 5 tags", "runs/s", whole_runs, RUNS),
    Measure(f"history of {HISTORY:,} points", "s", history, HISTORY, higher_is_better=False, without=(FLOOR,)),
)


def taken(measure: Measure, servers: list[Running]) -> dict[str, float]:
    """The best figure of each server."""
    asked = [server for server in servers if server.name not in measure.without]
    repeats = 1 if measure.take is history else REPEATS  # it repeats by itself what is worth repeating
    figures: dict[str, list[float]] = {server.name: [] for server in asked}
    for _ in range(repeats):
        for server in asked:
            share = PEERS_SHARE if server.is_peer and measure.take is not history else 1
            figures[server.name].append(measure.take(server, max(2, measure.count // share)))
    better = max if measure.higher_is_better else min
    return {name: better(found) for name, found in figures.items()}


def main() -> None:
    for opened in (beside_mlflow, on_disk):  # one after the other: servers that wait take their share of a machine too
        with opened() as servers:
            report(servers)


def report(servers: list[Running]) -> None:
    ours, peers = servers[1], [server.name for server in servers if server.is_peer]
    ratios = [f"{ours.name} of the floor", *(f"{ours.name} × {peer}" for peer in peers)]
    table = Table("what", *(server.name for server in servers), *ratios, title="Tracking")
    for measure in MEASURES:
        found = taken(measure, servers)
        shown = [_shown(found.get(server.name), measure.unit) for server in servers]
        better = [_ratio(found, ours.name, other, measure.higher_is_better) for other in (FLOOR, *peers)]
        floor = f"{better[0]:.0%}" if better[0] else ""
        table.add_row(measure.name, *shown, floor, *(f"{one:.0f} ×" if one else "" for one in better[1:]))
    Console(width=150).print(table)


def _ratio(found: dict[str, float], ours: str, other: str, higher_is_better: bool) -> float | None:
    if other not in found:
        return None
    return found[ours] / found[other] if higher_is_better else found[other] / found[ours]


def _shown(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


if __name__ == "__main__":
    main()
