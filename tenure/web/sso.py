"""Signing in with the provider: there, and back."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.datastructures import Cookie
from litestar.response import Redirect

from tenure.access.provider import Provider, sealed, unsealed
from tenure.deploy import routing
from tenure.errors import NotFound, NotSignedIn
from tenure.manage import sso
from tenure.records.people import Permission
from tenure.store.ground import Ground
from tenure.web.forms import gate_of
from tenure.web.page import answer, bare_frame
from tenure.web.sign_in import safe

COOKIE = "tenure_sso"
PENDING_S = 600
Asked = Request[Any, Any, Any]


@get("/sso", permission=Permission.PUBLIC, sync_to_thread=True, include_in_schema=False)
def begin(request: Asked, ground: Ground, going_to: str = "/") -> Redirect:
    """Send the browser to the provider."""
    address, pending = _provider(request).begin(safe(request.query_params.get("next", going_to)), ground.clock())
    return Redirect(address, status_code=303, cookies=[_cookie(request, sealed(pending, _secret(ground)), PENDING_S)])


@get("/sso/callback", permission=Permission.PUBLIC, sync_to_thread=True, include_in_schema=False)
def finish(request: Asked, ground: Ground, code: str = "", error: str = "") -> Response[str]:
    """Begin the session of whom the provider vouches for.

    The answer is a page that goes on by itself: a redirect would still count as coming from the provider's site, and
    the session's cookie, which other sites' requests do not carry, would be missing.
    """
    provider, gate, now = _provider(request), gate_of(request), ground.clock()
    pending = unsealed(request.cookies.get(COOKIE, ""), _secret(ground))
    if pending is None or error or not code:
        raise NotSignedIn("The sign-in was not begun in this browser, or the provider broke it off. Begin again.")
    told = provider.finish(code, request.query_params.get("state", ""), pending, now)
    claim = ground.settings.oidc_roles_claim
    account = ground.database.write(
        lambda tx: sso.sign_in(tx, provider.issuer, told.subject, told.claims, roles_claim=claim, now=now)
    )
    routing.publish(ground)
    page = answer("signed_in.html", {"frame": bare_frame(), "next": pending.going_to, "person": account.person})
    page.set_cookie(Cookie(**gate.cookie(gate.sessions.issue(account, now))))
    page.set_cookie(_cookie(request, "", 0))
    return page


def _provider(request: Asked) -> Provider:
    provider = gate_of(request).provider
    if provider is None:
        raise NotFound("This server has no provider to sign in with. --oidc-issuer names one.")
    return provider


def _cookie(request: Asked, value: str, age_s: int) -> Cookie:
    """Lax, since the provider's site sends the browser back here."""
    secure = gate_of(request).secure
    return Cookie(key=COOKIE, value=value, path="/sso", max_age=age_s, httponly=True, samesite="lax", secure=secure)


def _secret(ground: Ground) -> bytes:
    return ground.key.private.private_bytes_raw()


handlers = [begin, finish]
