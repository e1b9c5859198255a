"""When failures of sign-in keep somebody out: pure, on the instants of the failures.

An address that tried too many names is kept among them, under a word that no person can have as a name, with the
instant at which its quarter of an hour began.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tenure.records.base import SECOND_US, Instant
from tenure.records.inbox import LockOut

FAILURES = 5
LOCKED_FOR_US = 15 * 60 * SECOND_US
FROM = "from "


def since(now: Instant) -> Instant:
    """Failures after this instant count."""
    return Instant(now - LOCKED_FOR_US)


def locked_until(failures: Sequence[Instant]) -> Instant | None:
    """Until when a person is kept out by failures that count, oldest first; None when they may try.

    >>> locked_until([Instant(0)] * 4) is None, locked_until([Instant(0)] * 5)
    (True, 900000000)
    """
    return Instant(failures[-FAILURES] + LOCKED_FOR_US) if len(failures) >= FAILURES else None


def open_ones(failures: Mapping[str, Sequence[Instant]]) -> list[LockOut]:
    """Who is kept out, by failures that count of all who failed, oldest first; the newest lock-out comes first.

    >>> tried = {"ada": [Instant(1)] * 5, "bo": [Instant(2)], "from ::1": [Instant(0)]}
    >>> [(one.kind, one.name) for one in open_ones(tried)]
    [('person', 'ada'), ('address', '::1')]
    """
    found = [
        LockOut(kind="address", name=who.removeprefix(FROM), since_at=tried[-1], until_at=tried[-1] + LOCKED_FOR_US)
        for who, tried in failures.items()
        if who.startswith(FROM)
    ]
    found += [
        LockOut(kind="person", name=who, since_at=tried[-1], until_at=until)
        for who, tried in failures.items()
        if not who.startswith(FROM) and (until := locked_until(tried)) is not None
    ]
    return sorted(found, key=lambda one: one.since_at, reverse=True)
