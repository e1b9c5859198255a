"""Taking a challenger or a shadow out of service from a page: what remains is shown first."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.response import Redirect

from tenure.access import ENDPOINT
from tenure.deploy import placements, releases, routing
from tenure.errors import NotFound, TenureError
from tenure.records.base import Record
from tenure.records.changes import Reason
from tenure.records.people import Permission, Principal
from tenure.store import releases as kept
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web import shares
from tenure.web.endpoint_tabs import path_of
from tenure.web.forms import Form, form_page, record, text

Asked = Request[Any, Any, Any]


class Why(Record):
    reason: Reason


@get(
    "/endpoints/{name:str}/releases/{release_id:str}/end",
    permission=Permission.READ,
    subject=ENDPOINT,
    sync_to_thread=True,
    include_in_schema=False,
)
def page(request: Asked, ground: Ground, principal: Principal, name: str, release_id: str) -> Response[str]:
    """Who answers without it, and the form."""
    return _page(request, ground, principal, name, release_id)


@post(
    "/endpoints/{name:str}/releases/{release_id:str}/end/do",
    permission=Permission.MANAGE,
    subject=ENDPOINT,
    sync_to_thread=True,
    include_in_schema=False,
)
def end(
    request: Asked, ground: Ground, principal: Principal, name: str, release_id: str, data: Form
) -> Response[str] | Redirect:
    """End it; what is wrong with the form is said beside its field."""
    now = ground.clock()
    try:
        reason = record(Why, reason=text(data, "reason")).reason
        ground.database.write(lambda tx: releases.end(tx, name, release_id, reason=reason, by=principal.name, now=now))
    except TenureError as refusal:
        return _page(request, ground, principal, name, release_id, refusal=refusal, given=data)
    routing.publish(ground)
    return Redirect(f"{path_of(name, 'releases')}#in-service", status_code=303)


def _page(
    request: Asked,
    ground: Ground,
    principal: Principal,
    name: str,
    release_id: str,
    *,
    refusal: TenureError | None = None,
    given: dict[str, str] | None = None,
) -> Response[str]:
    release = ground.database.read(lambda tx: kept.get(tx, release_id))
    if release is None or release.endpoint != name:
        raise NotFound(f"The endpoint {name!r} has no release {release_id!r}.")
    may_end = principal.may(Permission.MANAGE, release.model)
    found = (
        placements.rehearse_end(ground, release.model, name, release_id, by=principal.name, now=ground.clock())
        if may_end
        else None
    )

    def load(_tx: Transaction) -> dict[str, Any]:
        here = next((one for one in found.places if one.endpoint == name), None) if found else None
        return {
            "release": release,
            "base": path_of(name),
            "may_end": may_end,
            "problem": found.refusal.message if found and found.refusal else "",
            "bars": (shares.bar(here.before), shares.bar(here.after)) if here else None,
        }

    return form_page(
        request, ground, principal, "release_end.html", load, current="models", refusal=refusal, given=given
    )


handlers = [page, end]
