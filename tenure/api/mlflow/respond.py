"""What leaves: answers as JSON without what is not set, and errors in MLflow's shape."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import msgspec

from tenure import errors
from tenure.build.experiments import Inactive
from tenure.store.artifacts import UnsafePath

log = logging.getLogger("tenure.api.mlflow")

# An inactive experiment is 500 at MLflow, and its clients repeat a 500 for minutes: here it is a plain refusal.
CODES: dict[type[errors.TenureError], tuple[str, HTTPStatus]] = {
    Inactive: ("INVALID_STATE", HTTPStatus.BAD_REQUEST),
    errors.TooLarge: ("INVALID_PARAMETER_VALUE", HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    errors.InvalidInput: ("INVALID_PARAMETER_VALUE", HTTPStatus.BAD_REQUEST),
    errors.NotFound: ("RESOURCE_DOES_NOT_EXIST", HTTPStatus.NOT_FOUND),
    errors.AlreadyExists: ("RESOURCE_ALREADY_EXISTS", HTTPStatus.BAD_REQUEST),
    errors.Conflict: ("RESOURCE_CONFLICT", HTTPStatus.CONFLICT),
    errors.NotSignedIn: ("UNAUTHENTICATED", HTTPStatus.UNAUTHORIZED),
    errors.NotAllowed: ("PERMISSION_DENIED", HTTPStatus.FORBIDDEN),
    errors.TooMany: ("RESOURCE_EXHAUSTED", HTTPStatus.TOO_MANY_REQUESTS),
    errors.Unavailable: ("TEMPORARILY_UNAVAILABLE", HTTPStatus.SERVICE_UNAVAILABLE),
}
EMPTY = b"{}"
JSON = (b"content-type", b"application/json")


class Problem(msgspec.Struct):
    error_code: str
    message: str


class NoSuchRoute(errors.NotFound):
    """A route that is not served. Clients fall back to older calls when they see its code."""


class NotImplementedHere(errors.TenureError):
    """A route that is known and not served."""


encoder = msgspec.json.Encoder()


def answer(result: Any) -> bytes:
    """A handler's result as JSON. Nothing is an empty object."""
    return EMPTY if result is None else encoder.encode(result)


def refusal(error: BaseException) -> tuple[int, bytes]:
    """Status and body for an error. One that was not foreseen goes to the log and tells nothing."""
    if isinstance(error, NoSuchRoute):
        return HTTPStatus.NOT_FOUND, _body("ENDPOINT_NOT_FOUND", error.message)
    if isinstance(error, NotImplementedHere):
        return HTTPStatus.NOT_IMPLEMENTED, _body("NOT_IMPLEMENTED", error.message)
    if isinstance(error, UnsafePath):
        return HTTPStatus.BAD_REQUEST, _body("INVALID_PARAMETER_VALUE", "Invalid path")  # compared as a whole
    if isinstance(error, errors.TenureError):
        for kind in type(error).__mro__:
            if kind in CODES:
                code, status = CODES[kind]
                return status, _body(code, error.message)
    log.error("unforeseen failure", exc_info=error)
    return HTTPStatus.INTERNAL_SERVER_ERROR, _body(
        "INTERNAL_ERROR", "The server failed at this. The reason is in its log; nothing was stored."
    )


def _body(code: str, message: str) -> bytes:
    return msgspec.json.encode(Problem(code, message))
