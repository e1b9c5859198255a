"""Instants as people write them: an ISO date or time, in UTC unless it says otherwise, or microseconds."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from tenure.errors import InvalidInput
from tenure.records.base import Instant, instant_of

LENGTH = 40


def first_instant(text: str, where: str = "from") -> Instant:
    """The instant that a text names; of a date its first.

    >>> first_instant("2026-05-03") == first_instant("2026-05-03T02:00:00+02:00") == first_instant("1777766400000000")
    True
    """
    return _instant(text, where)[0]


def last_instant(text: str, where: str = "to") -> Instant:
    """The instant that a text names; of a date its last, one microsecond before the next day.

    >>> last_instant("2026-05-03") - first_instant("2026-05-03")
    86399999999
    """
    return _instant(text, where)[1]


def between(first: str | None, last: str | None) -> tuple[int | None, int | None]:
    """The instants [from, until) of a filter whose two ends are both meant; None where an end is open.

    >>> between("2026-05-03", "2026-05-03")
    (1777766400000000, 1777852800000000)
    """
    return first_instant(first) if first else None, last_instant(last) + 1 if last else None


def _instant(text: str, where: str) -> tuple[Instant, Instant]:
    given = text.strip()
    try:
        if given.isascii() and given.lstrip("-").isdigit() and 8 < len(given) <= 18:
            exact = Instant(int(given))
            return exact, exact
        if len(given) == len("2026-05-03"):
            day = datetime.combine(date.fromisoformat(given), time())
            return instant_of(day), Instant(instant_of(day + timedelta(days=1)) - 1)
        exact = instant_of(datetime.fromisoformat(given))
    except (ValueError, OverflowError):
        raise InvalidInput(
            "A time must be a date such as 2026-05-03, an ISO time such as 2026-05-03T14:00:00Z, or microseconds "
            f"since 1970. Got {given[:LENGTH]!r}.",
            where=where,
        ) from None
    return exact, exact
