"""Metric points and the latest of each key. These statements run for every metric, so they go to the driver."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from tenure.records.tracking import Metric, MetricPoint, number
from tenure.store import driver
from tenure.store.database import Transaction

POINTS_AT_ONCE = 5000
AS_DOUBLE, AS_INTEGER = struct.Struct("<d").pack, struct.Struct("<q").unpack
# NaN is stored as NULL and compares as 0: the latest is the greatest (step, timestamp, value), whatever came last.
LATEST = "INSERT INTO latest_metrics (run_id, key, value, timestamp, step)"
UNLESS_LATER = (
    " ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value, timestamp = excluded.timestamp,"
    " step = excluded.step WHERE (excluded.step, excluded.timestamp, COALESCE(excluded.value, 0.0))"
    " > (latest_metrics.step, latest_metrics.timestamp, COALESCE(latest_metrics.value, 0.0))"
)
KEEP_LATEST = f"{LATEST} VALUES (?, ?, ?, ?, ?){UNLESS_LATER}"
RAISE_LATEST_OF_ACTIVE = (
    "UPDATE latest_metrics SET value = ?, timestamp = ?, step = ? WHERE run_id = ? AND key = ?"
    " AND (step, timestamp, COALESCE(value, 0.0)) < (?, ?, ?)"
    " AND EXISTS (SELECT 1 FROM runs WHERE run_id = latest_metrics.run_id AND lifecycle_stage = 'active')"
    " RETURNING series_id"
)
SERIES_OF = "SELECT series_id FROM latest_metrics WHERE run_id = ? AND key = ?"
POINT = "metrics (series_id, step, timestamp, identity, value)"
POINT_KINDS = ("bigint", "bigint", "bigint", "bigint", "double precision")
ADD_POINT = f"INSERT INTO {POINT} VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"  # noqa: S608 - a constant
# Few points say which model or dataset they are about, and SQLite's driver takes its time over every None.
ADD_POINT_ABOUT = (
    "INSERT INTO metrics (series_id, step, timestamp, identity, value, model_id, dataset_name, dataset_digest)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
OF_SERIES = f" FROM metrics WHERE series_id = ({SERIES_OF})"
ADD_MODEL_POINT = (
    "INSERT INTO logged_model_metrics (model_id, key, timestamp, step, run_id, value, dataset_name, dataset_digest)"
    " SELECT ?, ?, ?, ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM logged_models WHERE model_id = ?)"
    " ON CONFLICT DO NOTHING"
)


def add_next(tx: Transaction, run_id: str, point: MetricPoint) -> bool:
    """Store a point that follows the latest one of its key in an active run; else do nothing and say no.

    A training loop waits for each such point, so the run is looked at by the same statement.
    """
    value, timestamp, step = stored(point.value), point.timestamp, point.step
    places = (value, timestamp, step, run_id, point.key, step, timestamp, value or 0.0)
    found = driver.execute(tx, RAISE_LATEST_OF_ACTIVE, places).fetchone()
    if found is not None:
        _add_point(tx, run_id, found[0], point, value)
    return found is not None


def _add_point(tx: Transaction, run_id: str, series: int, point: MetricPoint, value: float | None) -> None:
    row = (series, point.step, point.timestamp, _bits_of(point.value), value)
    if point.model_id or point.dataset_name:
        driver.execute(tx, ADD_POINT_ABOUT, (*row, point.model_id, point.dataset_name, point.dataset_digest))
    else:
        driver.execute(tx, ADD_POINT, row)
    if point.model_id:
        driver.execute(tx, ADD_MODEL_POINT, _of_model(run_id, point))


def add(tx: Transaction, run_id: str, points: Sequence[MetricPoint]) -> None:
    """Store points of a run; a point that is there already is left alone. 1000 points cost about 2 ms."""
    latest: dict[str, tuple[tuple[int, int, float], driver.Row]] = {}
    for point in points:
        kept = stored(point.value)
        rank = (point.step, point.timestamp, kept or 0.0)
        known = latest.get(point.key)
        if known is None or known[0] < rank:
            latest[point.key] = rank, (run_id, point.key, kept, point.timestamp, point.step)
    # In the order of their keys, so that no two transactions wait for each other.
    driver.execute_many(tx, KEEP_LATEST, [latest[key][1] for key in sorted(latest)])
    series = _series(tx, run_id, list(latest))
    identities = bits([point.value for point in points])
    plain: list[driver.Row] = []
    about: list[driver.Row] = []
    for point, identity in zip(points, identities, strict=True):
        row = (series[point.key], point.step, point.timestamp, identity, stored(point.value))
        if point.model_id or point.dataset_name:
            about.append((*row, point.model_id, point.dataset_name, point.dataset_digest))
        else:
            plain.append(row)
    # In the order of their table, which is faster too.
    driver.add_rows(tx, POINT, POINT_KINDS, sorted(plain, key=_place))
    driver.execute_many(tx, ADD_POINT_ABOUT, sorted(about, key=_place))
    driver.execute_many(tx, ADD_MODEL_POINT, [_of_model(run_id, point) for point in points if point.model_id])


def _place(row: driver.Row) -> driver.Row:
    return row[:4]


def _series(tx: Transaction, run_id: str, keys: Sequence[str]) -> dict[str, int]:
    found = driver.execute(
        tx,
        f"SELECT key, series_id FROM latest_metrics WHERE run_id = ? AND key IN ({driver.marks(len(keys))})",  # noqa: S608 - places
        (run_id, *keys),
    )
    return dict(found.fetchall())


def bits(values: Sequence[float]) -> tuple[int, ...]:
    """The bits of each value as a signed integer: what tells one point from another; every NaN is the same.

    >>> bits([0.0, 1.0])
    (0, 4607182418800017408)
    """
    alike = [value if value == value else math.nan for value in values]  # noqa: PLR0124 - false for NaN alone
    return struct.unpack(f"<{len(alike)}q", struct.pack(f"<{len(alike)}d", *alike))


def _bits_of(value: float) -> int:
    """`bits` of a single value, for which packing a tuple would cost more than all else."""
    number: int = AS_INTEGER(AS_DOUBLE(value if value == value else math.nan))[0]  # noqa: PLR0124 - false for NaN alone
    return number


def stored(value: float) -> float | None:
    """How a value is kept: NaN as NULL."""
    return value if value == value else None  # noqa: PLR0124 - false for NaN alone


def _of_model(run_id: str, point: MetricPoint) -> driver.Row:
    return (
        point.model_id,
        point.key,
        point.timestamp,
        point.step,
        run_id,
        stored(point.value),
        point.dataset_name,
        point.dataset_digest,
        point.model_id,
    )


def history(tx: Transaction, run_id: str, key: str, limit: int | None, offset: int) -> list[Metric]:
    """Points of one key by timestamp, step, value."""
    found = driver.execute(
        tx,
        f"SELECT value, timestamp, step, model_id, dataset_name, dataset_digest{OF_SERIES}"
        " ORDER BY timestamp, step, COALESCE(value, 0.0) LIMIT ? OFFSET ?",
        (run_id, key, 2**62 if limit is None else limit, offset),
    )
    return [
        Metric(
            key=key,
            value=number(value),
            timestamp=timestamp,
            step=step,
            dataset_name=dataset_name,
            dataset_digest=dataset_digest,
            model_id=model_id,
        )
        for value, timestamp, step, model_id, dataset_name, dataset_digest in found.fetchall()
    ]


def points(tx: Transaction, run_id: str, key: str, most: int) -> Iterator[Sequence[tuple[int, int, float]]]:
    """Points of one key as (step, timestamp, value) by step, some thousands at a time; NaN comes as infinity."""
    found = driver.execute(
        tx,
        f"SELECT step, timestamp, COALESCE(value, ?){OF_SERIES} ORDER BY step, timestamp LIMIT ?",
        (math.inf, run_id, key, most),
    )
    while rows := found.fetchmany(POINTS_AT_ONCE):
        yield rows


def steps(tx: Transaction, run_id: str, key: str, low: int, high: int) -> Sequence[int]:
    """The steps of one key from `low` to `high`, each once, rising.

    Steps that are evenly spaced, as a training loop's are, come as a range and never leave the database: of a million
    points that costs 0.13 s where a list of them costs 1 s.
    """
    within = f"{OF_SERIES} AND step BETWEEN ? AND ?"
    values = (run_id, key, low, high)

    def told(what: str) -> int | None:
        found: int | None = driver.execute(tx, what, values).fetchone()[0]
        return found

    # Each by itself: so the ends are looked up in the index, and the count walks it without remembering what it saw.
    first, last = told(f"SELECT MIN(step){within}"), told(f"SELECT MAX(step){within}")
    if first is None or last is None:
        return ()
    count = told(f"SELECT COUNT(*) FROM (SELECT DISTINCT step{within}) AS each_once") or 1  # noqa: S608 - a constant
    stride, rest = divmod(last - first, count - 1) if count > 1 else (1, 0)
    if not rest and last - first < 2**63:
        between = f"SELECT 1{within} AND (step - ?) % ? != 0 LIMIT 1"
        if stride == 1 or driver.execute(tx, between, (*values, first, stride)).fetchone() is None:
            return range(first, last + 1, stride)
    return [row[0] for row in driver.execute(tx, f"SELECT DISTINCT step{within} ORDER BY step", values).fetchall()]


def at_steps(tx: Transaction, run_id: str, key: str, wanted: Sequence[int], limit: int) -> list[Metric]:
    """Points of one key at the wanted steps by step, timestamp and value; evenly thinned to `limit` if there are more.

    The first and the last of them are always told.
    """
    rows = driver.execute(
        tx,
        "SELECT value, timestamp, step FROM (SELECT value, timestamp, step, COUNT(*) OVER () AS total, ROW_NUMBER()"  # noqa: S608 - places
        " OVER (ORDER BY step, timestamp, COALESCE(value, 0.0)) AS place"
        f"{OF_SERIES} AND step IN ({driver.marks(len(wanted))})) AS ranked"
        " WHERE (place - 1) * ? % total < ? OR place = total ORDER BY place",
        (run_id, key, *wanted, limit, limit),
    )
    return [
        Metric(key=key, value=number(value), timestamp=timestamp, step=step, run_id=run_id)
        for value, timestamp, step in rows.fetchall()
    ]


def count(tx: Transaction, run_id: str) -> tuple[int, int]:
    """How many points and how many keys a run has."""
    points = driver.execute(
        tx, "SELECT COUNT(*) FROM latest_metrics JOIN metrics USING (series_id) WHERE run_id = ?", (run_id,)
    ).fetchone()[0]
    keys = driver.execute(tx, "SELECT COUNT(*) FROM latest_metrics WHERE run_id = ?", (run_id,)).fetchone()[0]
    return int(points), int(keys)


def each(tx: Transaction, run_id: str) -> Iterator[Any]:
    """Every point of a run by key, step and timestamp: (key, timestamp, step, identity)."""
    yield from driver.execute(
        tx,
        "SELECT s.key, m.timestamp, m.step, m.identity FROM latest_metrics s JOIN metrics m USING (series_id)"
        " WHERE s.run_id = ? ORDER BY s.key, m.step, m.timestamp, m.identity",
        (run_id,),
    )
