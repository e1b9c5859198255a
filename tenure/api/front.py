"""The front of control: every request passes the gate here, then goes to MLflow's protocol or to our API and pages."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from typing import Any, Protocol

import msgspec

from tenure import access
from tenure.api import respond
from tenure.errors import TenureError, TooLarge
from tenure.records.base import Instant
from tenure.records.people import Principal
from tenure.serving import answers
from tenure.serving.answers import Headers, Receive, Reply, Scope, Send

FORM_BYTES = 1024 * 1024

App = Callable[..., Awaitable[None]]
"""An ASGI application; Litestar, uvicorn and the gateway each have types of their own for it."""


class Prompt(Protocol):
    """An application that answers some requests at once, when it is told who is asking."""

    def wants(self, url: bytes) -> bool: ...

    def at_once(
        self, principal: Principal, now: Instant, url: bytes, headers: Headers, body: bytes
    ) -> Reply | None: ...


class Front:
    """Asks the gate who is there, keeps the answer in the scope, and hands the request on."""

    def __init__(
        self,
        gate: access.Gate,
        ours: App,
        mlflow: App,
        mlflow_prefixes: tuple[str, ...],
        prompt: Prompt | None = None,
    ) -> None:
        """`prompt`: what answers some requests at once, if anything does."""
        self._prompt = prompt
        self._gate = gate
        self._ours = ours
        self._mlflow = mlflow
        self._mlflow_prefixes = mlflow_prefixes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            principal = self._gate.at_a_glance(dict(scope["headers"]), self._gate.now())
            if principal is None:
                principal, receive = await self._look_closely(scope, receive)
        except TenureError as refusal:
            await _answer(send, refusal)
            return
        state: dict[str, Any] = scope.setdefault("state", {})
        state["principal"] = principal
        if scope["path"].startswith("//"):  # a client joined a path to this server's address with its slash at the end
            scope["path"] = "/" + scope["path"].lstrip("/")
        app = self._mlflow if scope["path"].startswith(self._mlflow_prefixes) else self._ours
        await app(scope, receive, send)

    def wants(self, url: bytes) -> bool:
        """Whether a POST to this address may be answered at once."""
        return self._prompt is not None and self._prompt.wants(url)

    def at_once(self, url: bytes, headers: Headers, body: bytes) -> Reply | None:
        """The answer, where who is asking is known at a glance and nothing has to be waited for."""
        assert self._prompt is not None
        now = self._gate.now()
        try:
            principal = self._gate.at_a_glance(dict(headers), now)
        except TenureError:
            return None  # which the long way says
        return self._prompt.at_once(principal, now, url, headers, body) if principal is not None else None

    async def _look_closely(self, scope: Scope, receive: Receive) -> tuple[Principal, Receive]:
        """Who is asking, and what gives the body to the application."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        principal = self._gate.at_once(headers)
        if principal is None:
            method, form = scope["method"], None
            if _needs_form_token(method, headers):
                form, receive = await _read_form(receive)
            principal = await self._who_asks(method, headers, form, self._gate.address_of(scope.get("client"), headers))
        return principal, receive

    async def _who_asks(self, method: str, headers: Mapping[str, str], form: bytes | None, address: str) -> Principal:
        form_csrf = access.csrf_of_form(form) if form is not None else None
        return await asyncio.to_thread(self._gate.principal, headers, method, form_csrf, address)


class Later:
    """An application that is put together on a thread of its own; whoever asks for it meanwhile waits.

    Our API and pages take longer to put together than all else of control, so it listens before they are there.
    `on_failure` is called on that thread when they cannot be.
    """

    def __init__(self, make: Callable[[], App], on_failure: Callable[[BaseException], None]) -> None:
        self._made: Future[App] = Future()
        self._app: App | None = None
        threading.Thread(target=self._make, args=(make, on_failure), name="api-and-pages", daemon=True).start()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            self._app = await asyncio.wrap_future(self._made)
        await self._app(scope, receive, send)

    def _make(self, make: Callable[[], App], on_failure: Callable[[BaseException], None]) -> None:
        try:
            self._made.set_result(make())
        except BaseException as problem:
            self._made.set_exception(problem)
            on_failure(problem)


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
    status = answers.status_of(refusal)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += answers.CHALLENGE if status == 401 else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
