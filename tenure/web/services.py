"""Forms about services."""

from __future__ import annotations

from litestar import Response, post
from litestar.response import Redirect

from tenure.deploy import routing
from tenure.errors import TenureError
from tenure.manage import services, tokens
from tenure.records.people import NewService, Permission, Principal
from tenure.store.ground import Ground
from tenure.web.forms import Asked, Form, names, record
from tenure.web.page import part
from tenure.web.people import list_page, one_page
from tenure.web.tokens import new_token


@post("/services/add", permission=Permission.ADMINISTER, sync_to_thread=True, include_in_schema=False)
def add(request: Asked, ground: Ground, principal: Principal, data: Form) -> Response[str] | Redirect:
    """Add a service; what is wrong with the form is said above it."""
    try:
        fields = {"name": data.get("service", "").strip(), "purpose": data.get("purpose", "").strip()}
        new = record(NewService, **fields, roles=names(data, "service_roles"))
        ground.database.write(lambda tx: services.create(tx, new, by=principal.name, now=ground.clock()))
    except TenureError as refusal:
        return list_page(request, ground, principal, refusal=refusal, given=data)
    return Redirect(f"/people/{part(new.name)}", status_code=303)


@post("/services/{name:str}/tokens", permission=Permission.ADMINISTER, sync_to_thread=True, include_in_schema=False)
def make_token(request: Asked, ground: Ground, principal: Principal, name: str, data: Form) -> Response[str]:
    """Make a token for a service and show it, this once."""
    try:
        new = new_token(data, name)
        issued = ground.database.write(lambda tx: tokens.create(tx, new, by=principal, now=ground.clock()))
    except TenureError as refusal:
        return one_page(request, ground, principal, name, refusal=refusal, given=data)
    routing.publish(ground)
    return one_page(request, ground, principal, name, issued=issued)


handlers = [add, make_token]
