"""Checking passwords, slowly on purpose: one at a time, few in line, and a person is locked out after a few failures.

At most FAILURES failures in LOCKED_FOR; they are counted in this process and forgotten when it ends, but each is in the
audit log. An unknown name costs what a wrong password costs and gets the same answer.
"""

from __future__ import annotations

import threading
from collections import deque
from functools import lru_cache
from typing import NamedTuple

from tenure.errors import NotSignedIn, TooMany
from tenure.manage import people
from tenure.records.base import SECOND_US, Instant, iso
from tenure.store import audit
from tenure.store.database import Database, Transaction
from tenure.store.people import Account
from tenure.store.people import get as find

FAILURES = 5
LOCKED_FOR_US = 15 * 60 * SECOND_US
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
        self._failures: dict[str, deque[Instant]] = {}

    def check(self, name: str, password: str, *, purpose: str, now: Instant) -> Reauthenticated:
        """The person whose name and password these are.

        `purpose` is told in the audit log when they are not. Raises NotSignedIn; TooMany after FAILURES failures or
        when too many wait in line.
        """
        if not self._in_line.acquire(blocking=False):
            raise TooMany("Too many passwords are being checked. Try again in a few seconds.")
        try:
            with self._one_at_a_time:
                return self._check(name, password, purpose, now)
        finally:
            self._in_line.release()

    def hashed(self, password: str) -> str:
        """A new password as it is kept."""
        with self._one_at_a_time:
            return people.hashed(password)

    def _check(self, name: str, password: str, purpose: str, now: Instant) -> Reauthenticated:
        self._refuse_if_locked(name, now)
        account = self._database.read(lambda tx: find(tx, name))
        right = people.fits(account.password_hash if account else _decoy(), password[:LONGEST])
        if account is None or not right:
            if account is not None:
                self._note_failure(name, purpose, now)
            raise NotSignedIn("The name and the password do not belong together. Check both.")
        self._failures.pop(name, None)
        return Reauthenticated(account, "password (argon2id)", now)

    def _refuse_if_locked(self, name: str, now: Instant) -> None:
        failures = self._failures.get(name)
        while failures and failures[0] <= now - LOCKED_FOR_US:
            failures.popleft()
        if failures and len(failures) >= FAILURES:
            until = iso(failures[0] + LOCKED_FOR_US)
            raise TooMany(f"{name!r} is locked after {FAILURES} failed passwords. Try again after {until}.")

    def _note_failure(self, name: str, purpose: str, now: Instant) -> None:
        failures = self._failures.setdefault(name, deque(maxlen=FAILURES))
        failures.append(now)
        locked = len(failures) >= FAILURES

        def note(tx: Transaction) -> None:
            detail = {"purpose": purpose, "failures": len(failures), "locked": locked}
            audit.append(tx, "person.password_refused", subject=name, by=name, at=now, detail=detail)

        self._database.write(note)


@lru_cache(maxsize=1)
def _decoy() -> str:
    return people.hashed("nobody has this password")
