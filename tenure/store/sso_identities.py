"""Which person somebody is whom a provider knows, by what the provider never gives to another."""

from __future__ import annotations

import sqlalchemy as sa

from tenure.store import tables
from tenure.store.database import Transaction

_column = tables.sso_identities.c


def add(tx: Transaction, issuer: str, subject: str, person: str) -> None:
    """Remember who somebody is."""
    tx.execute(sa.insert(tables.sso_identities).values(issuer=issuer, subject=subject, person_id=person))


def get(tx: Transaction, issuer: str, subject: str) -> str | None:
    """The person's name; None for somebody who has not been here."""
    query = sa.select(_column.person_id).where(_column.issuer == issuer, _column.subject == subject)
    found: str | None = tx.execute(query).scalar()
    return found
