"""Checking passwords, slowly on purpose: one at a time, few in line, and a person is locked out after a few failures.

Failures are kept in the database, so neither a restart nor another process forgets them. An unknown name costs what a
wrong password costs and gets the same answer; addresses that try many of them are told to wait.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import NamedTuple

from tenure.errors import NotSignedIn, TooMany
from tenure.manage import lockouts, people
from tenure.manage.addresses import AT_MOST, Addresses, network_of
from tenure.manage.lockouts import FAILURES, LOCKED_FOR_US
from tenure.records.base import Instant, iso
from tenure.store import audit, password_failures
from tenure.store.database import Database, Transaction
from tenure.store.people import Account
from tenure.store.people import get as find

__all__ = ["FAILURES", "LOCKED_FOR_US", "Passwords", "Reauthenticated"]

IN_LINE = 16
LONGEST = 1025  # one more than a password may have, so that a longer one is hashed cheaply and is wrong


class Reauthenticated(NamedTuple):
    """Proof that a person gave their password just now. Good only while the account's epoch is this one."""

    account: Account
    by: str
    at: Instant


class Passwords:
    """The one place of a process where passwords are checked."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._one_at_a_time = threading.Lock()
        self._in_line = threading.BoundedSemaphore(IN_LINE)
        self._addresses = Addresses()

    def check(self, name: str, password: str, *, purpose: str, now: Instant, address: str = "") -> Reauthenticated:
        """The person whose name and password these are.

        `purpose` is told in the audit log when they are not; `address` is where the request came from. Raises
        NotSignedIn; TooMany after FAILURES failures, for an address that tried too many unknown names, or when too
        many wait in line.
        """
        if not self._in_line.acquire(blocking=False):
            raise TooMany("Too many passwords are being checked. Try again in a few seconds.")
        try:
            with self._one_at_a_time:
                self._addresses.check(address, now)
                return self._check(name, password, purpose, now, address)
        finally:
            self._in_line.release()

    def hashed(self, password: str) -> str:
        """A new password as it is kept."""
        with self._one_at_a_time:
            return people.hashed(password)

    def _check(self, name: str, password: str, purpose: str, now: Instant, address: str) -> Reauthenticated:
        account, failures = self._database.read(
            lambda tx: (find(tx, name), password_failures.of(tx, name, since=lockouts.since(now)))
        )
        until = lockouts.locked_until(failures)
        if until is not None:
            raise TooMany(f"{name!r} is locked after {FAILURES} failed passwords. Try again after {iso(until)}.")
        kept = account.password_hash if account else ""
        right = people.fits(kept or _decoy(), password[:LONGEST]) and kept != ""
        if account is None:
            self._note_unknown(address, now)
        elif not right:
            self._note_failure(name, purpose, now)
        if account is None or not right:
            raise NotSignedIn("The name and the password do not belong together. Check both.")
        if failures:
            self._database.write(lambda tx: password_failures.forget(tx, name))
        return Reauthenticated(account, "password (argon2id)", now)

    def _note_unknown(self, address: str, now: Instant) -> None:
        """Count a name that nobody has; when that makes the address wait, who administers is told once."""
        began = self._addresses.note_failure(address, now)
        if began is None:
            return
        network = network_of(address)[:100] or "an unknown address"

        def note(tx: Transaction) -> None:
            password_failures.forget_old(tx, lockouts.since(now))  # addresses come and go, and are not asked for again
            password_failures.add(tx, lockouts.FROM + network, began, since=lockouts.since(now))
            detail = {"unknown_names": AT_MOST, "until": iso(Instant(began + LOCKED_FOR_US))}
            audit.append(tx, "address.locked", subject=network, by="visitor", at=now, detail=detail)

        self._database.write(note)

    def _note_failure(self, name: str, purpose: str, now: Instant) -> None:
        def note(tx: Transaction) -> None:
            password_failures.add(tx, name, now, since=lockouts.since(now))
            failures = password_failures.of(tx, name, since=lockouts.since(now))
            until = lockouts.locked_until(failures)
            detail = {"purpose": purpose, "failures": len(failures), "locked": until is not None}
            audit.append(tx, "person.password_refused", subject=name, by=name, at=now, detail=detail)
            if until is not None:
                detail = {"failures": len(failures), "until": iso(until)}
                audit.append(tx, "person.locked", subject=name, by=name, at=now, detail=detail)

        self._database.write(note)


@lru_cache(maxsize=1)
def _decoy() -> str:
    return people.hashed("nobody has this password")
