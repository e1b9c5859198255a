"""What every handler of ours gets and how its failures leave: dependencies and exception handlers for Litestar."""

from __future__ import annotations

import logging
from typing import Any

from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.status_codes import HTTP_413_REQUEST_ENTITY_TOO_LARGE

from tenure import access
from tenure.api import respond
from tenure.errors import NotAllowed, TenureError
from tenure.records.people import Permission, Principal
from tenure.serving import answers
from tenure.store.ground import Ground

log = logging.getLogger("tenure.api")
Asked = Request[Any, Any, Any]


def ground(request: Asked) -> Ground:
    """The process's ground, for handlers that name a parameter `ground`."""
    kept: Ground = request.app.state["ground"]
    return kept


def principal(request: Asked) -> Principal:
    """Who is asking, as the gate found it, for handlers that name a parameter `principal`."""
    found: Principal = request.scope["state"]["principal"]
    return found


def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse a request whose principal lacks the permission that the route declares; no declaration, no entry."""
    declared = handler.opt.get("permission")
    if not isinstance(declared, Permission):
        raise NotAllowed("This route declares no permission, so nobody may use it.")
    access.require(connection.scope["state"]["principal"], declared)


def on_ours(_request: Asked, error: TenureError) -> Response[dict[str, Any]]:
    return Response(respond.as_json(respond.problem_of(error)), status_code=answers.status_of(error))


def on_litestars(request: Asked, error: HTTPException) -> Response[dict[str, Any]]:
    """Litestar's own refusals (no such route, a body that does not fit) in our one shape."""
    where, what = _misfit(error)
    message = f"What was sent does not fit: {what}." if what else error.detail
    if error.status_code == HTTP_413_REQUEST_ENTITY_TOO_LARGE:
        message = (
            f"A body may have at most {ground(request).settings.max_body_mib} MiB. Split it into several requests."
        )
    problem = respond.Problem(_code_of(error.status_code), message, where)
    return Response(respond.as_json(problem), status_code=error.status_code, headers=error.headers)


def on_too_deep(_request: Asked, _error: RecursionError) -> Response[dict[str, Any]]:
    """JSON within JSON within JSON, deeper than any of ours."""
    problem = respond.Problem("invalid_input", "The body is nested too deeply to be read.")
    return Response(respond.as_json(problem), status_code=400)


def on_unforeseen(request: Asked, error: Exception) -> Response[dict[str, Any]]:
    log.exception("unforeseen failure at %s %s", request.method, request.url.path, exc_info=error)
    return Response(respond.as_json(respond.hidden(error)), status_code=500)


def _code_of(status: int) -> str:
    named = {400: "invalid_input", 401: "not_signed_in", 403: "not_allowed", 404: "not_found", 405: "not_allowed"}
    return named.get(status, "too_large" if status == 413 else "invalid_input" if status < 500 else "internal")


def _misfit(error: HTTPException) -> tuple[str | None, str]:
    """The path of what does not fit, and what must be there; Litestar tells both of the first problem."""
    if not isinstance(error, ValidationException) or not error.extra:
        return None, ""
    first = error.extra[0] if isinstance(error.extra, list) else error.extra
    if not isinstance(first, dict):
        return None, ""
    return first.get("key"), str(first.get("message", "")).rstrip(".")
