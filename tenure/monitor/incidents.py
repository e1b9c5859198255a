"""Alerts as incidents: what belongs together on one card, what its root may be, and which one comes first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from tenure.monitor import looking_back
from tenure.records.alerts import Alert, AlertState, Severity
from tenure.records.base import DAY_US, Instant
from tenure.records.incidents import Cause, Family, Incident, Mute, Stake
from tenure.records.windows import Interval, Window
from tenure.store import alerts as stored
from tenure.store import endpoints, mutes
from tenure.store.database import Transaction

STATES: tuple[AlertState, ...] = ("firing", "acknowledged", "pending", "resolved")
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "note")
SERVICE = ("latency", "slo_availability", "slo_latency")
UPSTREAM = ("data_quality", "drift")
"""What comes in, before what goes wrong because of it: any other monitor tells of an effect."""
LISTED_LIMIT = 300
LOOKED_BACK = 12
"""Windows among which the latest that tells of value is looked for."""


class About(NamedTuple):
    """What is known beside the alerts: each endpoint's model, what it puts at stake, which mutes there are."""

    model_of: Mapping[str, str]
    stakes: Mapping[str, Stake]
    mutes: Sequence[Mute]
    now: int


def search(
    tx: Transaction,
    *,
    endpoint: str | None = None,
    state: AlertState | None = None,
    models: Collection[str] | None = None,
    now: Instant,
    limit: int = LISTED_LIMIT,
) -> list[Incident]:
    """Incidents, the most urgent first: with `state` those of which an alert is in it, with `models` theirs only.

    Of what is over, the latest `limit` alerts are looked at; of what is not, all of each state up to `limit`.
    """
    found: dict[str, Alert] = {}
    for wanted in (None, *STATES[:-1]):
        for alert in stored.search(tx, endpoint=endpoint, state=wanted, limit=limit, models=models):
            found.setdefault(alert.alert_id, alert)
    incidents = ranked(grouped(found.values(), about(tx, found.values(), now)))
    return [one for one in incidents if state is None or any(alert.state == state for alert in one.alerts)]


def about(tx: Transaction, alerts: Iterable[Alert], now: Instant) -> About:
    """What is stored beside some alerts."""
    names = sorted({alert.endpoint for alert in alerts})
    open_at = {alert.endpoint for alert in alerts if alert.state != "resolved"}
    stakes = {name: stake_of(looking_back.lately(tx, name, LOOKED_BACK, role="champion")) for name in open_at}
    models = {name: endpoint.model for name in names if (endpoint := endpoints.get(tx, name)) is not None}
    in_force = [mute for name in names for mute in mutes.in_force(tx, name, now)]
    return About(models, {name: stake for name, stake in stakes.items() if stake is not None}, in_force, now)


def grouped(alerts: Iterable[Alert], known: About) -> list[Incident]:
    """One incident for alerts of one model and family whose spans overlap, directly or through others.

    An alert spans from the beginning of the window that opened it to the end of the last window that kept it open.
    What slows answers down is another family than what makes them wrong: one is no cause of the other.
    """
    families: dict[tuple[str, Family], list[Alert]] = {}
    for alert in alerts:
        key = (known.model_of.get(alert.endpoint, alert.endpoint), family_of(alert))
        families.setdefault(key, []).append(alert)
    made = []
    for (model, family), members in families.items():
        together: list[Alert] = []
        until = 0
        for alert in sorted(members, key=lambda one: (span_of(one), one.alert_id)):
            start, end = span_of(alert)
            if together and start >= until:
                made.append(_incident(model, family, together, known))
                together = []
            together.append(alert)
            until = max(until, end) if len(together) > 1 else end
        made.append(_incident(model, family, together, known))
    return made


def ranked(incidents: Iterable[Incident]) -> list[Incident]:
    """The most urgent first: what is told before what is muted, by state, by money at stake, by severity, by traffic.

    An incident whose money is not known stands after those whose money is.
    """
    return sorted(incidents, key=_urgency)


def family_of(alert: Alert) -> Family:
    return "service" if alert.monitor in SERVICE else "data"


def span_of(alert: Alert) -> tuple[int, int]:
    """Event time from the beginning of the window that opened an alert to the end of the last that kept it open."""
    width = alert.evidence.window_end_at - alert.evidence.window_start_at
    return alert.event_at - width, max(alert.event_at, alert.evidence.window_end_at)


def causes_of(alerts: Iterable[Alert]) -> list[Cause]:
    """What alerts are about, upstream first: broken data, then drift, then effects; then what was seen first."""
    firsts: dict[str, list[Alert]] = {}
    for alert in alerts:
        firsts.setdefault(alert.subject, []).append(alert)

    def place(subject: str) -> tuple[int, int, str]:
        members = firsts[subject]
        return min(_depth(one) for one in members), min(one.event_at for one in members), subject

    return [
        Cause(subject=subject, monitors=list(dict.fromkeys(one.monitor for one in sorted(firsts[subject], key=_depth))))
        for subject in sorted(firsts, key=place)
    ]


def stake_of(windows_found: Sequence[Window]) -> Stake | None:
    """What an endpoint's champion puts at stake by its windows, the latest first; None without any.

    Traffic is the latest window's, or the last day's in windows of hours; a prediction's value is that of the latest
    window that tells it.
    """
    if not windows_found:
        return None
    latest = windows_found[0]
    of_day = [one for one in windows_found if one is latest or one.start_at >= latest.end_at - DAY_US]
    covered = latest.end_at - min(one.start_at for one in of_day)
    per_day = sum(one.predictions for one in of_day) / (covered / DAY_US)
    told = next((one for one in windows_found if one.value_per_prediction.value is not None), None)
    if told is None:
        return Stake(predictions_per_day=per_day, start_at=latest.start_at, end_at=latest.end_at)
    return Stake(
        predictions_per_day=per_day,
        start_at=told.start_at,
        end_at=told.end_at,
        outcomes=told.outcomes,
        per_day=_times(told.value_per_prediction, per_day),
    )


def is_muted(alert: Alert, known: Iterable[Mute], now: int) -> bool:
    return any(mute.holds(now) and mute.covers(alert) for mute in known)


def _incident(model: str, family: Family, alerts: Sequence[Alert], known: About) -> Incident:
    open_ones = [one for one in alerts if one.state != "resolved"]
    causes = causes_of(alerts)
    names = sorted({one.endpoint for one in alerts})
    at_stake = sorted({one.endpoint for one in open_ones})
    return Incident(
        incident_id=min(one.alert_id for one in alerts),
        model=model,
        family=family,
        state=min((one.state for one in alerts), key=STATES.index),
        severity=min((one.severity for one in open_ones or alerts), key=SEVERITIES.index),
        headline=_headline(model, causes),
        causes=causes,
        alerts=sorted(alerts, key=lambda one: (STATES.index(one.state), _depth(one), one.event_at, one.alert_id)),
        start_at=min(span_of(one)[0] for one in alerts),
        end_at=max(span_of(one)[1] for one in alerts),
        endpoints=names,
        stake=_together([known.stakes[name] for name in at_stake if name in known.stakes]),
        muted=bool(open_ones) and all(is_muted(one, known.mutes, known.now) for one in open_ones),
    )


def _headline(model: str, causes: Sequence[Cause]) -> str:
    """`flights: temp (data quality, drift), and with it roc_auc (accuracy)`."""
    told = [f"{one.subject} ({', '.join(kind.replace('_', ' ') for kind in one.monitors)})" for one in causes]
    more = f" and {len(told) - 3} more" if len(told) > 3 else ""
    effects = f", and with it {', '.join(told[1:3])}{more}" if len(told) > 1 else ""
    return f"{model}: {told[0]}{effects}"


def _together(stakes: Sequence[Stake]) -> Stake | None:
    """Of several endpoints: the sum. Intervals are added end to end: wide enough, however they hang together."""
    if not stakes:
        return None
    told = [one.per_day for one in stakes if one.per_day is not None]
    return Stake(
        predictions_per_day=sum(one.predictions_per_day for one in stakes),
        start_at=min(one.start_at for one in stakes),
        end_at=max(one.end_at for one in stakes),
        outcomes=sum(one.outcomes for one in stakes),
        per_day=Interval(
            value=sum(one.value or 0.0 for one in told),
            low=_sum([one.low for one in told]),
            high=_sum([one.high for one in told]),
            confidence=told[0].confidence,
        )
        if told
        else None,
    )


def _sum(numbers: Sequence[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None


def _times(one: Interval, count: float) -> Interval:
    def scaled(number: float | None) -> float | None:
        return None if number is None else number * count

    return Interval(value=scaled(one.value), low=scaled(one.low), high=scaled(one.high), confidence=one.confidence)


def _depth(alert: Alert) -> int:
    return UPSTREAM.index(alert.monitor) if alert.monitor in UPSTREAM else len(UPSTREAM)


def _urgency(one: Incident) -> tuple[bool, int, bool, float, int, float, int, str]:
    money = one.stake.per_day.value if one.stake and one.stake.per_day else None
    return (
        one.muted,
        STATES.index(one.state),
        money is None,
        -abs(money or 0.0),
        SEVERITIES.index(one.severity),
        -(one.stake.predictions_per_day if one.stake else 0.0),
        -one.end_at,
        one.incident_id,
    )
