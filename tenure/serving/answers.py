"""What the gateway sends back: JSON, pages and errors, as ASGI messages.

An error has our shape, `{"error": {code, message, where}}`, and beside it MLflow's `error_code` and `message`, which
MLflow's own scoring client looks for. Other protocols have a shape of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec

from tenure import errors

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
ErrorBody = Callable[[int, str, str, "str | None", Sequence[dict[str, str]]], bytes]
"""A protocol's shape of an error: status, code, message and where."""

JSON: Headers = [(b"content-type", b"application/json"), (b"x-content-type-options", b"nosniff")]
CHALLENGE: Headers = [(b"www-authenticate", b"Bearer")]
"""Goes with every 401. Not Basic, which would have browsers ask for a password in a window of their own."""
TEXT: Headers = [(b"content-type", b"text/plain; charset=utf-8")]

# The one place that knows which HTTP status an error of ours becomes; the faces above ask here too.
STATUS: dict[type[errors.TenureError], HTTPStatus] = {
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.InvalidInput: HTTPStatus.BAD_REQUEST,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.NotSignedIn: HTTPStatus.UNAUTHORIZED,
    errors.NotAllowed: HTTPStatus.FORBIDDEN,
    errors.TooMany: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ModelFailed: HTTPStatus.INTERNAL_SERVER_ERROR,
}
MLFLOW_CODES = {
    400: "INVALID_PARAMETER_VALUE",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    405: "BAD_REQUEST",
    409: "RESOURCE_CONFLICT",
    413: "BAD_REQUEST",
    415: "BAD_REQUEST",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
}
RETRY_AFTER_S = b"1"


class Reply(NamedTuple):
    """A whole answer; its length goes without saying."""

    status: int
    headers: Headers
    body: bytes


class Pending(NamedTuple):
    """An answer that may leave once `done` is: what it rests on is not on disk before."""

    done: asyncio.Future[None]
    reply: Reply


def status_of(error: errors.TenureError) -> int:
    """The HTTP status of an error: its own class's, else its nearest ancestor's."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return int(STATUS[kind])
    return 500


async def answer(send: Send, status: int, headers: Headers, body: bytes) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, error: errors.TenureError, body_of: ErrorBody | None = None) -> None:
    await answer(send, *refusal(error, body_of))


def refusal(error: errors.TenureError, body_of: ErrorBody | None = None) -> Reply:
    status = status_of(error)
    headers = [*JSON, (b"retry-after", retry_after(error))] if status in (429, 503) else JSON
    headers = [*headers, *CHALLENGE] if status == 401 else headers
    told = (body_of or error_body)(status, error.code, error.message, error.where, problems_of(error))
    return Reply(status, headers, told)


def retry_after(error: errors.TenureError) -> bytes:
    """After how many seconds it makes sense to ask again."""
    return b"%d" % error.retry_after_s if isinstance(error, errors.OverQuota) else RETRY_AFTER_S


def problems_of(error: errors.TenureError) -> Sequence[dict[str, str]]:
    """What is wrong with each column, for an error that tells of several: where, reason and message."""
    return error.problems if isinstance(error, errors.ValuesRefused) else ()


async def refuse_method(send: Send, allowed: str, body_of: ErrorBody | None = None) -> None:
    body = (body_of or error_body)(405, "not_allowed", f"This address must be asked with {allowed}.", None, ())
    await answer(send, 405, [*JSON, (b"allow", allowed.encode())], body)


async def hide(send: Send, body_of: ErrorBody | None = None) -> None:
    await answer(send, *hidden(body_of))


def hidden(body_of: ErrorBody | None = None) -> Reply:
    """An error that we did not foresee: the log has its trace, the client gets none."""
    said = "The gateway failed at this. The reason is in its log; nothing was answered or journaled."
    return Reply(500, JSON, (body_of or error_body)(500, "internal", said, None, ()))


def error_body(
    status: int, code: str, message: str, where: str | None, problems: Sequence[dict[str, str]] = ()
) -> bytes:
    told: dict[str, Any] = {"code": code, "message": message}
    if where is not None:
        told["where"] = where
    if problems:
        told["problems"] = problems
    mlflow_code = MLFLOW_CODES.get(status, "INTERNAL_ERROR")
    return msgspec.json.encode({"error": told, "error_code": mlflow_code, "message": message})
