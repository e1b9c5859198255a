"""Forms about grants."""

from __future__ import annotations

from litestar import Response, post
from litestar.response import Redirect

from tenure.deploy import routing
from tenure.errors import TenureError
from tenure.manage import grants
from tenure.records.people import NewGrant, Permission, Principal
from tenure.store.ground import Ground
from tenure.web.forms import Asked, Form, record
from tenure.web.page import part
from tenure.web.people import one_page


@post("/grants/give", permission=Permission.ADMINISTER, sync_to_thread=True, include_in_schema=False)
def give(request: Asked, ground: Ground, principal: Principal, data: Form) -> Response[str] | Redirect:
    """Give a role, for one model or for all; what is wrong with the form is said above it."""
    name = data.get("of", "")
    try:
        model = data.get("model", "").strip() or None
        new = record(NewGrant, principal=name, role=data.get("role", "").strip(), model=model)
        ground.database.write(lambda tx: grants.give(tx, new, by=principal.name, now=ground.clock()))
    except TenureError as refusal:
        return one_page(request, ground, principal, name, refusal=refusal, given=data)
    routing.publish(ground)
    return Redirect(f"/people/{part(name)}", status_code=303)


@post("/grants/{grant_id:str}/revoke", permission=Permission.ADMINISTER, sync_to_thread=True, include_in_schema=False)
def revoke(ground: Ground, principal: Principal, grant_id: str) -> Redirect:
    """Take a role back."""
    ended = ground.database.write(lambda tx: grants.revoke(tx, grant_id, by=principal.name, now=ground.clock()))
    routing.publish(ground)
    return Redirect(f"/people/{part(ended.principal)}", status_code=303)


handlers = [give, revoke]
