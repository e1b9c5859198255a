"""The Open Inference Protocol over HTTP: what stands at which address below `/v2`.

The repository extension tells and checks; it changes nothing. What answers at an endpoint is decided on control, by
people and gates, and audited there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from tenure.errors import InvalidInput, NotAllowed, NotFound, Unavailable
from tenure.records.people import Permission
from tenure.serving import admission
from tenure.serving.answers import JSON, Receive, Scope, Send, refuse_method
from tenure.serving.answers import answer as send_answer
from tenure.serving.protocols import catalogue, v2
from tenure.serving.scoring import Scoring, headers_of

Handler = Callable[[Scoring, str, str, Scope, Receive, Send], Awaitable[None]]
KILOBYTES_READ = 64


class Asked(msgspec.Struct):
    """What the repository may be asked with."""

    ready: bool = False
    parameters: dict[str, Any] | None = None


async def answer(scoring: Scoring, path: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer what is asked below `/v2`. Raises NotFound where nothing is."""
    place, name, version = _taken_apart(path)
    found = ROUTES.get(place)
    if found is None or (not name and "*" in place):
        raise NotFound(
            "Nothing is at this address of the Open Inference Protocol. GET /v2 tells which extensions there are."
        )
    method, handler = found
    if scope["method"] != method and (scope["method"], method) != ("HEAD", "GET"):
        return await refuse_method(send, method, v2.error_body)
    return await handler(scoring, name, version, scope, receive, send)


def _taken_apart(path: str) -> tuple[str, str, str]:
    """An address with stars for the names in it, and the names: of an endpoint, and of a version.

    >>> _taken_apart("/v2/models/fraud/versions/3/infer")
    ('/v2/models/*/versions/*/infer', 'fraud', '3')
    """
    parts = path.rstrip("/").split("/")
    at = 3 if parts[2:3] == ["models"] else 4 if parts[2:4] == ["repository", "models"] else len(parts)
    name = version = ""
    if len(parts) > at:
        name, parts[at] = parts[at], "*"
    if parts[at + 1 : at + 2] == ["versions"] and len(parts) > at + 2:
        version, parts[at + 2] = parts[at + 2], "*"
    return "/".join(parts), name, version


async def _infer(scoring: Scoring, name: str, version: str, scope: Scope, receive: Receive, send: Send) -> None:
    await scoring.answer(v2, name, version, scope, receive, send)


async def _server(_scoring: Scoring, _n: str, _v: str, _scope: Scope, _receive: Receive, send: Send) -> None:
    await _tell(send, catalogue.server())


async def _live(_scoring: Scoring, _n: str, _v: str, _scope: Scope, _receive: Receive, send: Send) -> None:
    await _tell(send, {"live": True})


async def _ready(scoring: Scoring, _n: str, _v: str, _scope: Scope, _receive: Receive, send: Send) -> None:
    waiting = catalogue.not_ready(scoring)
    if waiting:
        raise Unavailable(f"{waiting} of the endpoints with a champion cannot answer yet.")
    await _tell(send, {"ready": True})


async def _model(scoring: Scoring, name: str, version: str, scope: Scope, _receive: Receive, send: Send) -> None:
    scoring.asking(headers_of(scope), name, Permission.SCORE, Permission.READ)
    await _tell(send, catalogue.model(scoring.arms.endpoint(name), version, scoring.asked_for))


async def _model_ready(scoring: Scoring, name: str, version: str, scope: Scope, _receive: Receive, send: Send) -> None:
    scoring.asking(headers_of(scope), name, Permission.SCORE, Permission.READ)
    catalogue.check_ready(scoring.arms.endpoint(name), version)
    await _tell(send, {"name": name, "ready": True})


async def _index(scoring: Scoring, _n: str, _v: str, scope: Scope, receive: Receive, send: Send) -> None:
    principal = scoring.known(headers_of(scope))
    asked = await _asked(scope, receive)
    await _tell(send, catalogue.index(scoring, principal, only_ready=asked.ready))


async def _load(scoring: Scoring, name: str, _v: str, scope: Scope, receive: Receive, send: Send) -> None:
    scoring.asking(headers_of(scope), name, Permission.MANAGE)
    if (await _asked(scope, receive)).parameters:
        raise InvalidInput(catalogue.LOADING, where="parameters")
    catalogue.check_ready(scoring.arms.endpoint(name), "")
    await _tell(send, {})


async def _unload(scoring: Scoring, name: str, _v: str, scope: Scope, _receive: Receive, _send: Send) -> None:
    scoring.asking(headers_of(scope), name, Permission.MANAGE)
    raise NotAllowed(catalogue.UNLOADING)


ROUTES: dict[str, tuple[str, Handler]] = {
    "/v2": ("GET", _server),
    "/v2/health/live": ("GET", _live),
    "/v2/health/ready": ("GET", _ready),
    "/v2/models/*": ("GET", _model),
    "/v2/models/*/ready": ("GET", _model_ready),
    "/v2/models/*/infer": ("POST", _infer),
    "/v2/models/*/versions/*": ("GET", _model),
    "/v2/models/*/versions/*/ready": ("GET", _model_ready),
    "/v2/models/*/versions/*/infer": ("POST", _infer),
    "/v2/repository/index": ("POST", _index),
    "/v2/repository/models/*/load": ("POST", _load),
    "/v2/repository/models/*/unload": ("POST", _unload),
}


async def _asked(scope: Scope, receive: Receive) -> Asked:
    admission.check_headers(headers_of(scope), KILOBYTES_READ * 1024)
    body = await admission.read_body(receive, KILOBYTES_READ * 1024)
    try:
        return msgspec.json.decode(body or b"{}", type=Asked)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidInput("The body must be a JSON object, such as {}, or empty.") from None


async def _tell(send: Send, told: Any) -> None:
    await send_answer(send, 200, JSON, msgspec.json.encode(told))
