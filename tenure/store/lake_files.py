"""Which files make up the lake. A file that is not registered here is not part of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from tenure.records.base import Instant
from tenure.store import tables
from tenure.store.database import Transaction

Kind = Literal["predictions", "shadows", "outcomes", "refusals", "overrides"]
_column = tables.lake_files.c


class LakeFile(msgspec.Struct, frozen=True, kw_only=True):
    """A Parquet file of the lake: what it holds of which endpoint, and between which event times and ids."""

    path: str
    kind: Kind
    endpoint: str
    row_count: int
    first_event_at: int
    last_event_at: int
    first_id: str
    last_id: str
    sha256: str | None = None
    """Of the file's bytes, in hex; None in files of older releases."""


def add(tx: Transaction, files: Sequence[LakeFile], now: Instant) -> None:
    """Make files part of the lake."""
    if files:
        rows = [{**msgspec.structs.asdict(file), "added_at": now, "replaced_at": None} for file in files]
        tx.execute(sa.insert(tables.lake_files), rows)


def between(tx: Transaction, endpoint: str, kind: Kind, from_at: int, until_at: int) -> list[LakeFile]:
    """Files that may hold rows with an event time in [from_at, until_at), earliest first."""
    query = _present(endpoint, kind).where(_column.first_event_at < until_at, _column.last_event_at >= from_at)
    return [_file(row) for row in tx.execute(query.order_by(_column.first_event_at, _column.path))]


def next_event_at(tx: Transaction, endpoint: str, from_at: int) -> int | None:
    """An instant at or before the event time of the first row at or after `from_at`; None when there is no such row."""
    query = sa.select(sa.func.min(_column.first_event_at)).where(
        _column.endpoint == endpoint,
        _column.kind.in_(["predictions", "shadows"]),
        _column.replaced_at.is_(None),
        _column.last_event_at >= from_at,
    )
    first: int | None = tx.execute(query).scalar_one()
    return first


def with_ids(tx: Transaction, endpoint: str, kind: Kind, first_id: str, last_id: str) -> list[LakeFile]:
    """Files that may hold prediction ids between two, both included."""
    query = _present(endpoint, kind).where(_column.first_id <= last_id, _column.last_id >= first_id)
    return [_file(row) for row in tx.execute(query.order_by(_column.path))]


def latest_first(tx: Transaction, endpoint: str, kind: Kind) -> list[LakeFile]:
    """Every file of an endpoint and kind, the one that reaches furthest in event time first."""
    query = _present(endpoint, kind).order_by(_column.last_event_at.desc(), _column.path)
    return [_file(row) for row in tx.execute(query)]


def crowded(tx: Transaction, below_rows: int, more_than: int) -> tuple[str, Kind] | None:
    """An endpoint and kind with more than so many files that have fewer than so many rows; None when there is none."""
    query = (
        sa.select(_column.endpoint, _column.kind)
        .where(_column.replaced_at.is_(None), _column.row_count < below_rows)
        .group_by(_column.endpoint, _column.kind)
        .having(sa.func.count() > more_than)
        .limit(1)
    )
    row = tx.execute(query).first()
    return (row.endpoint, row.kind) if row else None


def small(tx: Transaction, endpoint: str, kind: Kind, below_rows: int, limit: int) -> list[LakeFile]:
    """Files with fewer than so many rows, earliest event time first."""
    query = _present(endpoint, kind).where(_column.row_count < below_rows)
    return [_file(row) for row in tx.execute(query.order_by(_column.first_event_at, _column.path).limit(limit))]


def replace(tx: Transaction, merged: LakeFile, parts: Sequence[LakeFile], now: Instant) -> bool:
    """Put one file in the place of several; False, and nothing is done, when one of them is no longer there."""
    same = _column.path.in_([part.path for part in parts])
    changed = sa.update(tables.lake_files).where(same, _column.replaced_at.is_(None)).values(replaced_at=now)
    if tx.execute(changed).rowcount != len(parts):
        return False
    add(tx, [merged], now)
    return True


def replaced_before(tx: Transaction, instant: int) -> list[str]:
    """Paths of files that were merged into others before an instant.

    A file that the audit log tells of stays until the log tells what it was merged into.
    """
    merged = (_column.replaced_at < instant) & _column.told_at.is_(None)
    return list(tx.execute(sa.select(_column.path).where(merged)).scalars())


def forget(tx: Transaction, paths: Iterable[str]) -> None:
    """Drop files from the register, after they were deleted."""
    tx.execute(sa.delete(tables.lake_files).where(_column.path.in_(list(paths))))


def untold_since(tx: Transaction) -> dict[str, int]:
    """Endpoints with files that the audit log does not tell of yet, and since when the oldest of them is there."""
    query = sa.select(_column.endpoint, sa.func.min(_column.added_at)).where(_untold()).group_by(_column.endpoint)
    return {endpoint: int(since) for endpoint, since in tx.execute(query)}


def untold(tx: Transaction, endpoint: str, limit: int) -> list[LakeFile]:
    """Files of an endpoint that the audit log does not tell of yet, by path."""
    query = sa.select(tables.lake_files).where(_column.endpoint == endpoint, _untold())
    return [_file(row) for row in tx.execute(query.order_by(_column.path).limit(limit))]


def replaced_and_told(tx: Transaction, endpoint: str) -> list[LakeFile]:
    """Files that the audit log tells of and that were merged into others since, by path."""
    merged = (_column.endpoint == endpoint) & _column.replaced_at.is_not(None) & _column.told_at.is_not(None)
    return [_file(row) for row in tx.execute(sa.select(tables.lake_files).where(merged).order_by(_column.path))]


def all_told(tx: Transaction) -> dict[str, LakeFile]:
    """Every registered file that the audit log tells of, by path."""
    rows = tx.execute(sa.select(tables.lake_files).where(_column.told_at.is_not(None)))
    return {row.path: _file(row) for row in rows}


def mark_told(tx: Transaction, files: Sequence[LakeFile], merged: Sequence[LakeFile], now: Instant) -> None:
    """Note that the audit log tells of files, and of what replaced `merged`, which may be deleted from now on."""
    for file in files:
        told = {"told_at": now, "sha256": file.sha256}
        tx.execute(sa.update(tables.lake_files).where(_column.path == file.path).values(told))
    gone = _column.path.in_([file.path for file in merged])
    tx.execute(sa.update(tables.lake_files).where(gone).values(told_at=None))


def untold_count(tx: Transaction) -> int:
    """How many files the audit log does not tell of yet."""
    return int(tx.execute(sa.select(sa.func.count()).select_from(tables.lake_files).where(_untold())).scalar_one())


def row_counts(tx: Transaction, endpoint: str) -> dict[str, int]:
    """Rows of each kind that the lake holds of an endpoint."""
    query = (
        sa.select(_column.kind, sa.func.sum(_column.row_count))
        .where(_column.endpoint == endpoint, _column.replaced_at.is_(None))
        .group_by(_column.kind)
    )
    return {kind: int(rows) for kind, rows in tx.execute(query)}


def _untold() -> sa.ColumnElement[bool]:
    return _column.told_at.is_(None) & _column.replaced_at.is_(None)


def _present(endpoint: str, kind: Kind) -> sa.Select[Any]:
    chosen = sa.select(tables.lake_files)
    return chosen.where(_column.endpoint == endpoint, _column.kind == kind, _column.replaced_at.is_(None))


def _file(row: Any) -> LakeFile:
    return LakeFile(
        path=row.path,
        kind=row.kind,
        endpoint=row.endpoint,
        row_count=row.row_count,
        first_event_at=row.first_event_at,
        last_event_at=row.last_event_at,
        first_id=row.first_id,
        last_id=row.last_id,
        sha256=row.sha256,
    )
