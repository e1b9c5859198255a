"""Our API as the front serves it, asked without a network."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.datastructures import State

from tenure.access import Gate
from tenure.api import front, rooms
from tenure.manage import tables
from tenure.records.base import Instant
from tenure.store.ground import Ground

URL = "http://127.0.0.1:5000"
START = Instant(1_750_000_000_000_000)


class Asker:
    """Sends one request after another to an ASGI application; `now` moves by a second with each look at the clock."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
                return await client.request(method, path, **more)

        return asyncio.run(ask())

    def ok(self, method: str, path: str, **more: Any) -> Any:
        answer = self(method, path, **more)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def refused(self, method: str, path: str, status: int, **more: Any) -> dict[str, Any]:
        """The error of an answer, in its one shape."""
        answer = self(method, path, **more)
        assert answer.status_code == status, answer.text
        assert set(answer.json()) == {"error"}
        error: dict[str, Any] = answer.json()["error"]
        assert {"code", "message"} <= set(error) <= {"code", "message", "where", "failures", "problems"}
        assert "Traceback" not in answer.text
        return error


def ticking() -> Callable[[], Instant]:
    now = START

    def clock() -> Instant:
        nonlocal now
        now = Instant(now + 1_000_000)
        return now

    return clock


@pytest.fixture(scope="session", autouse=True)
def _readers_end() -> Iterator[None]:
    yield
    tables.processes.close()


@pytest.fixture
def ask(ground: Ground) -> Asker:
    moving = replace(ground, clock=ticking())
    gate = Gate([5000], moving)

    async def nothing(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return Asker(front.Front(gate, _application(moving, gate), nothing, ("/api/2.0/mlflow",)))


def _application(ground: Ground, gate: Gate) -> Litestar:
    """Our API on a ground. It is put together once, and then given a state of its own for each test."""
    if not _applications:
        with warnings.catch_warnings():  # of Litestar 3, about parameters that get their dependency by name
            warnings.simplefilter("ignore", DeprecationWarning)
            _applications.append(rooms.application(ground, gate, [], lambda request, error: None))
        rooms.check_declared(_applications[0], {})
    _applications[0].state = State({"ground": ground, "gate": gate})
    return _applications[0]


_applications: list[Litestar] = []
