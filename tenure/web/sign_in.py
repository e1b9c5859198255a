"""Signing in and out from a page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.response import Redirect

from tenure.errors import TenureError
from tenure.manage import people
from tenure.records.people import Permission, Principal
from tenure.store import people as accounts
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web.forms import Form, answered, gate_of, text
from tenure.web.page import show


@get("/sign-in", permission=Permission.PUBLIC, sync_to_thread=True, include_in_schema=False)
def page(request: Request[Any, Any, Any], ground: Ground, principal: Principal) -> Response[str] | Redirect:
    """The form; who is signed in already sees their account."""
    return Redirect("/account", status_code=303) if principal.kind == "person" else _page(request, ground, principal)


@post("/sessions", permission=Permission.PUBLIC, sync_to_thread=True, include_in_schema=False)
def sign_in(
    request: Request[Any, Any, Any], ground: Ground, principal: Principal, data: Form
) -> Response[str] | Redirect:
    """Begin a session: a cookie that scripts cannot read. A refusal is said above the form."""
    gate = gate_of(request)
    try:
        name = text(data, "name")
        token, _ = gate.sign_in(name, data.get("password", ""), gate.address_of(request.client, request.headers))
    except TenureError as refusal:
        return _page(request, ground, principal, refusal=refusal, given=data)
    return Redirect(safe(data.get("next", "")), status_code=303, cookies=[Cookie(**gate.cookie(token))])


@post("/sign-out", permission=Permission.PUBLIC, sync_to_thread=True, include_in_schema=False)
def sign_out(request: Request[Any, Any, Any], ground: Ground, principal: Principal) -> Redirect:
    """End every session of the person who is signed in."""
    if principal.kind == "person":
        ground.database.write(lambda tx: people.end_sessions(tx, principal.name, by=principal.name, now=ground.clock()))
    return Redirect("/", status_code=303, cookies=[Cookie(**gate_of(request).cookie(None))])


def safe(path: str) -> str:
    """A path of this server to go on to; the overview for anything else.

    >>> safe("/models/late?x=1"), safe("//evil.example/"), safe("https://evil.example"), safe("/\\\\evil.example")
    ('/models/late?x=1', '/', '/', '/')
    """
    parts = urlsplit(path)
    ours = path.startswith("/") and not path.startswith("//") and not parts.scheme and not parts.netloc
    return path if ours and "\\" not in path and path.isprintable() else "/"


def _page(
    request: Request[Any, Any, Any],
    ground: Ground,
    principal: Principal,
    *,
    refusal: TenureError | None = None,
    given: dict[str, str] | None = None,
) -> Response[str]:
    def load(tx: Transaction) -> dict[str, Any]:
        return {
            "anybody": gate_of(request).required or bool(accounts.list_all(tx)),
            "required": gate_of(request).required,
            "provider": gate_of(request).provider_name,
            **answered(request, refusal),
            "name": (given or {}).get("name", ""),
            "next": safe((given or {}).get("next", "/")),
        }

    return show(ground, principal, "sign_in.html", load, refusal=refusal)


handlers = [page, sign_in, sign_out]
