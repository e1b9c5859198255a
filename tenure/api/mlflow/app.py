"""MLflow's protocol as a bare ASGI application: a table of routes, and one way from a request to its answer.

Requests that wait at the same time share a transaction (`Database.submit`), so the event loop never waits for a disk.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import msgspec

from tenure import access
from tenure.api.mlflow import (
    artifacts,
    direct,
    experiments,
    logged_models,
    metrics,
    registry,
    respond,
    runs,
    service,
    webhooks,
)
from tenure.api.mlflow.routes import Asked, Route
from tenure.api.mlflow.together import Together
from tenure.api.mlflow.wire import Reader
from tenure.errors import InvalidInput, NotAllowed, TooLarge
from tenure.records.base import Instant
from tenure.records.people import Principal
from tenure.serving import answers
from tenure.serving.answers import Headers, Reply
from tenure.store.ground import Ground

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

ROUTES: tuple[Route, ...] = (
    *experiments.ROUTES,
    *runs.ROUTES,
    *metrics.ROUTES,
    *logged_models.ROUTES,
    *registry.ROUTES,
    *webhooks.ROUTES,
    *artifacts.ROUTES,
    *direct.ROUTES,
    *service.ROUTES,
)
PLACE = re.compile(r"\{(\w+)(:path)?\}")
AJAX = "/ajax-api/"
MIB = 1024 * 1024
SMALL_BYTES = 8192
"""A write that is no longer than this runs on the event loop when its route is small: about 1 ms at most."""


@dataclass(frozen=True, slots=True)
class _Entry:
    route: Route
    reader: Reader


class _Table:
    """Finds a route by path and method: exact paths first, then patterns."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self._exact: dict[str, dict[str, _Entry]] = {}
        patterns: dict[str, dict[str, _Entry]] = {}
        for route in routes:
            kept = patterns if "{" in route.path else self._exact
            kept.setdefault(route.path, {})[route.method] = _Entry(route, Reader(route.request))
        self._patterns = [(_compiled(path), methods) for path, methods in patterns.items()]

    def reader(self, route: Route) -> Reader:
        """What reads the bodies of a route with an exact path."""
        return self._exact[route.path][route.method].reader

    def find(self, method: str, path: str) -> tuple[_Entry, dict[str, str]]:
        method = "GET" if method == "HEAD" else method  # the same answer; the body is left out behind us
        methods = self._exact.get(path)
        if methods is not None and method in methods:
            return methods[method], {}
        for pattern, entries in self._patterns:
            matched = pattern.fullmatch(path)
            if matched and method in entries:
                return entries[method], matched.groupdict()
        raise respond.NoSuchRoute(f"There is no route {method} {path[:200]} on this server.")


def _compiled(path: str) -> re.Pattern[str]:
    pattern, at = "", 0
    for place in PLACE.finditer(path):
        pattern += re.escape(path[at : place.start()]) + (
            f"(?P<{place[1]}>.+)" if place[2] else f"(?P<{place[1]}>[^/]+)"
        )
        at = place.end()
    return re.compile(pattern + re.escape(path[at:]), re.DOTALL)


TABLE = _Table(ROUTES)


def declared() -> dict[str, access.Declared]:
    """What every route asks for and is about, by method and path."""
    return {f"{route.method} {route.path}": access.Declared(route.permission, route.subject) for route in ROUTES}


SMALL_POSTS = {
    path.encode(): route
    for route in ROUTES
    if route.kind == "small"
    for path in (route.path, route.path.replace("/api/", AJAX, 1))
}


class App:
    """The application. The front has put who is asking into `scope["state"]["principal"]`."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._limit_bytes = ground.settings.max_body_mib * MIB
        self._together = Together(ground.database)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            path: str = scope["path"]
            if path.startswith(AJAX):
                path = "/api/" + path[len(AJAX) :]
            entry, parts = TABLE.find(scope["method"], path)
            route, principal = entry.route, scope["state"]["principal"]
            everywhere = route.permission in principal.permissions
            if principal.kind == "job":
                _require_for_jobs(route)
            if not everywhere:
                _require_somewhere(principal, route)
            asked = Asked(self._ground, principal.name, self._ground.clock(), principal)
            if route.kind == "stream":
                if not everywhere:
                    _require_for_models(principal, route, artifacts.query_of(scope))
                await route.handler(asked, scope, receive, send, parts)
                return
            sent = await _body(receive, self._limit_bytes)
            request = _request(entry.reader, scope, sent, parts)
            if not everywhere:
                _require_for_models(principal, route, msgspec.structs.asdict(request))
            if route.kind == "small" and len(sent) <= SMALL_BYTES:
                result = await self._together.write(lambda tx: route.handler(tx, request, asked))
            else:
                result = await _handled(route, request, asked)
            status, body = 200, respond.answer(result)
        except Exception as error:
            status, body = respond.refusal(error)
        headers = [respond.JSON, (b"content-length", b"%d" % len(body))]
        headers += answers.CHALLENGE if status == 401 else []
        await send({"type": "http.response.start", "status": int(status), "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def wants(self, url: bytes) -> bool:
        """Whether a POST to this address may be answered at once."""
        return url in SMALL_POSTS

    def at_once(self, principal: Principal, now: Instant, url: bytes, headers: Headers, body: bytes) -> Reply | None:
        """The answer to a small write that need not wait for another; None, with nothing done, for all else."""
        route = SMALL_POSTS[url]
        if route.permission not in principal.permissions or principal.kind == "job" or len(body) > SMALL_BYTES:
            return None
        if (b"content-type", b"application/json") not in headers:
            return None
        try:
            request, asked = TABLE.reader(route).body(body, {}), Asked(self._ground, principal.name, now, principal)
            outcome = self._together.write_now(lambda tx: route.handler(tx, request, asked))
        except Exception as error:
            return _refused(error)
        if outcome is None:
            return None
        if outcome.failure is not None:
            return _refused(outcome.failure)
        return Reply(200, [respond.JSON], respond.answer(outcome.answer))


def _refused(error: BaseException) -> Reply:
    status, told = respond.refusal(error)
    return Reply(int(status), [respond.JSON], told)


def _require_for_jobs(route: Route) -> None:
    """Let a training job in where it has something to do. Raises NotAllowed."""
    if not route.for_jobs:
        raise NotAllowed("A training job registers what it made. It moves no alias and changes nothing else there.")


def _require_somewhere(principal: Principal, route: Route) -> None:
    """Let in who has the permission for some model, if the route says which model it is about. Raises NotAllowed."""
    if route.subject is None or not principal.may_somewhere(route.permission):
        access.require(principal, route.permission)


def _require_for_models(principal: Principal, route: Route, given: Mapping[str, Any]) -> None:
    """What is asked for names its models; for each of them the permission is needed. Raises NotAllowed."""
    assert route.subject is not None
    for field in route.subject.fields:
        name = given.get(field)
        access.require(principal, route.permission, name if isinstance(name, str) else None)


async def _handled(route: Route, request: Any, asked: Asked) -> Any:
    if route.kind == "apart":
        return await route.handler(request, asked)
    database = asked.ground.database
    submit = database.submit_read if route.kind == "read" else database.submit
    return await asyncio.wrap_future(submit(lambda tx: route.handler(tx, request, asked)))


def _request(reader: Reader, scope: Scope, body: bytes, parts: dict[str, str]) -> Any:
    """The request of a call: from the query string of a GET, else from the JSON body."""
    query: bytes = scope["query_string"]
    if scope["method"] == "GET" and (query or not body):
        return reader.query(query, parts)
    if body and scope["method"] in ("POST", "PUT") and not _is_json(scope):
        raise InvalidInput("Bad Request. Content-Type must be application/json.")
    if not body and query:
        return reader.query(query, parts)
    return reader.body(body, parts)


async def _body(receive: Receive, limit_bytes: int) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        chunks, size = [body], len(body)
        while message.get("more_body"):
            message = await receive()
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > limit_bytes:
                raise TooLarge(f"A body may have at most {limit_bytes // MIB} MiB. Split the request.")
        body = b"".join(chunks)
    if message["type"] == "http.disconnect":
        raise InvalidInput("The client went away before its request was complete.")
    if len(body) > limit_bytes:
        raise TooLarge(f"A body may have at most {limit_bytes // MIB} MiB. Split the request.")
    return body


def _is_json(scope: Scope) -> bool:
    for name, value in scope["headers"]:
        if name == b"content-type":
            return bytes(value).lstrip().startswith(b"application/json")
    return False
