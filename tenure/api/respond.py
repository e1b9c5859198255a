"""Errors as answers: the one place that knows which HTTP status an error of ours becomes."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

from tenure import errors

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
}


class Problem(msgspec.Struct, omit_defaults=True):
    """The one shape of an error in our API. `failures` is there when a gate said no."""

    code: str
    message: str
    where: str | None = None
    failures: list[str] = []


def status_of(error: errors.TenureError) -> HTTPStatus:
    """The HTTP status of an error: its own class's, else its nearest ancestor's."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return HTTPStatus.INTERNAL_SERVER_ERROR


def problem_of(error: errors.TenureError) -> Problem:
    failures = list(error.failures) if isinstance(error, errors.GateNotMet) else []
    return Problem(error.code, error.message, error.where, failures)


def hidden(error: BaseException) -> Problem:
    """An error that we did not foresee: the log has its trace, the client gets none."""
    del error
    return Problem("internal", "The server failed at this. The reason is in its log; nothing was stored.")


def as_json(problem: Problem) -> dict[str, Any]:
    return {"error": msgspec.to_builtins(problem)}
