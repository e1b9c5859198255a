"""Grants: which role somebody holds, for one model or for all, since when, and how it ended. None is ever deleted."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import sqlalchemy as sa

from tenure.records.base import Instant
from tenure.records.people import Grant, RoleHeld
from tenure.store import tables
from tenure.store.database import Transaction

_column = tables.grants.c


def add(tx: Transaction, grant: Grant) -> None:
    """Store a new grant."""
    tx.execute(
        sa.insert(tables.grants).values(
            grant_id=grant.grant_id,
            principal=grant.principal,
            role=grant.role,
            model=grant.model or "",
            since_at=grant.since_at,
            granted_by=grant.granted_by,
        )
    )


def end(tx: Transaction, grant_id: str, *, by: str, now: Instant) -> None:
    """Let a grant end; its row stays."""
    tx.execute(sa.update(tables.grants).where(_column.grant_id == grant_id).values(until_at=now, revoked_by=by))


def get(tx: Transaction, grant_id: str) -> Grant | None:
    """The grant of that id, whether it holds or not; None when there is none."""
    row = tx.execute(sa.select(tables.grants).where(_column.grant_id == grant_id)).first()
    return _grant(row) if row else None


def search(tx: Transaction, *, principal: str | None = None, with_ended: bool = False) -> list[Grant]:
    """Grants of one principal or of all, oldest first; those that ended only when asked for."""
    query = sa.select(tables.grants).order_by(_column.since_at, _column.grant_id)
    if principal is not None:
        query = query.where(_column.principal == principal)
    if not with_ended:
        query = query.where(_column.until_at.is_(None))
    return [_grant(row) for row in tx.execute(query)]


def roles_of(tx: Transaction, principal: str) -> list[RoleHeld]:
    """The roles that somebody holds now, oldest first."""
    return [_held(grant) for grant in search(tx, principal=principal)]


def roles_of_all(tx: Transaction) -> dict[str, list[RoleHeld]]:
    """The roles that everybody holds now, by principal."""
    found: dict[str, list[RoleHeld]] = defaultdict(list)
    for grant in search(tx):
        found[grant.principal].append(_held(grant))
    return found


def anybody_holds(tx: Transaction, role: str) -> bool:
    """Whether any person holds a role for all models now."""
    query = (
        sa.select(sa.literal(1))
        .select_from(tables.grants.join(tables.people, tables.people.c.person_id == _column.principal))
        .where(_column.role == role, _column.model == "", _column.until_at.is_(None))
        .limit(1)
    )
    return tx.execute(query).first() is not None


def _held(grant: Grant) -> RoleHeld:
    return RoleHeld(role=grant.role, since_at=grant.since_at, model=grant.model)


def _grant(row: Any) -> Grant:
    return Grant(
        grant_id=row.grant_id,
        principal=row.principal,
        role=row.role,
        model=row.model or None,
        since_at=row.since_at,
        granted_by=row.granted_by,
        until_at=row.until_at,
        revoked_by=row.revoked_by,
    )
