"""Pages behind the real gate, without the rest of the server."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.datastructures import State

from tenure import access
from tenure.api import front, rooms
from tenure.store.ground import Ground
from tenure.web import site

from ..conftest import make_ground
from . import town

PORT = 5000


def pages_of(ground: Ground, port: int = PORT) -> Any:
    """The front of the server as `tenure.app` puts it together, without MLflow's protocol."""
    gate = access.Gate([port], ground)
    return _front(gate, _application(ground, gate))


def _front(gate: access.Gate, ours: Litestar) -> front.Front:
    async def nothing(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return front.Front(gate, ours, nothing, ())


def _application(ground: Ground, gate: access.Gate) -> Litestar:
    with warnings.catch_warnings():  # of Litestar 3, about parameters that get their dependency by name
        warnings.simplefilter("ignore", DeprecationWarning)
        ours = rooms.application(ground, gate, site.handlers, site.on_error)
    rooms.check_declared(ours, {})
    return ours


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A year behind it. Tests of this folder only read it."""
    made = make_ground(tmp_path_factory.mktemp("town"))
    town.fill(made)
    yield made
    made.database.close()


@pytest.fixture(scope="session", autouse=True)
def _helpers_end() -> Iterator[None]:
    """Processes that draw and read for the pages end with the tests."""
    yield
    site.close_all()


class Client:
    """A browser's requests to the pages, without a network. Cookies are kept; redirects are answers."""

    def __init__(self, ground: Ground) -> None:
        gate = access.Gate([PORT], ground)
        if not _applications:
            _applications.append(_application(ground, gate))
        self._app = _front(gate, _applications[0])
        self._state = State({"ground": ground, "gate": gate})
        self._cookies = httpx.Cookies()

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self._ask("GET", path, **more)

    def post(self, path: str, data: dict[str, Any]) -> httpx.Response:
        return self._ask("POST", path, data=data)

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app, raise_app_exceptions=False)
            base = f"http://127.0.0.1:{PORT}"
            browser = {"sec-fetch-site": "same-origin"}
            async with httpx.AsyncClient(
                transport=transport, base_url=base, headers=browser, cookies=self._cookies
            ) as client:
                answer = await client.request(method, path, **more)
                self._cookies = client.cookies
                return answer

        _applications[0].state = self._state
        return asyncio.run(ask())


_applications: list[Litestar] = []
"""The pages, put together once, which takes half a second, and given the ground of whoever asks."""


@pytest.fixture
def pages(filled: Ground) -> Client:
    return Client(filled)


@pytest.fixture
def empty_pages(tmp_path: Path) -> Iterator[Client]:
    made = make_ground(tmp_path)
    yield Client(made)
    made.database.close()
