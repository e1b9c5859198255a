"""Routes about alerts."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.params import Parameter
from litestar.response import Stream

from tenure.access import ALERT, ENDPOINT, LISTED
from tenure.monitor import alert_rows, alerts, incidents, mutes, notices
from tenure.monitor.alert_rows import RowsQuery
from tenure.records.alerts import Acknowledgement, Alert, AlertState, RowsForm
from tenure.records.incidents import ChannelInfo, Incident, Mute, NewMute, Notice, Trial, Unmuting
from tenure.records.people import Permission, Principal
from tenure.store import notices as told
from tenure.store.database import Transaction
from tenure.store.ground import Ground

MEDIA: dict[RowsForm, str] = {"parquet": "application/vnd.apache.parquet", "csv": "text/csv"}


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


@get("/api/v1/incidents", permission=Permission.READ, subject=LISTED, sync_to_thread=True)
def list_incidents(
    ground: Ground,
    principal: Principal,
    endpoint: str | None = None,
    alert_state: Annotated[AlertState | None, Parameter(query="state")] = None,
) -> list[Incident]:
    """Alerts of one model that belong together, the most urgent first: by state, money at stake, severity, traffic."""
    models, now = principal.models(Permission.READ), ground.clock()
    return ground.database.read(
        lambda tx: incidents.search(tx, endpoint=endpoint, state=alert_state, models=models, now=now)
    )


@get("/api/v1/alerts/{alert_id:str}/notices", permission=Permission.READ, subject=ALERT, sync_to_thread=True)
def list_notices(alert_id: str, ground: Ground) -> list[Notice]:
    """Which channels were told of an alert, when, and of what."""

    def load(tx: Transaction) -> list[Notice]:
        alerts.get(tx, alert_id)
        return told.of_alerts(tx, [alert_id]).get(alert_id, [])

    return ground.database.read(load)


@get("/api/v1/alerts/{alert_id:str}/query", permission=Permission.READ, subject=ALERT, sync_to_thread=True)
def get_alert_query(alert_id: str, ground: Ground) -> RowsQuery:
    """The DuckDB query over the lake that gives the rows behind an alert, without protected columns."""
    return ground.database.read(lambda tx: alert_rows.query(tx, alert_id))


@get("/api/v1/alerts/{alert_id:str}/rows", permission=Permission.MANAGE, subject=ALERT, sync_to_thread=True)
def get_alert_rows(ground: Ground, principal: Principal, alert_id: str, form: RowsForm = "parquet") -> Stream:
    """The rows behind an alert as Parquet or CSV; protected columns are there for who has the permission `protect`.
    The audit log is told of it."""
    may = principal.permissions >= {Permission.PROTECT}
    bits = alert_rows.hand_out(ground, alert_id, form, protected=may, by=principal.name, now=ground.clock())
    headers = {"Content-Disposition": f"attachment; filename={alert_id}.{form}", "Cache-Control": "no-store"}
    return Stream(bits, media_type=MEDIA[form], headers=headers)


@get("/api/v1/mutes", permission=Permission.READ, subject=LISTED, sync_to_thread=True)
def list_mutes(ground: Ground, principal: Principal) -> list[Mute]:
    """The mutes that hold now."""
    models, now = principal.models(Permission.READ), ground.clock()
    return ground.database.read(lambda tx: mutes.in_force(tx, models=models, now=now))


@get("/api/v1/endpoints/{name:str}/mutes", permission=Permission.READ, subject=ENDPOINT, sync_to_thread=True)
def list_endpoint_mutes(name: str, ground: Ground) -> list[Mute]:
    """Every mute that an endpoint ever had, the newest first."""
    return ground.database.read(lambda tx: mutes.history(tx, name))


@post("/api/v1/endpoints/{name:str}/mutes", permission=Permission.MANAGE, subject=ENDPOINT, sync_to_thread=True)
def mute_alerts(name: str, data: NewMute, ground: Ground, principal: Principal) -> Mute:
    """Have nobody told of some alerts of an endpoint for a while; they are recorded all the same."""
    return ground.database.write(lambda tx: mutes.mute(tx, name, data, by=principal.name, now=ground.clock()))


@post(
    "/api/v1/endpoints/{name:str}/mutes/{mute_id:str}/end",
    permission=Permission.MANAGE,
    subject=ENDPOINT,
    sync_to_thread=True,
    status_code=200,
)
def unmute_alerts(name: str, mute_id: str, data: Unmuting, ground: Ground, principal: Principal) -> Mute:
    """End a mute before its time; what fires still is told of then."""
    return ground.database.write(
        lambda tx: mutes.unmute(tx, name, mute_id, reason=data.reason, by=principal.name, now=ground.clock())
    )


@get("/api/v1/alert-channels", permission=Permission.READ, sync_to_thread=True)
def list_channels(ground: Ground) -> list[ChannelInfo]:
    """The channels that the operator named, without their addresses, with what waits and what was sent last."""
    return ground.database.read(lambda tx: notices.channels(tx, ground.settings))


@post("/api/v1/alert-channels/{name:str}/test", permission=Permission.MANAGE, sync_to_thread=True, status_code=200)
def try_channel(name: str, ground: Ground, principal: Principal) -> Trial:
    """Send an example to a channel; the list of channels says what became of it."""
    return ground.database.write(
        lambda tx: notices.try_out(tx, ground.settings, name, by=principal.name, now=ground.clock())
    )


handlers = [
    search_alerts,
    acknowledge_alert,
    list_incidents,
    list_notices,
    get_alert_query,
    get_alert_rows,
    list_mutes,
    list_endpoint_mutes,
    mute_alerts,
    unmute_alerts,
    list_channels,
    try_channel,
]
