"""Signing in person: whoever sends the request, who signs is the one whose password is in it."""

from __future__ import annotations

from collections.abc import Callable

from tenure.errors import Conflict, NotAllowed
from tenure.manage import changes, facts
from tenure.manage.passwords import Passwords
from tenure.records.base import Instant
from tenure.records.changes import Change, NewSignature
from tenure.records.people import Principal
from tenure.store.database import Transaction
from tenure.store.ground import Ground

Then = Callable[[Transaction, Change], None]


def sign_in_person(
    ground: Ground,
    passwords: Passwords,
    asker: Principal,
    change_id: str,
    new: NewSignature,
    *,
    now: Instant,
    then: Then,
) -> Change:
    """Check the password and the version's bytes, which both take long, then sign in one transaction.

    Works for the local owner too, who cannot sign but may hand the keyboard to who can; a person who is signed in signs
    as nobody else. `then` does, in the same transaction, what follows from the change. Raises Conflict when the
    evidence has changed, so that nothing could be signed.
    """
    if asker.kind == "person" and asker.name != new.person:
        raise NotAllowed(f"You are signed in as {asker.name!r}. Sign as yourself.", where="person")
    change = ground.database.read(lambda tx: changes.get(tx, change_id))
    proof = passwords.check(new.person, new.password, purpose=f"signing {change_id}", now=now)
    checked = None if change.kind == "revise" else facts.check_bytes(ground, change.model, change.version)

    def sign(tx: Transaction) -> Change:
        signed = changes.sign(tx, change_id, new, proof=proof, key=ground.key, now=now, checked=checked)
        then(tx, signed)
        return signed

    signed = ground.database.write(sign)
    if signed.state == "invalidated":
        raise Conflict(f"Nothing was signed: {signed.ended_because}.")
    return signed
