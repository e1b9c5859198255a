"""Kills as stored. A kill stands while its `lifted_at` is empty; what was is never changed, only ended."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from tenure.records.base import Instant
from tenure.records.kills import Kill
from tenure.store import tables
from tenure.store.database import Transaction

_column = tables.kills.c


def add(tx: Transaction, kill: Kill) -> None:
    """Store a kill that begins to stand."""
    tx.execute(
        sa.insert(tables.kills).values(
            kill_id=kill.kill_id,
            endpoint=kill.endpoint,
            version=kill.version,
            reason=kill.reason,
            killed_by=kill.killed_by,
            killed_at=kill.killed_at,
        )
    )


def lift(tx: Transaction, kill_id: str, *, reason: str, by: str, now: Instant) -> None:
    """End a kill that stands."""
    standing = (_column.kill_id == kill_id) & _column.lifted_at.is_(None)
    tx.execute(sa.update(tables.kills).where(standing).values(lifted_by=by, lifted_at=now, lift_reason=reason))


def get(tx: Transaction, kill_id: str) -> Kill | None:
    row = tx.execute(sa.select(tables.kills).where(_column.kill_id == kill_id)).first()
    return _kill(row) if row else None


def standing(tx: Transaction, *, endpoint: str | None = None) -> list[Kill]:
    """Kills that stand, at one endpoint or at all, oldest first."""
    query = sa.select(tables.kills).where(_column.lifted_at.is_(None))
    if endpoint is not None:
        query = query.where(_column.endpoint == endpoint)
    return [_kill(row) for row in tx.execute(query.order_by(_column.killed_at, _column.kill_id))]


def history(tx: Transaction, endpoint: str) -> list[Kill]:
    """Every kill that an endpoint ever had, newest first."""
    query = sa.select(tables.kills).where(_column.endpoint == endpoint)
    return [_kill(row) for row in tx.execute(query.order_by(_column.killed_at.desc(), _column.kill_id.desc()))]


def _kill(row: Any) -> Kill:
    return Kill(**row._mapping)
