"""How spans of event time are written in sentences: by their days, and by their hours where these tell more."""

from __future__ import annotations

from tenure.records.base import DAY_US, moment_of


def instant(at: int) -> str:
    """A midnight as its date; else the minute too, in UTC.

    >>> instant(1_367_539_200_000_000), instant(1_367_557_200_000_000)
    ('2013-05-03', '2013-05-03 05:00 UTC')
    """
    moment = moment_of(at)
    return moment.date().isoformat() if at % DAY_US == 0 else f"{moment:%Y-%m-%d %H:%M} UTC"


def span(start_at: int, end_at: int) -> str:
    """
    >>> span(1_367_539_200_000_000, 1_368_144_000_000_000), span(1_367_557_200_000_000, 1_367_560_800_000_000)
    ('from 2013-05-03 to 2013-05-10', 'from 2013-05-03 05:00 to 06:00 UTC')
    """
    if not start_at % DAY_US and not end_at % DAY_US:
        return f"from {instant(start_at)} to {instant(end_at)}"
    first, last = moment_of(start_at), moment_of(end_at)
    same_day = first.date() == last.date()
    return f"from {first:%Y-%m-%d %H:%M} to {last:{'%H:%M' if same_day else '%Y-%m-%d %H:%M'}} UTC"
