"""What every handler of ours gets and how its failures leave: dependencies and exception handlers for Litestar."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec
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


async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse a request whose principal lacks the permission that the route declares; no declaration, no entry.

    Only who has it for some models and not for all costs a look at which model the request is about.
    """
    declared, subject = handler.opt.get("permission"), handler.opt.get("subject")
    if not isinstance(declared, Permission):
        raise NotAllowed("This route declares no permission, so nobody may use it.")
    asking: Principal = connection.scope["state"]["principal"]
    if declared in asking.permissions:
        return
    if not isinstance(subject, access.Subject) or not asking.may_somewhere(declared):
        access.require(asking, declared)
    elif subject is not access.LISTED:
        for model in await _models_of(connection, subject):
            access.require(asking, declared, model)


async def _models_of(connection: ASGIConnection[Any, Any, Any, Any], subject: access.Subject) -> list[str | None]:
    given = connection.path_params if subject.place == "path" else connection.query_params
    if subject.place == "body":
        assert isinstance(connection, Request)
        given = await _json_of(connection)
    database = connection.app.state["ground"].database
    found: list[str | None] = await asyncio.to_thread(database.read, lambda tx: access.models_of(tx, subject, given))
    return found


async def _json_of(request: Asked) -> dict[str, Any]:
    """A body's object; empty when it is none, which the handler will tell."""
    try:
        sent = msgspec.json.decode(await request.body())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return sent if isinstance(sent, dict) else {}


def on_ours(_request: Asked, error: TenureError) -> Response[dict[str, Any]]:
    status = answers.status_of(error)
    headers = {name.decode(): value.decode() for name, value in answers.CHALLENGE} if status == 401 else None
    return Response(respond.as_json(respond.problem_of(error)), status_code=status, headers=headers)


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
