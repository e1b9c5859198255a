"""The first administrator: made with a secret that the server prints at its start while there is none.

The secret is good once and for an hour, is kept as a digest, and makes a new person only: nobody's account can be
taken over with it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

import msgspec

from tenure.errors import NotAllowed
from tenure.manage import people
from tenure.manage.roles import ADMIN
from tenure.records.base import HOUR_US, Instant
from tenure.records.people import FirstPerson, NewPerson, Person
from tenure.store import audit, grants, settings_kept
from tenure.store.database import Transaction

KEY = "set_up"
GOOD_FOR_US = HOUR_US


class _Offer(msgspec.Struct):
    digest: str
    expires_at: int


def offer(tx: Transaction, now: Instant) -> str | None:
    """A new secret in place of any before it; None when somebody administers this server already."""
    if grants.anybody_holds(tx, ADMIN):
        settings_kept.drop(tx, KEY)
        return None
    secret = secrets.token_urlsafe(32)
    made = _Offer(_digest(secret), now + GOOD_FOR_US)
    settings_kept.put(tx, KEY, msgspec.json.encode(made).decode())
    return secret


def is_good(tx: Transaction, secret: str, now: Instant) -> bool:
    """Whether a secret still makes the first administrator."""
    kept = settings_kept.get(tx, KEY)
    if kept is None or grants.anybody_holds(tx, ADMIN):
        return False
    made = msgspec.json.decode(kept, type=_Offer)
    return hmac.compare_digest(made.digest, _digest(secret)) and now < made.expires_at


def require_good(tx: Transaction, secret: str, now: Instant) -> None:
    """Raise NotAllowed for a secret that makes nobody (any more). Asked before a password is hashed, too."""
    if not is_good(tx, secret, now):
        raise NotAllowed(
            "This set-up link has been used, has expired, or somebody administers this server already. "
            "While nobody does, each start of the server prints a new one."
        )


def complete(tx: Transaction, first: FirstPerson, password_hash: str, *, now: Instant) -> Person:
    """Make the first administrator; the secret is used up. Raises NotAllowed, AlreadyExists."""
    require_good(tx, first.token, now)
    new = NewPerson(name=first.name, printed_name=first.printed_name, password=first.password, roles=[ADMIN])
    person = people.create(tx, new, password_hash, by=first.name, now=now)
    settings_kept.drop(tx, KEY)
    audit.append(tx, "server.set_up", subject=person.name, by=person.name, at=now)
    return person


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
