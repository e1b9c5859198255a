"""Wrong passwords, kept for as long as they keep a person out: shared by every process and across restarts."""

from __future__ import annotations

import sqlalchemy as sa

from tenure.records.base import Instant, new_id
from tenure.store import tables
from tenure.store.database import Transaction

_column = tables.password_failures.c


def add(tx: Transaction, person: str, now: Instant, *, since: Instant) -> None:
    """Keep one more failure; those at `since` or before are forgotten."""
    tx.execute(sa.delete(tables.password_failures).where(_column.person_id == person, _column.at <= since))
    tx.execute(sa.insert(tables.password_failures).values(failure_id=new_id(now), person_id=person, at=now))


def of(tx: Transaction, person: str, *, since: Instant) -> list[Instant]:
    """When a person's password was wrong after `since`, oldest first."""
    query = sa.select(_column.at).where(_column.person_id == person, _column.at > since).order_by(_column.at)
    return [Instant(at) for at in tx.execute(query).scalars()]


def of_all(tx: Transaction, *, since: Instant) -> dict[str, list[Instant]]:
    """When passwords were wrong after `since`, by person, oldest first."""
    query = sa.select(_column.person_id, _column.at).where(_column.at > since).order_by(_column.at)
    found: dict[str, list[Instant]] = {}
    for row in tx.execute(query):
        found.setdefault(row.person_id, []).append(Instant(row.at))
    return found


def forget_old(tx: Transaction, since: Instant) -> None:
    """Forget whatever failed at `since` or before."""
    tx.execute(sa.delete(tables.password_failures).where(_column.at <= since))


def forget(tx: Transaction, person: str) -> None:
    """Forget a person's failures."""
    tx.execute(sa.delete(tables.password_failures).where(_column.person_id == person))
