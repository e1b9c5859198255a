"""Exceptions to policies as stored: what was asked for stays, how it went is added."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from tenure.records.policies import PolicyException
from tenure.store import driver, tables
from tenure.store.database import Transaction

_column = tables.policy_exceptions.c


def add(tx: Transaction, one: PolicyException) -> None:
    """Store a new request."""
    tx.execute(
        sa.insert(tables.policy_exceptions).values(
            exception_id=one.exception_id,
            model=one.model,
            subject=one.subject,
            state=one.state,
            body=msgspec.json.encode(one).decode(),
            requested_at=one.requested_at,
        )
    )


def update(tx: Transaction, one: PolicyException) -> None:
    """Keep how an exception stands now."""
    tx.execute(
        sa.update(tables.policy_exceptions)
        .where(_column.exception_id == one.exception_id)
        .values(state=one.state, body=msgspec.json.encode(one).decode())
    )


def get(tx: Transaction, exception_id: str, *, to_change: bool = False) -> PolicyException | None:
    """An exception; None when there is none of that id. `to_change` lets nobody else read it so meanwhile."""
    query = sa.select(_column.body).where(_column.exception_id == exception_id)
    body = tx.execute(query.with_for_update() if to_change else query).scalar()
    return msgspec.json.decode(body, type=PolicyException) if body else None


def search(tx: Transaction, *, model: str | None = None, state: str | None = None) -> list[PolicyException]:
    """Exceptions, newest first: of a model, in a state."""
    query = sa.select(_column.body).order_by(_column.requested_at.desc(), _column.exception_id.desc())
    for column, value in ((_column.model, model), (_column.state, state)):
        if value is not None:
            query = query.where(column == value)
    return [msgspec.json.decode(body, type=PolicyException) for body in tx.execute(query).scalars()]


def approved(tx: Transaction, model: str) -> list[PolicyException]:
    """The exceptions that were approved for a model and not revoked, expired ones too."""
    rows = driver.execute(tx, "SELECT body FROM policy_exceptions WHERE model = ? AND state = 'approved'", (model,))
    return [msgspec.json.decode(body, type=PolicyException) for (body,) in rows.fetchall()]
