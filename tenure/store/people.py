"""People as stored; their roles are grants. The password's hash is on no record that travels."""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa

from tenure.records.people import Person, RoleHeld
from tenure.store import grants, tables
from tenure.store.database import Transaction

_column = tables.people.c


class Account(NamedTuple):
    """A person with what sign-in needs. A session is good while its epoch is the account's.

    An empty `password_hash` fits no password: such a person signs in elsewhere.
    """

    person: Person
    password_hash: str
    session_epoch: int


def add(tx: Transaction, person: Person, password_hash: str) -> None:
    """Store a new person."""
    tx.execute(
        sa.insert(tables.people).values(
            person_id=person.name,
            printed_name=person.printed_name,
            password_hash=password_hash,
            roles="[]",
            session_epoch=1,
            created_at=person.created_at,
        )
    )


def get(tx: Transaction, name: str) -> Account | None:
    """The account of that name; None when there is none."""
    row = tx.execute(sa.select(tables.people).where(_column.person_id == name)).first()
    return Account(_person(row, grants.roles_of(tx, name)), row.password_hash, row.session_epoch) if row else None


def list_all(tx: Transaction) -> list[Person]:
    """Everybody, by name."""
    held = grants.roles_of_all(tx)
    rows = tx.execute(sa.select(tables.people).order_by(_column.person_id))
    return [_person(row, held.get(row.person_id, [])) for row in rows]


def set_password(tx: Transaction, name: str, password_hash: str) -> None:
    """Keep another password and end every session of the person."""
    _update(tx, name, password_hash=password_hash, session_epoch=_column.session_epoch + 1)


def end_sessions(tx: Transaction, name: str) -> None:
    """End every session of the person."""
    _update(tx, name, session_epoch=_column.session_epoch + 1)


def _update(tx: Transaction, name: str, **values: Any) -> None:
    tx.execute(sa.update(tables.people).where(_column.person_id == name).values(**values))


def _person(row: Any, roles: list[RoleHeld]) -> Person:
    return Person(name=row.person_id, printed_name=row.printed_name, roles=roles, created_at=row.created_at)
