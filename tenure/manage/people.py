"""People: who they are, which roles they hold since when, and their passwords (argon2id)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from tenure.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from tenure.manage import grants, lockouts
from tenure.records.base import Instant
from tenure.records.people import NewGrant, NewPerson, Person, RoleHeld
from tenure.store import audit, password_failures, people, services
from tenure.store.database import Transaction
from tenure.store.people import Account

if TYPE_CHECKING:
    from argon2 import PasswordHasher

RESERVED = frozenset({"owner", "visitor", "nobody", "token", "tenure-worker"})


def create(tx: Transaction, new: NewPerson, password_hash: str, *, by: str, now: Instant) -> Person:
    """Add a person. `password_hash` comes from `hashed`, which is slow and so is called before the transaction."""
    check_free(tx, new.name)
    roles = [RoleHeld(role=role, since_at=now) for role in dict.fromkeys(new.roles)]
    person = Person(name=new.name, printed_name=new.printed_name, roles=roles, created_at=now)
    people.add(tx, person, password_hash)
    for held in roles:
        grants.add(tx, NewGrant(principal=new.name, role=held.role), by=by, now=now)
    detail = {"printed_name": person.printed_name, "roles": [held.role for held in roles]}
    audit.append(tx, "person.created", subject=person.name, by=by, at=now, detail=detail)
    return person


def check_free(tx: Transaction, name: str) -> None:
    """Raise when a name belongs to the server, a person or a service."""
    if name in RESERVED:
        raise InvalidInput(f"The name {name!r} is the server's own. Choose another.", where="name")
    if people.get(tx, name) is not None:
        raise AlreadyExists(f"There is already a person named {name!r}.", where="name")
    if services.get(tx, name) is not None:
        raise AlreadyExists(f"There is already a service named {name!r}.", where="name")


def get(tx: Transaction, name: str) -> Account:
    """The account of a person. Raises NotFound."""
    account = people.get(tx, name)
    if account is None:
        raise NotFound(f"There is no person named {name!r}. Add one with POST /api/v1/people.")
    return account


def list_all(tx: Transaction, now: Instant) -> list[Person]:
    """Everybody, by name, with how long wrong passwords keep them out."""
    failures = password_failures.of_all(tx, since=lockouts.since(now))
    return [
        msgspec.structs.replace(person, locked_until_at=lockouts.locked_until(failures.get(person.name, [])))
        for person in people.list_all(tx)
    ]


def locked(tx: Transaction, now: Instant) -> list[Person]:
    """Whom wrong passwords keep out now: somebody may be trying to get in."""
    tried = password_failures.of_all(tx, since=lockouts.since(now))
    return [one for one in list_all(tx, now) if one.locked_until_at] if tried else []


def set_password(tx: Transaction, name: str, password_hash: str, *, by: str, now: Instant) -> None:
    """Give a person another password; every session of theirs ends, and no wrong password keeps them out any more."""
    get(tx, name)
    people.set_password(tx, name, password_hash)
    password_failures.forget(tx, name)
    audit.append(tx, "person.password_changed", subject=name, by=by, at=now)


def unlock(tx: Transaction, name: str, *, by: str, now: Instant) -> Person:
    """Let a person try again whom wrong passwords keep out. Raises NotFound, or Conflict when nothing does."""
    person = get(tx, name).person
    if lockouts.locked_until(password_failures.of(tx, name, since=lockouts.since(now))) is None:
        raise Conflict(f"{name!r} must be locked to be unlocked, and may sign in.")
    password_failures.forget(tx, name)
    audit.append(tx, "person.unlocked", subject=name, by=by, at=now)
    return person


def set_roles(tx: Transaction, name: str, roles: list[str], *, by: str, now: Instant) -> Person:
    """Give a person exactly these roles for all models; one that was held already keeps its date.

    Roles for single models stay. Every session of the person ends.
    """
    get(tx, name)
    held = {grant.role: grant for grant in grants.search(tx, principal=name) if grant.model is None}
    wanted = list(dict.fromkeys(roles))
    if set(held) == set(wanted):
        return get(tx, name).person
    for role, grant in held.items():
        if role not in wanted:
            grants.end(tx, grant, by=by, now=now)
    for role in wanted:
        if role not in held:
            grants.add(tx, NewGrant(principal=name, role=role), by=by, now=now)
    grants.changed(tx, name)
    detail = {"before": list(held), "after": wanted}
    audit.append(tx, "person.roles_changed", subject=name, by=by, at=now, detail=detail)
    return get(tx, name).person


def end_sessions(tx: Transaction, name: str, *, by: str, now: Instant) -> None:
    """End every session of a person."""
    people.end_sessions(tx, name)
    audit.append(tx, "person.signed_out", subject=name, by=by, at=now)


def hashed(password: str) -> str:
    """A password as argon2id, salted. Takes tens of milliseconds on purpose."""
    return _hasher().hash(password)


def fits(password_hash: str, password: str) -> bool:
    """Whether a password is the one that was hashed. Takes tens of milliseconds on purpose."""
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return _hasher().verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


@lru_cache(maxsize=1)
def _hasher() -> PasswordHasher:
    """19 MiB and two passes on one lane: OWASP's recommendation for argon2id on a server that does other work too."""
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
