"""The page that comes when a page cannot come: what happened in calm words, never a trace."""

from __future__ import annotations

import logging
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException

from tenure.errors import GateNotMet, NotSignedIn, TenureError
from tenure.web.forms import gate_of
from tenure.web.page import answer, bare_frame, status_of

log = logging.getLogger("tenure.web")

TITLES = {
    400: "That cannot be read",
    401: "Please sign in",
    403: "This is not allowed",
    404: "There is nothing here",
    405: "This page cannot do that",
    409: "That does not fit what is here",
    413: "That is too large",
    429: "Too much at once",
    500: "The server failed at this",
    503: "Not just now",
}
HIDDEN = "The reason is in the server's log; nothing was stored. Go back and try again."
NO_PAGE = "No page has this address. It may have been mistyped, or what it showed is gone."


def on_error(request: Request[Any, Any, Any], error: Exception) -> Response[str]:
    """An error as a page, for people in front of a browser."""
    status = status_of(error)
    if isinstance(error, NotSignedIn) and request.method == "GET":
        return _sign_in(request, error)
    context = {
        "frame": bare_frame(request.scope.get("state", {}).get("principal")),
        "status": status,
        "title": TITLES.get(status, TITLES[500 if status >= 500 else 400]),
        "message": _message(error, status),
        "failures": list(error.failures) if isinstance(error, GateNotMet) else [],
    }
    if status == 500:
        log.error("unforeseen failure at %s %s", request.method, request.url.path, exc_info=error)
    return answer("trouble.html", context, status)


def _sign_in(request: Request[Any, Any, Any], error: NotSignedIn) -> Response[str]:
    """The form to sign in with, at the address that was asked for, which comes next.

    When that address was the way back from a provider, why it did not lead in is said, and it is not taken again.
    """
    query, came_back = request.url.query, request.url.path.startswith("/sso")
    return answer(
        "sign_in.html",
        {
            "frame": bare_frame(),
            "anybody": True,
            "required": True,
            "provider": gate_of(request).provider_name,
            "refusal": error.message if came_back else "",
            "name": "",
            "next": "/" if came_back else request.url.path + (f"?{query}" if query else ""),
            "csrf": "",
        },
        401,
    )


def _message(error: Exception, status: int) -> str:
    if isinstance(error, TenureError) and status != 500:
        return error.message
    if status == 404:
        return NO_PAGE
    if isinstance(error, HTTPException) and status < 500:
        return f"{error.detail}."
    return HIDDEN
