"""The page behind the set-up link: the first administrator."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.response import Redirect

from tenure.errors import TenureError
from tenure.manage import set_up
from tenure.records.people import FirstPerson, Permission, Principal
from tenure.store.ground import Ground
from tenure.store.people import Account
from tenure.web.forms import Form, gate_of, record
from tenure.web.page import answer, bare_frame, status_of


@get("/set-up", permission=Permission.PUBLIC, sync_to_thread=True, include_in_schema=False)
def page(ground: Ground, principal: Principal, token: str = "") -> Response[str]:
    return _page(ground, principal, token)


@post("/set-up/done", permission=Permission.PUBLIC, sync_to_thread=True, include_in_schema=False)
def complete(
    request: Request[Any, Any, Any], ground: Ground, principal: Principal, data: Form
) -> Response[str] | Redirect:
    """Make the first administrator and sign them in; a refusal is said above the form."""
    gate, now, token = gate_of(request), ground.clock(), data.get("token", "")
    try:
        fields = {name: data.get(name, "") for name in ("token", "name", "printed_name", "password")}
        first = record(FirstPerson, **fields)
        ground.database.read(lambda tx: set_up.require_good(tx, token, now))
        password_hash = gate.passwords.hashed(first.password)
        person = ground.database.write(lambda tx: set_up.complete(tx, first, password_hash, now=now))
    except TenureError as refusal:
        return _page(ground, principal, token, refusal=refusal, given=data)
    session = gate.sessions.issue(Account(person, password_hash, 1), now)
    return Redirect("/people", status_code=303, cookies=[Cookie(**gate.cookie(session))])


def _page(
    ground: Ground,
    principal: Principal,
    token: str,
    *,
    refusal: TenureError | None = None,
    given: dict[str, str] | None = None,
) -> Response[str]:
    good = ground.database.read(lambda tx: set_up.is_good(tx, token, ground.clock()))
    context = {
        "frame": bare_frame(principal if principal.kind == "person" else None),
        "good": good,
        "token": token,
        "refusal": refusal.message if refusal and good else "",
        "given": given or {},
    }
    return answer("set_up.html", context, status_of(refusal) if refusal else 200 if good else 403)


handlers = [page, complete]
