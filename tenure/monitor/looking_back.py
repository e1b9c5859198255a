"""How far back a window looks, in windows of hours: as far as one of a day does, and at the same hours.

A day has its rhythm: who asks at night, how soon the answer's truth is known. So an hour is held against the same hour
of the days before it, and looks at as many windows as a day would.
"""

from __future__ import annotations

from tenure.records.base import DAY_US
from tenure.records.windows import Window
from tenure.store import windows
from tenure.store.database import Transaction


def are_hours(width_us: int) -> bool:
    """Whether windows of this width are shorter than a day."""
    return width_us < DAY_US


def as_many(count: int, width_us: int) -> int:
    """So many windows; of hours, so many as that number of days holds.

    >>> [as_many(16, hours * 3_600_000_000) for hours in (1, 12, 24, 168)]
    [384, 32, 16, 16]
    """
    return count * max(DAY_US // width_us, 1)


def same_hours(start_at: int, days: int) -> list[int]:
    """Where windows at the same hours of the days before begin, the latest first."""
    return [start_at - day * DAY_US for day in range(1, days + 1)]


def earlier(
    tx: Transaction, endpoint: str, start_at: int, end_at: int, count: int, *, version: int | None = None
) -> list[Window]:
    """At most so many windows before one, latest first, without profiles; before one of hours, at the same hours."""
    starts = same_hours(start_at, count) if are_hours(end_at - start_at) else None
    return windows.search(tx, endpoint, version=version, until_at=start_at, starts=starts, limit=count, bare=True)


def lately(
    tx: Transaction,
    endpoint: str,
    count: int,
    *,
    version: int | None = None,
    role: str | None = None,
    most: int = 1_000,
) -> list[Window]:
    """The latest windows without profiles, latest first: so many; of hours as many as that number of days holds.

    Of hours `most` at most, since some thousand take a second to read.
    """
    last = windows.last_span(tx, endpoint)
    limit = min(as_many(count, last[1] - last[0]), most) if last else count
    return windows.search(tx, endpoint, version=version, role=role, limit=max(limit, count), bare=True)
