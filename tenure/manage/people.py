"""People: who they are, which roles they hold since when, and their passwords (argon2id)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from tenure.errors import AlreadyExists, InvalidInput, NotFound
from tenure.records.base import Instant
from tenure.records.people import NewPerson, Permission, Person, Principal, RoleHeld
from tenure.store import audit, people
from tenure.store.database import Transaction
from tenure.store.people import Account

if TYPE_CHECKING:
    from argon2 import PasswordHasher

OF_A_PERSON = frozenset(
    {
        Permission.PUBLIC,
        Permission.READ,
        Permission.TRACK,
        Permission.SCORE,
        Permission.MANAGE,
        Permission.SIGN,
    }
)
ADMIN = "admin"
STEWARD = "steward"
"""Keeps protected attributes, and may ask whether features stand in for them."""
RESERVED = frozenset({"owner", "visitor", "tenure-worker"})


def create(tx: Transaction, new: NewPerson, password_hash: str, *, by: str, now: Instant) -> Person:
    """Add a person. `password_hash` comes from `hashed`, which is slow and so is called before the transaction."""
    if new.name in RESERVED:
        raise InvalidInput(f"The name {new.name!r} is the server's own. Choose another.", where="name")
    if people.get(tx, new.name) is not None:
        raise AlreadyExists(f"There is already a person named {new.name!r}.", where="name")
    roles = [RoleHeld(role=role, since_at=now) for role in dict.fromkeys(new.roles)]
    person = Person(name=new.name, printed_name=new.printed_name, roles=roles, created_at=now)
    people.add(tx, person, password_hash)
    detail = {"printed_name": person.printed_name, "roles": [held.role for held in roles]}
    audit.append(tx, "person.created", subject=person.name, by=by, at=now, detail=detail)
    return person


def get(tx: Transaction, name: str) -> Account:
    """The account of a person. Raises NotFound."""
    account = people.get(tx, name)
    if account is None:
        raise NotFound(f"There is no person named {name!r}. Add one with POST /api/v1/people.")
    return account


def list_all(tx: Transaction) -> list[Person]:
    """Everybody, by name."""
    return people.list_all(tx)


def set_password(tx: Transaction, name: str, password_hash: str, *, by: str, now: Instant) -> None:
    """Give a person another password; every session of theirs ends."""
    get(tx, name)
    people.set_password(tx, name, password_hash)
    audit.append(tx, "person.password_changed", subject=name, by=by, at=now)


def set_roles(tx: Transaction, name: str, roles: list[str], *, by: str, now: Instant) -> Person:
    """Give a person exactly these roles; a role that was held already keeps its date. Every session of theirs ends."""
    person = get(tx, name).person
    since = {held.role: held.since_at for held in person.roles}
    held = [RoleHeld(role=role, since_at=since.get(role, now)) for role in dict.fromkeys(roles)]
    if held == person.roles:
        return person
    people.set_roles(tx, name, held)
    detail = {"before": list(since), "after": [role.role for role in held]}
    audit.append(tx, "person.roles_changed", subject=name, by=by, at=now, detail=detail)
    return get(tx, name).person


def end_sessions(tx: Transaction, name: str, *, by: str, now: Instant) -> None:
    """End every session of a person."""
    people.end_sessions(tx, name)
    audit.append(tx, "person.signed_out", subject=name, by=by, at=now)


def principal_of(person: Person) -> Principal:
    """What a person who is signed in may do."""
    held = {one.role for one in person.roles}
    more = {Permission.ADMINISTER} if ADMIN in held else set()
    if STEWARD in held:
        more.add(Permission.PROTECT)
    return Principal(name=person.name, kind="person", permissions=OF_A_PERSON | more)


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
