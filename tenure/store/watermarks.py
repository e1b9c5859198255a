"""How far an endpoint has come in event time, and which of its hours must be judged again.

Windows may be as short as an hour, so hours are what is marked; the table is named after the days that it held first.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import sqlalchemy as sa

from tenure.records.base import DAY_US, HOUR_US, Instant
from tenure.store import tables
from tenure.store.database import Transaction

_mark = tables.watermarks.c
_day = tables.dirty_days.c


class Watermark(msgspec.Struct, frozen=True, kw_only=True):
    """Instants of event time; 0 = nothing yet. `origin_at` and one of the widths say where windows begin.

    Windows of hours that begin before `thinned_until` were let go of their profiles.
    """

    endpoint: str
    received_until: int
    monitored_until: int
    outcomes_until: int
    origin_at: int
    window_days: int
    window_hours: int = 0
    thinned_until: int = 0

    @property
    def window_us(self) -> int:
        """How wide the windows of the grid are; 0 when that is not known yet."""
        return self.window_days * DAY_US + self.window_hours * HOUR_US


def get(tx: Transaction, endpoint: str) -> Watermark | None:
    """How far an endpoint has come; None when nothing of it was taken in."""
    return next(iter(all_of(tx, endpoint)), None)


def all_of(tx: Transaction, endpoint: str | None = None) -> list[Watermark]:
    """How far every endpoint has come, or the one that is named."""
    query = sa.select(tables.watermarks).order_by(_mark.endpoint)
    if endpoint is not None:
        query = query.where(_mark.endpoint == endpoint)
    return [
        Watermark(
            endpoint=row.endpoint,
            received_until=row.received_until,
            monitored_until=row.monitored_until,
            outcomes_until=row.outcomes_until,
            origin_at=row.origin_at,
            window_days=row.window_days,
            window_hours=row.window_hours,
            thinned_until=row.thinned_until,
        )
        for row in tx.execute(query)
    ]


def received(tx: Transaction, endpoint: str, first_event_at: int, last_event_at: int) -> None:
    """Note that predictions between two event times were taken in. The first ones say where windows begin."""
    before = get(tx, endpoint)
    if before is None:
        origin = first_event_at - first_event_at % DAY_US
        tx.execute(
            sa.insert(tables.watermarks).values(
                endpoint=endpoint,
                received_until=last_event_at,
                monitored_until=origin,
                outcomes_until=0,
                origin_at=origin,
                window_days=0,
                window_hours=0,
                thinned_until=0,
            )
        )
    elif last_event_at > before.received_until:
        tx.execute(sa.update(tables.watermarks).where(_mark.endpoint == endpoint).values(received_until=last_event_at))


def outcomes_received(tx: Transaction, endpoint: str, last_event_at: int) -> None:
    """Note that outcomes up to an event time were joined to their predictions."""
    later = (_mark.endpoint == endpoint) & (_mark.outcomes_until < last_event_at)
    tx.execute(sa.update(tables.watermarks).where(later).values(outcomes_until=last_event_at))


def monitored(tx: Transaction, endpoint: str, until_at: int) -> None:
    """Note that every window that ends at or before an instant has been judged."""
    later = (_mark.endpoint == endpoint) & (_mark.monitored_until < until_at)
    tx.execute(sa.update(tables.watermarks).where(later).values(monitored_until=until_at))


def set_grid(tx: Transaction, endpoint: str, origin_at: int, window_us: int) -> None:
    """Say where the windows that are still to come begin and how wide they are: whole days, or hours of one."""
    width = {"window_days": window_us // DAY_US, "window_hours": window_us % DAY_US // HOUR_US}
    mine = sa.update(tables.watermarks).where(_mark.endpoint == endpoint)
    tx.execute(mine.values(origin_at=origin_at, **width))


def thinned(tx: Transaction, endpoint: str, until_at: int) -> None:
    """Note that windows of hours that begin before an instant keep no profile."""
    later = (_mark.endpoint == endpoint) & (_mark.thinned_until < until_at)
    tx.execute(sa.update(tables.watermarks).where(later).values(thinned_until=until_at))


def mark_days(tx: Transaction, endpoint: str, days: Iterable[int], now: Instant) -> None:
    """Have the windows that hold these hours (by where they begin) judged again."""
    wanted = sorted(set(days))
    if not wanted:
        return
    for start in range(0, len(wanted), 500):
        part = wanted[start : start + 500]
        tx.execute(sa.delete(tables.dirty_days).where(_day.endpoint == endpoint, _day.day_at.in_(part)))
    rows = [{"endpoint": endpoint, "day_at": day, "marked_at": now} for day in wanted]
    tx.execute(sa.insert(tables.dirty_days), rows)


def marked_days(tx: Transaction, endpoint: str, before_at: int) -> list[tuple[int, int]]:
    """Hours before an instant whose windows must be judged again, each with when it was marked; earliest first."""
    query = sa.select(_day.day_at, _day.marked_at).where(_day.endpoint == endpoint, _day.day_at < before_at)
    return [(row.day_at, row.marked_at) for row in tx.execute(query.order_by(_day.day_at))]


def last_marked_at(tx: Transaction, endpoint: str, from_at: int, until_at: int) -> int:
    """When an hour in [from_at, until_at) was marked last; 0 when none is."""
    inside = (_day.endpoint == endpoint) & (_day.day_at >= from_at) & (_day.day_at < until_at)
    return tx.execute(sa.select(sa.func.max(_day.marked_at)).where(inside)).scalar() or 0


def clear_days(tx: Transaction, endpoint: str, from_at: int, until_at: int, marked_until: int) -> None:
    """Drop the marks of hours in [from_at, until_at), except those that were set anew since `marked_until`."""
    inside = (_day.endpoint == endpoint) & (_day.day_at >= from_at) & (_day.day_at < until_at)
    tx.execute(sa.delete(tables.dirty_days).where(inside, _day.marked_at <= marked_until))
