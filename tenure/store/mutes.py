"""Mutes as stored: which alerts nobody is told of, until when."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from tenure.records.base import Instant
from tenure.records.incidents import Mute
from tenure.store import tables
from tenure.store.database import Transaction

_column = tables.alert_mutes.c


def insert(tx: Transaction, mute: Mute) -> None:
    tx.execute(sa.insert(tables.alert_mutes).values(**msgspec.structs.asdict(mute)))


def end(tx: Transaction, mute_id: str, *, by: str, now: Instant) -> None:
    """Note that somebody ended a mute before its time."""
    same = _column.mute_id == mute_id
    tx.execute(sa.update(tables.alert_mutes).where(same).values(ended_at=now, ended_by=by))


def get(tx: Transaction, mute_id: str) -> Mute | None:
    row = tx.execute(sa.select(tables.alert_mutes).where(_column.mute_id == mute_id)).first()
    return _mute(row) if row else None


def in_force(tx: Transaction, endpoint: str, now: Instant) -> list[Mute]:
    """The mutes of an endpoint that hold now, the newest first."""
    query = sa.select(tables.alert_mutes).where(_column.endpoint == endpoint, _column.until_at > now)
    query = query.where(_column.ended_at.is_(None)).order_by(_column.muted_at.desc(), _column.mute_id.desc())
    return [_mute(row) for row in tx.execute(query)]


def history(tx: Transaction, endpoint: str, *, limit: int = 100) -> list[Mute]:
    """All mutes of an endpoint, the newest first."""
    query = sa.select(tables.alert_mutes).where(_column.endpoint == endpoint)
    query = query.order_by(_column.muted_at.desc(), _column.mute_id.desc()).limit(limit)
    return [_mute(row) for row in tx.execute(query)]


def _mute(row: Any) -> Mute:
    return Mute(**row._mapping)
