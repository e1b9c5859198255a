"""When wrong passwords keep a person out: pure, on the instants of the failures."""

from __future__ import annotations

from collections.abc import Sequence

from tenure.records.base import SECOND_US, Instant

FAILURES = 5
LOCKED_FOR_US = 15 * 60 * SECOND_US


def since(now: Instant) -> Instant:
    """Failures after this instant count."""
    return Instant(now - LOCKED_FOR_US)


def locked_until(failures: Sequence[Instant]) -> Instant | None:
    """Until when a person is kept out by failures that count, oldest first; None when they may try.

    >>> locked_until([Instant(0)] * 4) is None, locked_until([Instant(0)] * 5)
    (True, 900000000)
    """
    return Instant(failures[-FAILURES] + LOCKED_FOR_US) if len(failures) >= FAILURES else None
