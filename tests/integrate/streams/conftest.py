"""Places to stream between, each with a way to put messages in and to look at what came out; and a real gateway."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tenure.integrate.streams.places import open_both
from tenure.records.streams import Stream
from tests import redis_server
from tests.conftest import missing, new_postgres
from tests.serving.conftest import Gateway, free_port, release

Sent = tuple[str, Any]
"""A key and a message; a message that is bytes is sent as it is, where the place can hold it."""


class PostgresPlace:
    kind = "postgres"

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = sa.create_engine(url)

    def stream(self, **changes: Any) -> Stream:
        return Stream(**{"endpoint": "tricky", "source": f"{self.url}#work", "sink": f"{self.url}#answers"} | changes)

    def put(self, sent: Sequence[Sent]) -> None:
        with self._engine.begin() as tx:
            rows = [{"key": key, "message": json.dumps(message)} for key, message in sent]
            tx.execute(sa.text("INSERT INTO work (key, message) VALUES (:key, CAST(:message AS jsonb))"), rows)

    def answers(self) -> list[tuple[str, Any, str]]:
        with self._engine.connect() as tx:
            rows = tx.execute(sa.text("SELECT key, prediction, prediction_id FROM answers ORDER BY key"))
            return [tuple(row) for row in rows]

    def dead(self) -> list[tuple[str, str, str]]:
        with self._engine.connect() as tx:
            rows = tx.execute(sa.text("SELECT key, code, message FROM answers_dead ORDER BY key"))
            return [tuple(row) for row in rows]

    def close(self) -> None:
        self._engine.dispose()


class RedisPlace:
    kind = "redis"

    def __init__(self, url: str) -> None:
        import redis

        self.url = url
        self.redis = redis.Redis.from_url(url, protocol=2)

    def stream(self, **changes: Any) -> Stream:
        given = {"endpoint": "tricky", "source": f"{self.url}#work", "sink": f"{self.url}#answers"}
        return Stream(**given | {"claim_after_s": 0.001} | changes)

    def put(self, sent: Sequence[Sent]) -> None:
        with self.redis.pipeline() as pipe:
            for key, message in sent:
                pipe.xadd(
                    "work", {"key": key, "message": message if isinstance(message, bytes) else json.dumps(message)}
                )
            pipe.execute()

    def answers(self) -> list[tuple[str, Any, str]]:
        told = [json.loads(fields[b"answer"]) for _, fields in self.redis.xrange("answers")]
        return sorted((one["key"], one["prediction"], one["prediction_id"]) for one in told)

    def dead(self) -> list[tuple[str, str, str]]:
        found = [fields for _, fields in self.redis.xrange("answers:dead")]
        return sorted((one[b"key"].decode(), one[b"code"].decode(), one[b"message"].decode()) for one in found)

    def close(self) -> None:
        self.redis.flushall()
        self.redis.close()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = redis_server.binary()
    if program is None or find_spec("redis") is None:
        missing("Redis")
    with redis_server.running(program, tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def postgres_place(postgres_url: str) -> Iterator[PostgresPlace]:
    with new_postgres(postgres_url) as url:
        made = PostgresPlace(url)
        yield made
        made.close()


@pytest.fixture
def redis_place(redis_url: str) -> Iterator[RedisPlace]:
    made = RedisPlace(redis_url)
    yield made
    made.close()


@pytest.fixture(params=["postgres", "redis"])
def place(request: pytest.FixtureRequest) -> PostgresPlace | RedisPlace:
    """The same test on every kind of place; its tables, or its group, are prepared."""
    made: PostgresPlace | RedisPlace = request.getfixturevalue(f"{request.param}_place")
    for end in open_both(made.stream(), prepare=True):
        end.close()
    return made


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A real gateway with a model that says the number it is given, without mlflow: endpoint `tricky`."""
    folder = tmp_path_factory.mktemp("gateway")
    one = _gateway(folder)
    yield one
    one.close()


@pytest.fixture
def own_gateway(tmp_path: Path) -> Iterator[Callable[[], Gateway]]:
    """The same for one test alone, made when it asks."""
    made: list[Gateway] = []

    def make() -> Gateway:
        folder = tmp_path / "gateway"
        folder.mkdir()
        made.append(_gateway(folder))
        return made[-1]

    yield make
    for one in made:
        one.close()


def _gateway(folder: Path) -> Gateway:
    model = folder / "model" / "tricky"
    model.mkdir(parents=True)
    source = Path(__file__).parents[2] / "serving" / "tricky_model.py"
    (model / source.name).write_bytes(source.read_bytes())
    one = Gateway(folder, free_port(), light=True)
    one.start()
    one.publish(tricky=[release(model)])
    one.serves("r-tricky-1-champion")
    return one


def echo(number: float, **more: Any) -> dict[str, Any]:
    return {"row": {"what": "echo", "number": number}, "event_time": "2025-06-01T12:00:00Z", **more}
