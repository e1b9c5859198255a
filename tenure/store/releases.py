"""Releases as stored. A release is open while its `until_at` is empty; what was is never changed, only ended."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from tenure.records.base import Instant
from tenure.records.endpoints import ReleaseInfo
from tenure.store import tables
from tenure.store.database import Transaction

_column = tables.releases.c
_ORDER_OF_ROLES = sa.case({"champion": 0, "challenger": 1}, value=_column.role, else_=2)


def add(tx: Transaction, release: ReleaseInfo) -> None:
    """Store a new release."""
    tx.execute(
        sa.insert(tables.releases).values(
            release_id=release.release_id,
            endpoint=release.endpoint,
            model=release.model,
            version=release.version,
            role=release.role,
            share=release.share,
            reason=release.reason,
            released_by=release.released_by,
            from_at=release.from_at,
            until_at=release.until_at,
        )
    )


def end(tx: Transaction, release_id: str, now: Instant) -> None:
    """Set the end of a release that is open."""
    open_one = (_column.release_id == release_id) & _column.until_at.is_(None)
    tx.execute(sa.update(tables.releases).where(open_one).values(until_at=now))


def get(tx: Transaction, release_id: str) -> ReleaseInfo | None:
    row = tx.execute(sa.select(tables.releases).where(_column.release_id == release_id)).first()
    return _release(row) if row else None


def open_ones(tx: Transaction, *, endpoint: str | None = None) -> list[ReleaseInfo]:
    """Releases in service, of one endpoint or of all: champion first, then challengers, then shadows, oldest first."""
    query = (
        sa.select(tables.releases)
        .where(_column.until_at.is_(None))
        .order_by(_column.endpoint, _ORDER_OF_ROLES, _column.from_at, _column.release_id)
    )
    if endpoint is not None:
        query = query.where(_column.endpoint == endpoint)
    return [_release(row) for row in tx.execute(query)]


def history(tx: Transaction, endpoint: str) -> list[ReleaseInfo]:
    """Every release an endpoint ever had, newest first."""
    query = (
        sa.select(tables.releases)
        .where(_column.endpoint == endpoint)
        .order_by(_column.from_at.desc(), _column.release_id.desc())
    )
    return [_release(row) for row in tx.execute(query)]


def of_models(tx: Transaction, names: list[str]) -> list[ReleaseInfo]:
    """Every release there ever was of models of these names, oldest first."""
    query = sa.select(tables.releases).where(_column.model.in_(names)).order_by(_column.from_at, _column.release_id)
    return [_release(row) for row in tx.execute(query)]


def had_any(tx: Transaction, model: str) -> bool:
    """Whether a version of a model was ever in service, in any role."""
    return tx.execute(sa.select(_column.release_id).where(_column.model == model).limit(1)).first() is not None


def _release(row: Any) -> ReleaseInfo:
    return ReleaseInfo(
        release_id=row.release_id,
        endpoint=row.endpoint,
        model=row.model,
        version=row.version,
        role=row.role,
        share=row.share,
        reason=row.reason,
        released_by=row.released_by,
        from_at=row.from_at,
        until_at=row.until_at,
    )
