"""Alerts of all endpoints: what fires, what somebody looks after, what is over."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.params import Parameter
from litestar.response import Redirect

from tenure.access import ALERT, LISTED
from tenure.errors import InvalidInput
from tenure.monitor import alerts
from tenure.records.people import Permission, Principal
from tenure.store import alerts as kept
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web.forms import Form, csrf_of, text
from tenure.web.page import show

STATES = ("firing", "acknowledged", "pending", "resolved")
LISTED_LIMIT = 300


@get("/alerts", permission=Permission.READ, subject=LISTED, sync_to_thread=True, include_in_schema=False)
def page(
    request: Request[Any, Any, Any],
    ground: Ground,
    principal: Principal,
    in_state: Annotated[str, Parameter(query="state")] = "",
    endpoint: str = "",
) -> Response[str]:
    if in_state and in_state not in STATES:
        raise InvalidInput(
            f"The state of an alert must be one of {', '.join(STATES)}. Got {in_state!r}.", where="state"
        )

    def load(tx: Transaction) -> dict[str, Any]:
        models = principal.models(Permission.READ)
        found = kept.search(tx, endpoint=endpoint or None, state=in_state or None, limit=LISTED_LIMIT, models=models)
        return {
            "alerts": sorted(found, key=lambda alert: (STATES.index(alert.state), -alert.event_at)),
            "state": in_state,
            "states": STATES,
            "endpoint": endpoint,
            "csrf": csrf_of(request),
            "limit": LISTED_LIMIT,
        }

    return show(ground, principal, "alerts.html", load, current="alerts")


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


handlers = [page, acknowledge]
