"""Alarms about error budgets: raised while a budget burns too fast, by the clock, and over once it no longer does.

Each objective is looked at once a minute by the rules of the Site Reliability Workbook, chapter 5: an alarm needs the
long and the short window of a rule to burn at its factor, and the long one to be proven to burn at all, by the exact
binomial bound. So one failure among three requests is none, however fast it "burns".

How often it calls by chance: `FALSE_ALARMS_PER_YEAR`, one in a hundred years, at most, for each endpoint, beside the
budget of the other monitors and taken from none of them. The level of one look is that, shared out over all looks of a
year at all rules of both objectives (`stats/budget.py`), for a service that keeps its objective and whose requests fail
independently. Failures that come in bursts do burn the budget for as long as they last, and call.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from tenure.monitor import alerts, service_levels, service_samples
from tenure.monitor.alerts import Finding
from tenure.monitor.service_levels import MONITORS, RULES
from tenure.records.alerts import Alert, Evidence, Severity
from tenure.records.base import HOUR_US, SECOND_US, Instant
from tenure.records.service_levels import MINUTE_US, Budget, Burning, ObjectiveKind, Spent, Urgency
from tenure.store import alerts as stored
from tenure.store import endpoints, releases
from tenure.store.database import Transaction
from tenure.store.ground import Ground

log = logging.getLogger("tenure.monitor")

FALSE_ALARMS_PER_YEAR = 0.01
OBJECTIVES: tuple[ObjectiveKind, ...] = ("availability", "latency")
LOOKS_PER_YEAR = 365.25 * 24 * 60
SUBJECTS: dict[Urgency, str] = {"page": "fast burn", "ticket": "slow burn"}
SEVERITIES: dict[Urgency, Severity] = {"page": "critical", "ticket": "warning"}
WORDS: dict[ObjectiveKind, str] = {"availability": "were not answered", "latency": "were answered too late"}
DAY_HOURS = 24

Standing: TypeAlias = "dict[tuple[str, str], Alert]"
"""An endpoint's alerts that are not over, by monitor and subject."""


class Watcher:
    """Takes samples in as they come, looks at every budget once a minute, and thins what is old once an hour."""

    def __init__(self) -> None:
        self._looked_at = 0
        self._thinned_at = 0

    def look_due(self, ground: Ground, now: Instant) -> bool:
        """Do what is due by the clock; False when nothing was."""
        moved = service_samples.take_in(ground)
        if now // MINUTE_US != self._looked_at // MINUTE_US and now % MINUTE_US >= service_levels.LATE_US:
            self._looked_at = now
            moved = look(ground, now) or moved
        if now >= self._thinned_at + HOUR_US:
            self._thinned_at = now
            moved = service_samples.thin(ground, now) or moved
        return moved


def look(ground: Ground, now: Instant) -> bool:
    """Look at the budgets of every endpoint; False when no alert came of it."""
    changed = False
    for endpoint in ground.database.read(endpoints.list_all):
        try:
            changed = _look_at(ground, endpoint.name, now) or changed
        except Exception:  # one endpoint's trouble must not leave the others unwatched
            log.exception("the error budgets of endpoint %s cannot be judged; it is tried again", endpoint.name)
    return changed


def _look_at(ground: Ground, endpoint: str, now: Instant) -> bool:
    with ground.database.reading() as tx:
        standing = stored.unresolved(tx, endpoint)
        found = _findings(tx, endpoint, standing, now)
    news = [one for one in found if one.breach or (one.monitor, one.subject) in standing]
    if not news:
        return False
    return bool(ground.database.write(lambda tx: alerts.follow(tx, endpoint, news, now=now)))


def _findings(tx: Transaction, endpoint: str, standing: Standing, now: Instant) -> list[Finding]:
    budgets = service_levels.budgets(tx, endpoint, now)
    champion = next((one.version for one in releases.open_ones(tx, endpoint=endpoint) if one.role == "champion"), 0)
    until = service_levels.seen_until(now)
    found = [one for budget in budgets for one in findings(endpoint, budget, standing, champion, until)]
    return found + list(_no_longer_promised(endpoint, budgets, standing.values(), until))


def findings(endpoint: str, budget: Budget, standing: Standing, version: int, until_at: int) -> list[Finding]:
    """What the rules say of a budget: one finding to wake people by, one to look into by day. Pure.

    An alert that stands stays until the short window of the rule that called burns no more.
    """
    found = []
    for urgency, subject in SUBJECTS.items():
        rules = service_levels.urgent(budget.rules, urgency)
        called = _called_by(standing.get((MONITORS[budget.objective], subject)))
        burning = [one for one in rules if burns(one, budget.allowed, is_open=one.long_minutes == called)]
        rule = burning[0] if burning else rules[0]
        found.append(_finding(endpoint, budget, rule, version, until_at, breach=bool(burning)))
    return found


def burns(rule: Burning, allowed: float, *, is_open: bool) -> bool:
    """Whether a rule calls: both windows burn and the long one is proven to; an alarm that it opened holds while the
    short one burns."""
    if rule.short_rate < rule.factor:
        return False
    return is_open or (rule.long_rate >= rule.factor and is_proven(rule.long, allowed))


def _called_by(alert: Alert | None) -> int:
    """The long window, in minutes, of the rule that an alert comes from; 0 without one."""
    proof = alert.evidence if alert else None
    return (proof.window_end_at - proof.window_start_at) // MINUTE_US if proof else 0


def is_proven(spent: Spent, allowed: float) -> bool:
    """Whether more than the allowed share of requests broke the objective, by more than chance explains."""
    return _chance(spent, allowed) < _level()


def _level() -> float:
    from tenure.stats.budget import level_per_test  # here, since it brings scipy, and most servers promise nothing

    return level_per_test(FALSE_ALARMS_PER_YEAR, LOOKS_PER_YEAR, len(RULES) * len(OBJECTIVES))


def _chance(spent: Spent, allowed: float) -> float:
    """The chance of so many failures or more, if the share that is allowed failed (exact binomial: Clopper & Pearson,
    1934); 1 without any."""
    from scipy import special

    if not spent.bad:
        return 1.0
    return float(special.betainc(spent.bad, spent.total - spent.bad + 1, allowed))


def _finding(endpoint: str, budget: Budget, rule: Burning, version: int, until_at: int, *, breach: bool) -> Finding:
    return Finding(
        monitor=MONITORS[budget.objective],
        subject=SUBJECTS[rule.urgency],
        breach=breach,
        provisional=False,
        message=words(endpoint, budget, rule, breach=breach),
        evidence=Evidence(
            measure=f"{budget.objective}_burn_rate",
            value=rule.long_rate,
            threshold=rule.factor,
            direction="above",
            p_value=_chance(rule.long, budget.allowed),
            level=_level(),
            n_window=rule.long.total,
            window_start_at=until_at - rule.long_minutes * MINUTE_US,
            window_end_at=until_at,
            version=version,
        ),
        severity=SEVERITIES[rule.urgency],
    )


def words(endpoint: str, budget: Budget, rule: Burning, *, breach: bool) -> str:
    """Which budget burns, how fast, how much of it is spent and when it will be gone."""
    within = f" within {budget.latency_ms:g} ms" if budget.latency_ms else ""
    promise = f"the {budget.objective} budget of endpoint {endpoint!r} ({_percent(budget.target)} of requests{within} "
    promise += f"over {budget.over_days} days)"
    lately = f"{rule.long.bad:,} of {rule.long.total:,} requests of the last {_minutes(rule.long_minutes)}"
    if not breach:
        return (
            f"{promise[0].upper()}{promise[1:]} no longer burns {rule.factor:.3g} times as fast as it lasts: "
            f"{rule.short.bad:,} of {rule.short.total:,} requests of the last {_minutes(rule.short_minutes)} "
            f"{WORDS[budget.objective]}. {_percent(1 - budget.remaining)} of it is spent."
        )
    return (
        f"{promise[0].upper()}{promise[1:]} burns {rule.long_rate:.3g} times as fast as it lasts: {lately} "
        f"{WORDS[budget.objective]}. {_percent(1 - budget.remaining)} of it is spent{_gone(budget, rule)}."
    )


def _gone(budget: Budget, rule: Burning) -> str:
    from tenure.stats.error_budget import hours_left

    hours = hours_left(budget.remaining, rule.long_rate, budget.over_days)
    if hours is None:
        return ""
    if hours == 0:
        return ": nothing is left"
    told = f"{hours:.1f} hours" if hours < 2 * DAY_HOURS else f"{hours / DAY_HOURS:.1f} days"
    return f"; at this rate the rest is gone in {told}"


def _no_longer_promised(
    endpoint: str, budgets: Sequence[Budget], standing: Iterable[Alert], until_at: int
) -> Iterable[Finding]:
    kept = {MONITORS[one.objective] for one in budgets}
    for alert in standing:
        if alert.monitor in MONITORS.values() and alert.monitor not in kept:
            evidence = Evidence(
                measure=alert.evidence.measure,
                value=0.0,
                threshold=alert.evidence.threshold,
                direction="above",
                window_start_at=alert.evidence.window_start_at,
                window_end_at=max(until_at, alert.evidence.window_end_at + SECOND_US),
                version=alert.evidence.version,
            )
            yield Finding(
                monitor=alert.monitor,
                subject=alert.subject,
                breach=False,
                provisional=False,
                message=f"The model's file of endpoint {endpoint!r} promises this no longer.",
                evidence=evidence,
            )


def _percent(share: float) -> str:
    """
    >>> _percent(0.999), _percent(0.5), _percent(1.25)
    ('99.9 %', '50 %', '125 %')
    """
    return f"{round(share * 100, 4):.6g} %"


def _minutes(minutes: int) -> str:
    """
    >>> [_minutes(n) for n in (5, 60, 360, 4320)]
    ['5 minutes', 'hour', '6 hours', '3 days']
    """
    if minutes == 60:
        return "hour"
    if minutes < 60:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 2880 else f"{minutes // 1440} days"
