"""Alerts of all endpoints as incidents: what fires, what somebody looks after, what is over; mutes and who was told."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.params import Parameter
from litestar.response import Redirect

from tenure.access import ALERT, ENDPOINT, LISTED
from tenure.errors import InvalidInput, NotFound
from tenure.monitor import alert_rows, alerts, incidents, mutes, notices
from tenure.records.incidents import NewMute
from tenure.records.people import Permission, Principal
from tenure.store import endpoints
from tenure.store import notices as told
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web.forms import Form, answered, record, text
from tenure.web.page import show

STATES = incidents.STATES
LISTED_LIMIT = incidents.LISTED_LIMIT
LASTS = {"1h": "1 hour", "4h": "4 hours", "1d": "1 day", "7d": "7 days", "30d": "30 days"}
Asked = Request[Any, Any, Any]


@get("/alerts", permission=Permission.READ, subject=LISTED, sync_to_thread=True, include_in_schema=False)
def page(
    request: Asked,
    ground: Ground,
    principal: Principal,
    in_state: Annotated[str, Parameter(query="state")] = "",
    endpoint: str = "",
) -> Response[str]:
    if in_state and in_state not in STATES:
        raise InvalidInput(
            f"The state of an alert must be one of {', '.join(STATES)}. Got {in_state!r}.", where="state"
        )
    return _page(request, ground, principal, in_state=in_state, endpoint=endpoint)


@get("/alerts/{alert_id:str}", permission=Permission.READ, subject=ALERT, sync_to_thread=True, include_in_schema=False)
def one_page(ground: Ground, principal: Principal, alert_id: str) -> Response[str]:
    """One alert: who was told of it, and the query of the rows behind it."""

    def load(tx: Transaction) -> dict[str, Any]:
        alert, query, why = alerts.get(tx, alert_id), None, ""
        try:
            query = alert_rows.query(tx, alert_id)
        except NotFound as none:
            why = none.message
        return {
            "alert": alert,
            "query": query,
            "why": why,
            "notices": told.of_alerts(tx, [alert_id]).get(alert_id, []),
        }

    return show(ground, principal, "alert.html", load, current="alerts")


@post(
    "/alerts/{alert_id:str}/acknowledge",
    permission=Permission.MANAGE,
    subject=ALERT,
    sync_to_thread=True,
    include_in_schema=False,
)
def acknowledge(ground: Ground, principal: Principal, alert_id: str, data: Form) -> Redirect:
    """Say that somebody looks after an alert."""
    reason = text(data, "reason")
    ground.database.write(
        lambda tx: alerts.acknowledge(tx, alert_id, reason=reason, by=principal.name, now=ground.clock())
    )
    return Redirect("/alerts", status_code=303)


@post(
    "/endpoints/{name:str}/mutes",
    permission=Permission.MANAGE,
    subject=ENDPOINT,
    sync_to_thread=True,
    include_in_schema=False,
)
def mute(ground: Ground, principal: Principal, name: str, data: Form) -> Redirect:
    """Have nobody told of some alerts of an endpoint for a while."""
    new = record(
        NewMute,
        lasts=text(data, "lasts"),
        reason=text(data, "reason"),
        monitor=data.get("monitor") or None,
        subject=data.get("subject") or None,
    )
    ground.database.write(lambda tx: mutes.mute(tx, name, new, by=principal.name, now=ground.clock()))
    return Redirect("/alerts#mutes", status_code=303)


@post(
    "/endpoints/{name:str}/mutes/{mute_id:str}/end",
    permission=Permission.MANAGE,
    subject=ENDPOINT,
    sync_to_thread=True,
    include_in_schema=False,
)
def unmute(ground: Ground, principal: Principal, name: str, mute_id: str, data: Form) -> Redirect:
    """End a mute before its time."""
    reason = text(data, "reason")
    ground.database.write(
        lambda tx: mutes.unmute(tx, name, mute_id, reason=reason, by=principal.name, now=ground.clock())
    )
    return Redirect("/alerts#mutes", status_code=303)


def _page(request: Asked, ground: Ground, principal: Principal, *, in_state: str, endpoint: str) -> Response[str]:
    now, models = ground.clock(), principal.models(Permission.READ)

    def load(tx: Transaction) -> dict[str, Any]:
        state = next((one for one in STATES if one == in_state), None)
        found = incidents.search(tx, endpoint=endpoint or None, state=state, models=models, now=now)
        held = mutes.in_force(tx, models=models, now=now)
        alert_ids = [alert.alert_id for one in found for alert in one.alerts]
        return {
            "incidents": found,
            "told": told.of_alerts(tx, alert_ids),
            "muted": {
                alert.alert_id: mute
                for one in found
                for alert in one.alerts
                for mute in held
                if alert.state != "resolved" and mute.covers(alert)
            },
            "mutes": held,
            "endpoints": [one.name for one in endpoints.list_all(tx) if principal.may(Permission.MANAGE, one.model)],
            "channels": notices.channels(tx, ground.settings),
            "lasts": LASTS,
            "state": in_state,
            "states": STATES,
            "endpoint": endpoint,
            "limit": LISTED_LIMIT,
            **answered(request),
        }

    return show(ground, principal, "alerts.html", load, current="alerts")


handlers = [page, one_page, acknowledge, mute, unmute]
