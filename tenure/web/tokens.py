"""Forms about tokens."""

from __future__ import annotations

from litestar import post
from litestar.response import Redirect

from tenure import access
from tenure.deploy import routing
from tenure.errors import InvalidInput
from tenure.manage import tokens
from tenure.records.people import Permission, Principal
from tenure.records.tokens import NewToken
from tenure.store.ground import Ground
from tenure.web.forms import Form, names, record, text
from tenure.web.sign_in import safe


@post("/tokens/{token_id:str}/revoke", permission=Permission.PUBLIC, sync_to_thread=True, include_in_schema=False)
def revoke(ground: Ground, principal: Principal, token_id: str, data: Form) -> Redirect:
    """Take a token's power away: one's own, or anybody's for who administers."""
    access.require_known(principal)
    ground.database.write(lambda tx: tokens.revoke(tx, token_id, by=principal, now=ground.clock()))
    routing.publish(ground)
    return Redirect(safe(data.get("back", "/account")), status_code=303)


def new_token(form: dict[str, str], principal: str | None = None) -> NewToken:
    """The token that a form asks for."""
    may = [one.value for one in Permission if form.get(f"may_{one.value}")]
    if not may:
        raise InvalidInput("Choose at least one thing that the token may do.", where="permissions")
    try:
        days = float(form.get("days", "90"))
    except ValueError:
        raise InvalidInput("The days until it expires must be a number.", where="days") from None
    label = text(form, "label")
    return record(NewToken, label=label, permissions=may, principal=principal, models=names(form, "models"), days=days)


handlers = [revoke]
