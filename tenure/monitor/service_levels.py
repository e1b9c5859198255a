"""What an endpoint promises and how much of its error budgets is left: read from samples, without any statistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tenure.records.alerts import MonitorKind
from tenure.records.base import DAY_US, HOUR_US, SECOND_US, Instant
from tenure.records.model_files import Service as Promise
from tenure.records.service_levels import MINUTE_US, Budget, Burning, ObjectiveKind, Spent, Urgency
from tenure.stats import error_budget
from tenure.store import endpoints, model_files, service_samples
from tenure.store.database import Transaction
from tenure.store.service_samples import Totals

MONITORS: dict[ObjectiveKind, MonitorKind] = {"availability": "slo_availability", "latency": "slo_latency"}
"""What watches the budget of each objective."""
LATE_US = 5 * SECOND_US
"""For so long after a minute's end its samples may still be under way."""


class Rule(NamedTuple):
    """Two windows, in minutes, and the share of the budget that is gone when the long one has burnt at its factor."""

    urgency: Urgency
    long_minutes: int
    short_minutes: int
    budget_share: float

    def factor(self, over_days: int) -> float:
        return error_budget.factor(self.budget_share, self.long_minutes / 60, over_days)


RULES = (
    Rule("page", 60, 5, 0.02),
    Rule("page", 360, 30, 0.05),
    Rule("ticket", 4320, 360, 0.10),
)
"""Table 5-8 of the Site Reliability Workbook; over 30 days their factors are 14.4, 6 and 1."""

WIDTHS_MINUTES = sorted({minutes for rule in RULES for minutes in (rule.long_minutes, rule.short_minutes)})


class Objective(NamedTuple):
    """One promise: of which share of requests (0–1) how many may break it."""

    kind: ObjectiveKind
    target: float
    over_days: int
    latency_ms: float | None = None

    @property
    def allowed(self) -> float:
        return 1 - self.target

    @property
    def objective_us(self) -> int:
        return round(self.latency_ms * 1000) if self.latency_ms else 0

    def spent(self, totals: Totals) -> Spent:
        if self.kind == "latency":
            return Spent(total=totals.timed, bad=totals.slow)
        return Spent(total=totals.answered + totals.failed, bad=totals.failed)


def objectives_of(promise: Promise | None) -> list[Objective]:
    """What a model's file promises, as objectives."""
    found = []
    if promise is not None and promise.availability is not None:
        found.append(Objective("availability", promise.availability, promise.over_days))
    if promise is not None and promise.latency_ms is not None:
        found.append(Objective("latency", promise.latency_share, promise.over_days, promise.latency_ms))
    return found


def promised(tx: Transaction, endpoint: str) -> list[Objective]:
    """The objectives of an endpoint, by the file of its model."""
    about = endpoints.get(tx, endpoint)
    applied = model_files.current(tx, about.model) if about else None
    return objectives_of(applied.file.service if applied else None)


def budgets(tx: Transaction, endpoint: str, now: Instant) -> list[Budget]:
    """Every objective of an endpoint as it stands now, with its burn rates."""
    objectives = promised(tx, endpoint)
    if not objectives:
        return []
    # Windows are made of whole minutes, and minutes become hours only once no window needs them.
    until = seen_until(now)
    begins = [until - minutes * MINUTE_US for minutes in WIDTHS_MINUTES]
    begins.append((until - objectives[0].over_days * DAY_US) // HOUR_US * HOUR_US)
    objective_us = max(one.objective_us for one in objectives)
    found = service_samples.totals(tx, endpoint, begins, until, objective_us=objective_us)
    return [budget(one, found[:-1], found[-1], until) for one in objectives]


def seen_until(now: Instant) -> int:
    """The end of the last minute whose samples have come."""
    return (now - LATE_US) // MINUTE_US * MINUTE_US


def period(objective: Objective, totals: Totals, until: int) -> tuple[float, float]:
    """Of how many days and of which share of its period an objective was seen, at least an hour."""
    since = until if totals.since is None else totals.since
    days = min(max(until - since, HOUR_US) / DAY_US, objective.over_days)
    return days, days / objective.over_days


def budget(objective: Objective, lately: Sequence[Totals], whole: Totals, until: int) -> Budget:
    """What is left of an objective's budget, from requests of each of `WIDTHS_MINUTES` and of its period. Pure."""
    by_width = dict(zip(WIDTHS_MINUTES, map(objective.spent, lately), strict=True))
    spent, (days, share) = objective.spent(whole), period(objective, whole, until)
    left = error_budget.remaining(spent.bad, spent.total, objective.allowed, share)
    rate = _rate(by_width[60], objective)
    return Budget(
        objective=objective.kind,
        target=objective.target,
        allowed=objective.allowed,
        over_days=objective.over_days,
        latency_ms=objective.latency_ms,
        spent=spent,
        seen_days=days,
        remaining=left,
        gone_in_hours=error_budget.hours_left(left, rate, objective.over_days),
        rules=_rules(objective, by_width),
    )


def _rules(objective: Objective, by_width: dict[int, Spent]) -> list[Burning]:
    return [
        Burning(
            urgency=rule.urgency,
            long_minutes=rule.long_minutes,
            short_minutes=rule.short_minutes,
            factor=rule.factor(objective.over_days),
            long=by_width[rule.long_minutes],
            short=by_width[rule.short_minutes],
            long_rate=_rate(by_width[rule.long_minutes], objective),
            short_rate=_rate(by_width[rule.short_minutes], objective),
        )
        for rule in RULES
    ]


def _rate(spent: Spent, objective: Objective) -> float:
    return error_budget.burn_rate(spent.bad, spent.total, objective.allowed)


def rates(budget: Budget) -> dict[int, float]:
    """How fast a budget burns in each window that a rule looks at, by its minutes, the shortest first."""
    found = {one.short_minutes: one.short_rate for one in budget.rules}
    found |= {one.long_minutes: one.long_rate for one in budget.rules}
    return dict(sorted(found.items()))


def urgent(rules: Sequence[Burning], urgency: Urgency) -> list[Burning]:
    return [one for one in rules if one.urgency == urgency]
