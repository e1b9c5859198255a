"""Signed checkpoints of the audit log as stored. They are never changed and never removed: one a day is small."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from tenure.records.audit import Checkpoint
from tenure.store import tables
from tenure.store.database import Transaction

_column = tables.audit_checkpoints.c


def add(tx: Transaction, checkpoint: Checkpoint) -> None:
    """Store a checkpoint; there is one for each size at most."""
    tx.execute(sa.insert(tables.audit_checkpoints).values(**msgspec.structs.asdict(checkpoint)))


def newest(tx: Transaction) -> Checkpoint | None:
    """The checkpoint that saw the most events; None when there is none."""
    row = tx.execute(sa.select(tables.audit_checkpoints).order_by(_column.size.desc()).limit(1)).first()
    return _checkpoint(row) if row else None


def above(tx: Transaction, size: int = -1, limit: int = 100_000) -> list[Checkpoint]:
    """Checkpoints that saw more than so many events, the smallest first."""
    query = sa.select(tables.audit_checkpoints).where(_column.size > size).order_by(_column.size).limit(limit)
    return [_checkpoint(row) for row in tx.execute(query)]


def _checkpoint(row: Any) -> Checkpoint:
    return Checkpoint(size=row.size, head=row.head, at=row.at, key_id=row.key_id, envelope=row.envelope)
