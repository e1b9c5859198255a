"""The front: control listens before its API and pages are put together, and never in a half-made state."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from tenure.access import Gate
from tenure.api.front import App, Front, Later
from tenure.errors import CannotStart
from tests.api.conftest import URL
from tests.conftest import free_port

BROKEN = """
import os, sys
from tenure import app
from tenure.api import rooms
from tenure.errors import CannotStart
from tenure.settings import Settings
def refuse(*_):
    raise CannotStart("Every route must declare a permission. Without one: /open.")
rooms.check_declared = refuse
app.run_control(Settings(data=sys.argv[1], port=int(sys.argv[2])))
"""


async def said(text: str, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})


async def ours(_scope: Any, _receive: Any, send: Any) -> None:
    await said("ours", send)


async def mlflow(_scope: Any, _receive: Any, send: Any) -> None:
    await said("mlflow", send)


def ask(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=URL)


def test_mlflows_protocol_answers_while_ours_is_put_together_and_ours_waits() -> None:
    may_be_made, failures = threading.Event(), list[BaseException]()

    def make() -> App:
        may_be_made.wait()
        return ours

    async def both() -> list[str]:
        front = Front(Gate([5000]), Later(make, failures.append), mlflow, ("/health",))
        async with ask(front) as client:
            waiting = asyncio.create_task(client.get("/api/v1/models"))
            first = await client.get("/health")
            assert not waiting.done()
            may_be_made.set()
            return [first.text, (await waiting).text, (await client.get("/")).text]

    assert asyncio.run(both()) == ["mlflow", "ours", "ours"]
    assert failures == []


def test_who_waits_for_what_cannot_be_made_is_told_and_so_is_the_process() -> None:
    told = threading.Event()

    def make() -> App:
        raise CannotStart("Every route must declare a permission.")

    async def one() -> None:
        async with ask(Front(Gate([5000]), Later(make, lambda _: told.set()), mlflow, ())) as client:
            await client.get("/")

    with pytest.raises(CannotStart):
        asyncio.run(one())
    assert told.wait(5)


def test_a_control_whose_routes_declare_nothing_ends_and_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-c", BROKEN, str(tmp_path / "data"), str(free_port())]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert "Every route must declare a permission. Without one: /open." in ended.stderr
