"""How an endpoint served over time: samples put together over gateways and versions, as a series that can be drawn."""

from __future__ import annotations

from bisect import bisect_left

import msgspec

from tenure.deploy import endpoints
from tenure.monitor import capacity, service_levels
from tenure.monitor.series import series_of
from tenure.monitor.service_levels import Objective
from tenure.records.alerts import Alert
from tenure.records.base import DAY_US, HOUR_US, Instant
from tenure.records.incidents import Point, Series
from tenure.records.service_levels import MINUTE_US, ObjectiveKind, Service, ServicePoint, Spent
from tenure.serving.figures import percentile_of
from tenure.stats import error_budget
from tenure.store import service_samples
from tenure.store.database import Transaction
from tenure.store.service_samples import Totals

MOST_POINTS = 144
WIDTHS_MINUTES = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440)
BURNT_WINDOWS, BURNT_STEPS = 3, 12
"""How many windows of an alert's length are drawn, and how many steps there are in each."""
MOST_HOURS = 24 * service_samples.HOURS_KEPT_DAYS


def service(tx: Transaction, endpoint: str, hours: int, now: Instant) -> Service:
    """What an endpoint promises and how it stands, how it served in the last `hours`, and what it carries.

    Raises NotFound.
    """
    endpoints.get(tx, endpoint)
    return Service(
        endpoint=endpoint,
        budgets=service_levels.budgets(tx, endpoint, now),
        series=series(tx, endpoint, hours, now),
        capacity=capacity.of(tx, endpoint, now),
    )


def series(tx: Transaction, endpoint: str, hours: int, now: Instant) -> list[ServicePoint]:
    """The last `hours`, the earliest first, in at most 145 spans of one width; spans without a request are left out.

    Minutes are kept for three days; what lies before is told by the hour.
    """
    until, width = service_levels.seen_until(now), _width(hours)
    begin = (until - hours * HOUR_US) // width * width
    promised = service_levels.promised(tx, endpoint)
    objective_us = max((one.objective_us for one in promised), default=0)
    kept = {one.kind: Remaining(tx, endpoint, one, begin, until, width) for one in promised}
    took = service_samples.latencies_by(tx, endpoint, begin, until, width)
    found = service_samples.totals_by(tx, endpoint, begin, until, width, objective_us=objective_us)
    return [_point(at, min(at + width, until), totals, took.get(at, {}), kept) for at, totals in found]


def burnt(tx: Transaction, alert: Alert) -> Series:
    """How fast the budget of an alert burnt: at the end of each step the rate over a window as long as the alert's own,
    the last of which is that one, the earliest first; windows without a request are left out.

    A budget that is promised no longer is told by the alert's own figure alone.
    """
    proof = alert.evidence
    promised = service_levels.promised(tx, alert.endpoint)
    objective = next((one for one in promised if service_levels.MONITORS[one.kind] == alert.monitor), None)
    if objective is None:
        return series_of(alert, [])
    long_us, until = proof.window_end_at - proof.window_start_at, proof.window_end_at
    grain, step_us = MINUTE_US if long_us < DAY_US else HOUR_US, long_us // BURNT_STEPS
    begin = until - BURNT_WINDOWS * long_us
    counted = Counted(tx, alert.endpoint, objective, begin, until, grain)
    points = []
    for end_at in range(begin + long_us, until + 1, step_us):
        spent = counted.between(end_at - long_us, end_at)
        if spent.total:
            rate = error_budget.burn_rate(spent.bad, spent.total, objective.allowed)
            points.append(Point(start_at=end_at - step_us, end_at=end_at, value=rate))
    return msgspec.structs.replace(series_of(alert, []), points=points)


class Counted:
    """Requests that an objective is about, read once in spans of one width, so that any sum of spans is at hand."""

    def __init__(
        self, tx: Transaction, endpoint: str, objective: Objective, begin: int, until: int, width: int
    ) -> None:
        sums = service_samples.totals_by(tx, endpoint, begin, until, width, objective_us=objective.objective_us)
        self._starts = [at for at, _ in sums]
        self._total, self._bad = [0], [0]
        for _, totals in sums:
            spent = objective.spent(totals)
            self._total.append(self._total[-1] + spent.total)
            self._bad.append(self._bad[-1] + spent.bad)

    def between(self, from_at: int, until_at: int) -> Spent:
        """The sum of the spans that begin in [from_at, until_at)."""
        begins, ends = bisect_left(self._starts, from_at), bisect_left(self._starts, until_at)
        return Spent(total=self._total[ends] - self._total[begins], bad=self._bad[ends] - self._bad[begins])

    def first(self, from_at: int, until_at: int) -> int | None:
        """Where the first of these spans begins; None when there is none."""
        begins = bisect_left(self._starts, from_at)
        return self._starts[begins] if begins < bisect_left(self._starts, until_at) else None


class Remaining:
    """What remained of a budget at the ends of spans."""

    def __init__(
        self, tx: Transaction, endpoint: str, objective: Objective, begin: int, until: int, width: int
    ) -> None:
        self._objective = objective
        first = (begin - objective.over_days * DAY_US) // HOUR_US * HOUR_US
        self._counted = Counted(tx, endpoint, objective, first, until, min(width, HOUR_US))

    def at(self, end_at: int) -> float:
        begins = (end_at - self._objective.over_days * DAY_US) // HOUR_US * HOUR_US
        spent, since = self._counted.between(begins, end_at), self._counted.first(begins, end_at)
        _, share = service_levels.period(self._objective, Totals(since=since), end_at)
        return error_budget.remaining(spent.bad, spent.total, self._objective.allowed, share)


def _width(hours: int) -> int:
    minutes = next((one for one in WIDTHS_MINUTES if hours * 60 / one <= MOST_POINTS), WIDTHS_MINUTES[-1])
    return minutes * MINUTE_US


def _point(
    at: int, end_at: int, totals: Totals, latency: dict[int, int], kept: dict[ObjectiveKind, Remaining]
) -> ServicePoint:
    return ServicePoint(
        start_at=at,
        end_at=end_at,
        answered=totals.answered,
        failed=totals.failed,
        refused=totals.refused,
        rows=totals.rows,
        p50_ms=_upper_ms(latency, 0.5),
        p95_ms=_upper_ms(latency, 0.95),
        p99_ms=_upper_ms(latency, 0.99),
        budgets={kind: one.at(end_at) for kind, one in kept.items()},
    )


def _upper_ms(latency: dict[int, int], share: float) -> float | None:
    found = percentile_of(latency, share)
    return found[1] / 1000 if found else None
