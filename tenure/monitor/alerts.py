"""Alerts: opened by what a window proves, acknowledged by people, resolved by a later window that is in order.

There is at most one open alert for an endpoint, a monitor and a subject; later breaches bring it up to date. Alerts
follow the champion's windows: what a challenger or a shadow does is judged and shown, but wakes nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from tenure.errors import Conflict, NotFound
from tenure.records.alerts import Alert, Evidence, MonitorKind, Severity
from tenure.records.base import Instant, new_id
from tenure.store import alerts as stored
from tenure.store import audit
from tenure.store.database import Transaction

WATCHER = "tenure-worker"
SEVERITY: dict[MonitorKind, Severity] = {
    "accuracy": "critical",
    "calibration": "warning",
    "drift": "warning",
    "data_quality": "warning",
    "latency": "warning",
    "harm": "critical",
    "estimate": "warning",
    "label_lag": "warning",
    "slo_availability": "critical",
    "slo_latency": "critical",
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One monitor's word on one subject. `provisional`: outcomes that are still missing may change it. `anew`: proven
    once more since it was acknowledged, so that it fires again. `severity`: where it is not the monitor's own."""

    monitor: MonitorKind
    subject: str
    breach: bool
    provisional: bool
    message: str
    evidence: Evidence
    anew: bool = False
    severity: Severity | None = None


def follow(
    tx: Transaction, endpoint: str, findings: Iterable[Finding], *, now: Instant, cooldown_us: int = 0
) -> list[Alert]:
    """Open, bring up to date and resolve an endpoint's alerts by what its windows say; those that changed, as they are.

    Findings about one subject come in the order of their windows. `cooldown_us`: for so long of event time after an
    alert was resolved, the same breach opens no new one.
    """
    open_alerts = stored.unresolved(tx, endpoint)
    resolved_at = {key: at + cooldown_us for key, at in stored.last_resolved(tx, endpoint).items()}
    changed: dict[str, Alert] = {}
    for finding in findings:
        key = (finding.monitor, finding.subject)
        before = open_alerts.pop(key, None)
        after = followed(before, finding, endpoint, resolved_at.get(key, 0), now)
        if after is not None:
            _keep(tx, before, after, now)
            changed[after.alert_id] = after
        kept = after or before
        if kept is not None and kept.state == "resolved":
            resolved_at[key] = (kept.resolved_event_at or 0) + cooldown_us
        elif kept is not None:
            open_alerts[key] = kept
    return list(changed.values())


def followed(alert: Alert | None, finding: Finding, endpoint: str, resolved_at: int, now: Instant) -> Alert | None:
    """The alert after a finding; None when the finding changes nothing. Pure but for the id of a new alert.

    `resolved_at`: event time until which an alert of this kind was resolved before, with what it is to cool down;
    windows that end earlier open no new one.
    """
    window_end = finding.evidence.window_end_at
    if alert is None:
        return _opened(finding, endpoint, now) if finding.breach and window_end > resolved_at else None
    if window_end < alert.evidence.window_end_at:
        return None
    if finding.breach:
        firing = (alert.state == "pending" and not finding.provisional) or finding.anew
        state = "firing" if firing else alert.state
        evidence, message = finding.evidence, finding.message
        return msgspec.structs.replace(alert, state=state, message=message, evidence=evidence, changed_at=now)
    ends_itself = alert.state == "pending" or alert.monitor == "estimate"  # a guess is ended by its own window's truth
    if finding.provisional or (window_end == alert.evidence.window_end_at and not ends_itself):
        return None
    return msgspec.structs.replace(alert, state="resolved", resolved_event_at=window_end, changed_at=now)


def acknowledge(tx: Transaction, alert_id: str, *, reason: str, by: str, now: Instant) -> Alert:
    """Say that somebody looks after a firing alert. Raises NotFound, and Conflict when it does not fire."""
    alert = get(tx, alert_id)
    if alert.state != "firing":
        raise Conflict(f"Only a firing alert can be acknowledged. Alert {alert_id!r} is {alert.state}.")
    after = msgspec.structs.replace(alert, state="acknowledged", changed_at=now)
    stored.put(tx, after)
    audit.append(
        tx, "alert.acknowledged", subject=_subject(alert), by=by, at=now, detail={"reason": reason, **_about(alert)}
    )
    return after


def get(tx: Transaction, alert_id: str) -> Alert:
    alert = stored.get(tx, alert_id)
    if alert is None:
        raise NotFound(f"There is no alert {alert_id!r}. GET /api/v1/alerts lists those there are.")
    return alert


def search(
    tx: Transaction,
    *,
    endpoint: str | None = None,
    state: str | None = None,
    limit: int = 100,
    models: Collection[str] | None = None,
) -> list[Alert]:
    """Alerts, latest event time first; with `models`, of their endpoints only."""
    return stored.search(tx, endpoint=endpoint, state=state, limit=limit, models=models)


def _opened(finding: Finding, endpoint: str, now: Instant) -> Alert:
    return Alert(
        alert_id=new_id(now),
        endpoint=endpoint,
        monitor=finding.monitor,
        subject=finding.subject,
        state="pending" if finding.provisional else "firing",
        severity=finding.severity or SEVERITY[finding.monitor],
        message=finding.message,
        evidence=finding.evidence,
        event_at=finding.evidence.window_end_at,
        opened_at=now,
        changed_at=now,
    )


def _keep(tx: Transaction, before: Alert | None, after: Alert, now: Instant) -> None:
    """Store an alert; what people may act on, that it fires or is over, is audited."""
    stored.put(tx, after)
    was = before.state if before else None
    if after.state != was and after.state in ("firing", "resolved") and (was, after.state) != ("pending", "resolved"):
        action = "alert.opened" if after.state == "firing" else "alert.resolved"
        audit.append(tx, action, subject=_subject(after), by=WATCHER, at=now, detail=_about(after))


def _subject(alert: Alert) -> str:
    return f"endpoints/{alert.endpoint}"


def _about(alert: Alert) -> dict[str, object]:
    return {
        "alert_id": alert.alert_id,
        "monitor": alert.monitor,
        "subject": alert.subject,
        "message": alert.message,
        "evidence": msgspec.to_builtins(alert.evidence),
    }
