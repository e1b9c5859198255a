"""Small writes that are answered at once: as the long way answers them, or not at all."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tenure import access
from tenure.api.mlflow.app import App
from tenure.build import experiments, runs
from tenure.records.base import Instant
from tenure.records.people import Permission, Principal
from tenure.serving.answers import Reply
from tenure.store import metrics
from tenure.store.ground import Ground

METRIC = b"/api/2.0/mlflow/runs/log-metric"
JSON = [(b"host", b"x"), (b"content-type", b"application/json")]
NOW = Instant(1_750_000_000_000_000)


@pytest.fixture
def run_id(ground: Ground) -> str:
    def make(tx: Any) -> str:
        experiments.seed(tx, NOW)
        return runs.create(tx, "0", name="r", user_id="ann", start_time=1, tags=[], now=NOW).info.run_id

    return ground.database.write(make)


def point(run_id: str, **changes: Any) -> bytes:
    return json.dumps({"run_id": run_id, "key": "loss", "value": 0.5, "timestamp": 1, "step": 0} | changes).encode()


def at_once(app: App, body: bytes, principal: Principal = access.OWNER, url: bytes = METRIC, **headers: Any) -> Any:
    async def ask() -> Any:
        return app.at_once(principal, NOW, url, headers.get("sent", JSON), body)

    return asyncio.run(ask())


def the_long_way(app: App, body: bytes) -> Reply:
    said: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    scope = {"type": "http", "method": "POST", "path": METRIC.decode(), "query_string": b"", "headers": JSON}
    asyncio.run(app({**scope, "state": {"principal": access.OWNER}}, receive, send))
    headers = [one for one in said[0]["headers"] if one[0] != b"content-length"]
    return Reply(said[0]["status"], headers, said[1]["body"])


def bodies(run_id: str) -> list[bytes]:
    return [
        point(run_id),
        point(run_id, step=3),
        point(run_id, value="NaN", step=4),
        point(run_id, key=""),
        point(run_id, key="../x"),
        point(run_id, timestamp=None),
        point("nothing"),
        b'{"runId": "%s", "key": "acc", "value": 1, "timestamp": 2}' % run_id.encode(),
        b"[1",
        b"",
        b"\xff",
    ]


def test_both_ways_answer_alike(ground: Ground, run_id: str) -> None:
    app = App(ground)
    for body in bodies(run_id):
        assert at_once(app, body) == the_long_way(app, body)
    assert ground.database.read(lambda tx: metrics.count(tx, run_id)) == (4, 2)


def test_what_needs_a_closer_look_goes_the_long_way(ground: Ground, run_id: str) -> None:
    app = App(ground)
    somewhere = Principal(name="a", kind="person", permissions=frozenset(), on={"m": frozenset({Permission.TRACK})})
    job = Principal(name="j", kind="job", permissions=frozenset(Permission))
    assert at_once(app, point(run_id), somewhere) is None
    assert at_once(app, point(run_id), job) is None
    assert at_once(app, point(run_id, key="k" * 9000)) is None
    assert at_once(app, point(run_id), sent=[(b"content-type", b"text/plain")]) is None
    assert not app.wants(METRIC + b"?a=b")
    assert app.wants(b"/ajax-api/2.0/mlflow/runs/log-metric")
    assert ground.database.read(lambda tx: metrics.count(tx, run_id)) == (0, 0)


def test_the_second_of_a_turn_and_what_would_wait_for_a_lock_go_the_long_way(ground: Ground, run_id: str) -> None:
    app = App(ground)

    async def twice() -> list[Any]:
        return [app.at_once(access.OWNER, NOW, METRIC, JSON, point(run_id, step=step)) for step in range(2)]

    first, second = asyncio.run(twice())
    assert first.status == 200
    assert second is None
    if ground.database.is_sqlite:
        with ground.database.engine.connect() as other:
            other.connection.driver_connection.execute("BEGIN IMMEDIATE")  # type: ignore[union-attr]
            assert at_once(app, point(run_id, step=9)) is None
            other.connection.driver_connection.execute("ROLLBACK")  # type: ignore[union-attr]
    assert ground.database.read(lambda tx: metrics.count(tx, run_id)) == (1, 1)
