"""How far each segment of the journal has been taken into the lake."""

from __future__ import annotations

import sqlalchemy as sa

from tenure.errors import Conflict
from tenure.store import tables
from tenure.store.database import Transaction

_column = tables.journal_cursors.c


def all_of(tx: Transaction) -> dict[str, int]:
    """Bytes taken in of every segment that is known, by its path relative to the journal."""
    return {row.segment: row.offset_bytes for row in tx.execute(sa.select(_column.segment, _column.offset_bytes))}


def move(tx: Transaction, segment: str, *, from_bytes: int, to_bytes: int) -> None:
    """Move a cursor on. Raises Conflict when it is not where the caller found it: another worker was there."""
    if from_bytes == 0 and not _known(tx, segment):
        tx.execute(sa.insert(tables.journal_cursors).values(segment=segment, offset_bytes=to_bytes))
        return
    here = sa.update(tables.journal_cursors).where(_column.segment == segment, _column.offset_bytes == from_bytes)
    if tx.execute(here.values(offset_bytes=to_bytes)).rowcount != 1:
        raise Conflict(f"Segment {segment!r} of the journal was taken in by another worker; nothing was stored twice.")


def forget(tx: Transaction, segments: list[str]) -> None:
    """Drop the cursors of segments that are gone."""
    tx.execute(sa.delete(tables.journal_cursors).where(_column.segment.in_(segments)))


def _known(tx: Transaction, segment: str) -> bool:
    return tx.execute(sa.select(_column.segment).where(_column.segment == segment)).first() is not None
