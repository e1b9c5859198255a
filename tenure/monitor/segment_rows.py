"""The rows behind a weak segment: which they are, and the query that finds them in the lake with any tool."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tenure.errors import NotFound
from tenure.monitor.progress import lake_of
from tenure.monitor.rows import Rows, load
from tenure.monitor.weak_segments import condition_of
from tenure.records.base import iso
from tenure.records.weaknesses import GroupCondition, WeakSegment
from tenure.records.windows import Window
from tenure.stats import weakness
from tenure.store import windows
from tenure.store.ground import Ground


@dataclass(frozen=True)
class Behind:
    """A segment of a window with its rows, and only the columns that define it; `query` is SQL for DuckDB."""

    window: Window
    segment: WeakSegment
    rows: Rows
    query: str


def behind(ground: Ground, endpoint: str, start_at: int, version: int, role: str, number: int) -> Behind:
    """The rows of a window's segment, by its place from 0 on. Raises NotFound."""
    with ground.database.reading() as tx:
        found = windows.search(
            tx, endpoint, version=version, role=role, from_at=start_at, until_at=start_at + 1, limit=1
        )
        if not found or not 0 <= number < len(found[0].weakest):
            raise NotFound(f"Endpoint {endpoint!r} has no window with such a segment; its page lists those there are.")
        window, segment = found[0], found[0].weakest[number]
        names = [one.column for one in segment.conditions]
        shadow = role == "shadow"
        rows = load(tx, lake_of(ground), endpoint, window.start_at, window.end_at, shadow=shadow, features=names)
    mine = (rows.version == version) & (rows.role == role) & rows.known
    held = weakness.rows_with([condition_of(one) for one in segment.conditions], rows.columns, len(rows))
    return Behind(window, segment, rows.where(np.asarray(mine & held)), query_of(window, segment))


def query_of(window: Window, segment: WeakSegment) -> str:
    """SQL that finds the rows, run with DuckDB in the data folder.

    Files that were merged and are about to be deleted may be read twice: `distinct on` keeps one of each prediction.
    """
    conditions = [
        f"event_at >= '{iso(window.start_at)}' and event_at < '{iso(window.end_at)}'",
        f"version = {window.version}",
        f"role = '{window.role}'",
        *(_where(one) for one in segment.conditions),
    ]
    source = f"lake/predictions/endpoint={window.endpoint}/**/*.parquet"
    return (
        f"select distinct on (prediction_id) * from read_parquet('{source}', union_by_name = true)\n"  # noqa: S608 - shown to people, run by no server
        f"where {' and '.join(conditions)}"
    )


def _where(one: GroupCondition) -> str:
    name = '"f_' + one.column.replace('"', '""') + '"'
    if one.level == weakness.MISSING:
        return f"{name} is null"
    if one.level is not None:
        return f"cast({name} as varchar) = '{one.level.replace(chr(39), chr(39) * 2)}'"
    ends = ([f"{name} >= {one.low!r}"] if one.low is not None else []) + (
        [f"{name} < {one.high!r}"] if one.high is not None else []
    )
    return " and ".join(ends) or f"{name} is not null"
