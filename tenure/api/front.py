"""The front of control: every request passes the gate here, then goes to MLflow's protocol or to our API and pages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from tenure import access
from tenure.api import (
    alerts,
    audit,
    cards,
    changes,
    deleted,
    endpoints,
    features,
    handling,
    imports,
    model_files,
    models,
    outcomes,
    people,
    profiles,
    provenance,
    respond,
    retraining,
    service,
    webhooks,
    windows,
)
from tenure.errors import TenureError, TooLarge
from tenure.records.people import Permission, Principal
from tenure.serving import answers
from tenure.store.ground import Ground

if TYPE_CHECKING:
    from litestar.types import Receive, Scope, Send

ROOMS = (
    service,
    people,
    models,
    model_files,
    cards,
    profiles,
    provenance,
    features,
    changes,
    endpoints,
    outcomes,
    windows,
    alerts,
    retraining,
    webhooks,
    imports,
    deleted,
    audit,
)
FORM_BYTES = 1024 * 1024
OPENAPI_PATH = "/api/v1/openapi"

App = Callable[..., Awaitable[None]]
"""An ASGI application; Litestar and uvicorn each have types of their own for it."""


class Front:
    """Asks the gate who is there, keeps the answer in the scope, and hands the request on."""

    def __init__(self, gate: access.Gate, ours: App, mlflow: App, mlflow_prefixes: tuple[str, ...]) -> None:
        self._gate = gate
        self._ours = ours
        self._mlflow = mlflow
        self._mlflow_prefixes = mlflow_prefixes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        form = None
        try:
            method = scope["method"]
            if _needs_form_token(method, headers):
                form, receive = await _read_form(receive)
            principal = await self._who_asks(method, headers, form)
        except TenureError as refusal:
            await _answer(send, refusal)
            return
        state: dict[str, Any] = scope.setdefault("state", {})
        state["principal"] = principal
        app = self._mlflow if scope["path"].startswith(self._mlflow_prefixes) else self._ours
        await app(scope, receive, send)

    async def _who_asks(self, method: str, headers: Mapping[str, str], form: bytes | None) -> Principal:
        if not self._gate.takes_long(headers):
            return self._gate.principal(headers, method)
        form_csrf = access.csrf_of_form(form) if form is not None else None
        return await asyncio.to_thread(self._gate.principal, headers, method, form_csrf)


def litestar_app(
    ground: Ground,
    gate: access.Gate,
    pages: Sequence[Any],
    on_page_error: Callable[[Any, Exception], Any],
) -> Litestar:
    """Our API and the pages as one application; errors leave as JSON below /api, else as a page."""

    def either(as_json: Callable[[Any, Any], Any]) -> Callable[[Any, Exception], Any]:
        def handle(request: Any, error: Exception) -> Any:
            return as_json(request, error) if request.url.path.startswith("/api/") else on_page_error(request, error)

        return handle

    return Litestar(
        route_handlers=[*(handler for room in ROOMS for handler in room.handlers), *pages],
        dependencies={
            "ground": Provide(handling.ground, sync_to_thread=False),
            "principal": Provide(handling.principal, sync_to_thread=False),
        },
        guards=[handling.guard],
        exception_handlers={
            TenureError: either(handling.on_ours),
            HTTPException: either(handling.on_litestars),
            RecursionError: either(handling.on_too_deep),
            Exception: either(handling.on_unforeseen),
        },
        state=State({"ground": ground, "gate": gate}),
        request_max_body_size=ground.settings.max_body_mib * 1024 * 1024,
        openapi_config=OpenAPIConfig(
            title="Tenure",
            version=service.VERSION,
            render_plugins=[JsonRenderPlugin()],
            openapi_router=Router(OPENAPI_PATH, route_handlers=[], opt={"permission": Permission.READ}),
        ),
        logging_config=None,
        debug=False,
    )


def check_declared(ours: Litestar, mlflow: Mapping[str, Permission]) -> None:
    """Refuse to start when a route of either application declares no permission."""
    declared: dict[str, object] = dict(mlflow)
    for route in ours.routes:
        for handler in getattr(route, "route_handlers", []):
            if handler.handler_name != "options_handler":
                declared[f"{'/'.join(sorted(handler.http_methods))} {route.path}"] = handler.opt.get("permission")
    access.check_declared(declared)


def _needs_form_token(method: str, headers: Mapping[str, str]) -> bool:
    """Whether the session's CSRF token can only be in a form of the body."""
    return (
        method not in access.SAFE_METHODS
        and access.session_token(headers) is not None
        and access.CSRF_HEADER not in headers
        and headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    )


async def _read_form(receive: Receive) -> tuple[bytes, Receive]:
    """A form's body, and a `receive` that gives it to the application once more. Raises TooLarge."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        body += message["body"]
        if len(body) > FORM_BYTES:
            raise TooLarge(f"A form must be at most {FORM_BYTES} bytes.")
        if not message.get("more_body"):
            break
    pending: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Any:
        return pending.pop() if pending else await receive()

    return body, again


async def _answer(send: Send, refusal: TenureError) -> None:
    body = msgspec.json.encode(respond.as_json(respond.problem_of(refusal)))
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": answers.status_of(refusal), "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
