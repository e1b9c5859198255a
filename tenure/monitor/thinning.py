"""Windows of hours are many: after some weeks they keep their figures, and let go of what only comparing needs.

A year of hours is 8,766 windows. Their figures are a few kilobytes each; their profiles and reports about drift are
tens of times as many. Profiles are kept for as long as a seasonal reference reaches back, reports as long, and those of
windows that drifted for good, since alerts point at them. Windows of days keep everything.
"""

from __future__ import annotations

from tenure.records.base import DAY_US
from tenure.records.model_files import Monitors
from tenure.store import drift_reports, watermarks, windows
from tenure.store.database import Transaction
from tenure.store.ground import Ground

LEAST_WEEKS = 5
AT_ONCE = 48


def kept_us(monitors: Monitors) -> int:
    """How long a window of hours keeps its profile: a week longer than the season reaches back, five at least."""
    return max(monitors.drift.cycles + 1, LEAST_WEEKS) * 7 * DAY_US


def thin(ground: Ground, endpoint: str, monitors: Monitors) -> None:
    """Thin some of the windows of hours that are old enough; the rest at a later look. Nothing for windows of days."""
    mark = ground.database.read(lambda tx: watermarks.get(tx, endpoint))
    if mark is None or not mark.window_hours:
        return
    from_at, until_at = mark.thinned_until, mark.monitored_until - kept_us(monitors)
    if from_at < until_at:
        ground.database.write(lambda tx: _thin(tx, endpoint, from_at, until_at))


def _thin(tx: Transaction, endpoint: str, from_at: int, until_at: int) -> None:
    thinned = windows.thin(tx, endpoint, from_at, until_at, DAY_US, AT_ONCE)
    for window in thinned:
        if window.drift_state != "breach":
            drift_reports.forget(tx, window)
    whole = len(thinned) < AT_ONCE
    watermarks.thinned(tx, endpoint, until_at if whole else thinned[-1].start_at)
