"""One's own page: what one may do, one's password, one's tokens."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.response import Redirect

from tenure.deploy import routing
from tenure.errors import NotSignedIn, TenureError
from tenure.manage import people, tokens
from tenure.manage.tokens import NEVER
from tenure.records.people import NewPerson, Permission, Principal
from tenure.records.tokens import IssuedToken
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web.forms import Form, answered, gate_of, record
from tenure.web.page import show
from tenure.web.tokens import new_token

Asked = Request[Any, Any, Any]


@get("/account", permission=Permission.PUBLIC, sync_to_thread=True, include_in_schema=False)
def page(request: Asked, ground: Ground, principal: Principal) -> Response[str]:
    return _page(request, ground, principal)


@post("/account/tokens", permission=Permission.PUBLIC, sync_to_thread=True, include_in_schema=False)
def make_token(request: Asked, ground: Ground, principal: Principal, data: Form) -> Response[str]:
    """Make a token and show it, this once."""
    _require_person(principal)
    try:
        new = new_token(data)
        issued = ground.database.write(lambda tx: tokens.create(tx, new, by=principal, now=ground.clock()))
    except TenureError as refusal:
        return _page(request, ground, principal, refusal=refusal, given=data)
    routing.publish(ground)
    return _page(request, ground, principal, issued=issued)


@post("/account/password", permission=Permission.PUBLIC, sync_to_thread=True, include_in_schema=False)
def change_password(request: Asked, ground: Ground, principal: Principal, data: Form) -> Response[str] | Redirect:
    """Give oneself another password. Every session of one's own ends, this one too."""
    _require_person(principal)
    gate, now, password = gate_of(request), ground.clock(), data.get("password", "")
    try:
        record(NewPerson, name=principal.name, printed_name="-", password=password)
        gate.passwords.check(principal.name, data.get("current", ""), purpose="changing the password", now=now)
    except TenureError as refusal:
        return _page(request, ground, principal, refusal=refusal)
    hashed = gate.passwords.hashed(password)
    ground.database.write(lambda tx: people.set_password(tx, principal.name, hashed, by=principal.name, now=now))
    return Redirect("/sign-in", status_code=303)


def _page(
    request: Asked,
    ground: Ground,
    principal: Principal,
    *,
    refusal: TenureError | None = None,
    issued: IssuedToken | None = None,
    given: dict[str, str] | None = None,
) -> Response[str]:
    _require_person(principal)
    now = ground.clock()

    def load(tx: Transaction) -> dict[str, Any]:
        mine = tokens.search(tx, by=principal, principal=principal.name)
        account = people.get(tx, principal.name)
        return {
            "person": account.person,
            "has_password": account.password_hash != "",
            "principal": principal,
            "tokens": mine,
            "may": [one.value for one in Permission if one not in NEVER and principal.may_somewhere(one)],
            "now": now,
            "issued": issued,
            **answered(request, refusal, given),
        }

    return show(ground, principal, "account.html", load, current="account", refusal=refusal)


def _require_person(principal: Principal) -> None:
    if principal.kind != "person":
        raise NotSignedIn("This page is one's own. Sign in to see it.")


handlers = [page, make_token, change_password]
