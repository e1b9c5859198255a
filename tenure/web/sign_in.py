"""Signing in and out from a page."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.response import Redirect

from tenure import access
from tenure.errors import TenureError
from tenure.manage import people
from tenure.records.base import SECOND_US
from tenure.records.people import Permission, Principal
from tenure.store import audit
from tenure.store import people as accounts
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web.forms import Form, csrf_of, gate_of, text
from tenure.web.page import show
from tenure.web.trouble import status_of


@get("/sign-in", permission=Permission.PUBLIC, sync_to_thread=True, include_in_schema=False)
def page(request: Request[Any, Any, Any], ground: Ground, principal: Principal) -> Response[str]:
    return _page(request, ground, principal)


@post("/sessions", permission=Permission.PUBLIC, sync_to_thread=True, include_in_schema=False)
def sign_in(
    request: Request[Any, Any, Any], ground: Ground, principal: Principal, data: Form
) -> Response[str] | Redirect:
    """Begin a session: a cookie that scripts cannot read. A refusal is said above the form."""
    gate, now = gate_of(request), ground.clock()
    try:
        name = text(data, "name")
        account = gate.passwords.check(name, data.get("password", ""), purpose="sign-in", now=now).account
    except TenureError as refusal:
        return _page(request, ground, principal, refusal=refusal, name=data.get("name", ""))

    def note(tx: Transaction) -> None:
        audit.append(tx, "person.signed_in", subject=name, by=name, at=now)

    ground.database.write(note)
    return Redirect("/", status_code=303, cookies=[_cookie(gate.sessions.issue(account, now))])


@post("/sign-out", permission=Permission.PUBLIC, sync_to_thread=True, include_in_schema=False)
def sign_out(ground: Ground, principal: Principal) -> Redirect:
    """End every session of the person who is signed in."""
    if principal.kind == "person":
        ground.database.write(lambda tx: people.end_sessions(tx, principal.name, by=principal.name, now=ground.clock()))
    return Redirect("/", status_code=303, cookies=[_cookie(None)])


def _page(
    request: Request[Any, Any, Any],
    ground: Ground,
    principal: Principal,
    *,
    refusal: TenureError | None = None,
    name: str = "",
) -> Response[str]:
    def load(tx: Transaction) -> dict[str, Any]:
        account = accounts.get(tx, principal.name) if principal.kind == "person" else None
        return {
            "person": account.person if account else None,
            "anybody": bool(accounts.list_all(tx)),
            "refusal": refusal.message if refusal else "",
            "name": name,
            "csrf": csrf_of(request),
        }

    return show(ground, principal, "sign_in.html", load, status=status_of(refusal) if refusal else 200)


def _cookie(token: str | None) -> Cookie:
    """The cookie that carries a session; without a token the one that takes it away."""
    age_s = access.SESSION_US // SECOND_US if token else 0
    return Cookie(key=access.COOKIE, value=token or "", path="/", max_age=age_s, httponly=True, samesite="strict")


handlers = [page, sign_in, sign_out]
