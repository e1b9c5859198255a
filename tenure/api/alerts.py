"""Routes about alerts."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.params import Parameter

from tenure.access import ALERT, LISTED
from tenure.monitor import alerts
from tenure.records.alerts import Acknowledgement, Alert, AlertState
from tenure.records.people import Permission, Principal
from tenure.store.ground import Ground


@get("/api/v1/alerts", permission=Permission.READ, subject=LISTED, sync_to_thread=True)
def search_alerts(
    ground: Ground,
    principal: Principal,
    endpoint: str | None = None,
    alert_state: Annotated[AlertState | None, Parameter(query="state")] = None,
    limit: Annotated[int, Parameter(ge=1, le=1000)] = 100,
) -> list[Alert]:
    """Alerts, latest event time first: of one endpoint, in one state."""
    models = principal.models(Permission.READ)
    return ground.database.read(
        lambda tx: alerts.search(tx, endpoint=endpoint, state=alert_state, limit=limit, models=models)
    )


@post(
    "/api/v1/alerts/{alert_id:str}/acknowledge",
    permission=Permission.MANAGE,
    subject=ALERT,
    sync_to_thread=True,
    status_code=200,
)
def acknowledge_alert(alert_id: str, data: Acknowledgement, ground: Ground, principal: Principal) -> Alert:
    """Say that somebody looks after a firing alert, and why it may wait."""
    return ground.database.write(
        lambda tx: alerts.acknowledge(tx, alert_id, reason=data.reason, by=principal.name, now=ground.clock())
    )


handlers = [search_alerts, acknowledge_alert]
