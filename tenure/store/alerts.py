"""Alerts as stored."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
import sqlalchemy as sa

from tenure.records.alerts import Alert, Evidence
from tenure.store import tables
from tenure.store.database import Transaction

_column = tables.alerts.c


def put(tx: Transaction, alert: Alert) -> None:
    """Store an alert, in place of what was stored of it before."""
    values = {
        "endpoint": alert.endpoint,
        "monitor": alert.monitor,
        "subject": alert.subject,
        "state": alert.state,
        "severity": alert.severity,
        "message": alert.message,
        "body": msgspec.json.encode(alert.evidence).decode(),
        "event_at": alert.event_at,
        "opened_at": alert.opened_at,
        "changed_at": alert.changed_at,
        "resolved_event_at": alert.resolved_event_at,
    }
    same = _column.alert_id == alert.alert_id
    if tx.execute(sa.update(tables.alerts).where(same).values(**values)).rowcount == 0:
        tx.execute(sa.insert(tables.alerts).values(alert_id=alert.alert_id, **values))


def get(tx: Transaction, alert_id: str) -> Alert | None:
    row = tx.execute(sa.select(tables.alerts).where(_column.alert_id == alert_id)).first()
    return _alert(row) if row else None


def unresolved(tx: Transaction, endpoint: str) -> dict[tuple[str, str], Alert]:
    """The open alerts of an endpoint by monitor and subject; there is at most one of each."""
    query = sa.select(tables.alerts).where(_column.endpoint == endpoint, _column.state != "resolved")
    return {(row.monitor, row.subject): _alert(row) for row in tx.execute(query)}


def search(
    tx: Transaction,
    *,
    endpoint: str | None = None,
    state: str | None = None,
    limit: int = 100,
    models: Collection[str] | None = None,
) -> list[Alert]:
    """Alerts, latest first: of one endpoint, in one state, of endpoints of these models."""
    query = sa.select(tables.alerts).order_by(_column.event_at.desc(), _column.alert_id.desc()).limit(limit)
    if endpoint is not None:
        query = query.where(_column.endpoint == endpoint)
    if state is not None:
        query = query.where(_column.state == state)
    if models is not None:
        theirs = sa.select(tables.endpoints.c.name).where(tables.endpoints.c.model.in_(models))
        query = query.where(_column.endpoint.in_(theirs))
    return [_alert(row) for row in tx.execute(query)]


def last_resolved(tx: Transaction, endpoint: str) -> dict[tuple[str, str], int]:
    """For each monitor and subject of an endpoint, the event time at which its latest alert was resolved."""
    query = (
        sa.select(_column.monitor, _column.subject, sa.func.max(_column.resolved_event_at))
        .where(_column.endpoint == endpoint, _column.state == "resolved")
        .group_by(_column.monitor, _column.subject)
    )
    return {(monitor, subject): resolved_at for monitor, subject, resolved_at in tx.execute(query)}


def counts(tx: Transaction) -> list[tuple[str, str, str, int]]:
    """How many alerts there are that are not over, by endpoint, state and severity."""
    names = (_column.endpoint, _column.state, _column.severity)
    query = sa.select(*names, sa.func.count()).where(_column.state != "resolved").group_by(*names).order_by(*names)
    return [(row[0], row[1], row[2], row[3]) for row in tx.execute(query)]


def opened_at_events(tx: Transaction, endpoint: str) -> list[int]:
    """For each alert that ever fired at an endpoint, the event time that opened it."""
    query = sa.select(_column.event_at).where(_column.endpoint == endpoint, _column.state != "pending")
    return list(tx.execute(query).scalars())


def _alert(row: Any) -> Alert:
    return Alert(
        alert_id=row.alert_id,
        endpoint=row.endpoint,
        monitor=row.monitor,
        subject=row.subject,
        state=row.state,
        severity=row.severity,
        message=row.message,
        evidence=msgspec.json.decode(row.body, type=Evidence),
        event_at=row.event_at,
        opened_at=row.opened_at,
        changed_at=row.changed_at,
        resolved_event_at=row.resolved_event_at,
    )
