"""Both applications of control behind a gate that wants to know everybody, asked without a network."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.datastructures import State

from tenure import access, app
from tenure.api import front, rooms
from tenure.api.mlflow import app as mlflow_app
from tenure.manage import grants, people, services, tokens
from tenure.manage import model_files as files
from tenure.manage.roles import principal_of
from tenure.records.alerts import Alert, Evidence
from tenure.records.base import Instant
from tenure.records.changes import Change, Subject
from tenure.records.people import NewGrant, NewPerson, NewService, Permission
from tenure.records.retraining import RetrainingRun
from tenure.records.tokens import NewToken
from tenure.store import alerts, changes, endpoints, retraining_runs
from tenure.store import services as kept
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web import site

from ..conftest import make_ground

collect_ignore = ["provider.py"]  # run by tests, not a test itself
HOST = "tenure.example.com"
URL = f"https://{HOST}"
NOW = Instant(1_750_000_000_000_000)
PASSWORD = "correct horse battery"
MAY_ALL = [one for one in Permission if one not in tokens.NEVER]
MODELS = ("late", "fraud")


@dataclass
class Answer:
    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")


_applications: list[Litestar] = []


def application(ground: Ground, gate: access.Gate) -> Litestar:
    """API and pages: put together once, which takes a second, and given a ground of their own for each request."""
    if not _applications:
        with warnings.catch_warnings():  # of Litestar 3, about parameters that get their dependency by name
            warnings.simplefilter("ignore", DeprecationWarning)
            _applications.append(rooms.application(ground, gate, site.handlers, site.on_error))
        rooms.check_declared(_applications[0], mlflow_app.declared())
    return _applications[0]


class Server:
    """Control as `tenure.app` puts it together, with sign-in required behind a TLS proxy."""

    def __init__(self, ground: Ground, *, required: bool = True) -> None:
        self.ground = ground
        self.gate = access.Gate([5000], ground, hosts=[HOST], required=required, public_url=URL if required else "")
        self.ours = application(ground, self.gate)
        self.app = front.Front(self.gate, self.ours, mlflow_app.App(ground), app.MLFLOW_PREFIXES)
        self.loop = asyncio.new_event_loop()

    def ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        json: Any = None,
        body: bytes = b"",
        query: str = "",
    ) -> Answer:
        self._asking()
        given = {"host": HOST, **(headers or {})}
        if json is not None:
            body, given["content-type"] = msgspec.json.encode(json), "application/json"
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 5000),
        }
        return self.loop.run_until_complete(self._asked(scope, body))

    def _asking(self) -> None:
        """Have the application, which all servers of a process share, stand on this ground."""
        self.ours.state = State({"ground": self.ground, "gate": self.gate})

    async def _asked(self, scope: dict[str, Any], body: bytes) -> Answer:
        answer, pending = Answer(), [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            return pending.pop() if pending else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = [(name.decode().lower(), value.decode()) for name, value in message["headers"]]
            else:
                answer.body += message.get("body", b"")

        await self.app(scope, receive, send)
        return answer

    def bearer(self, *roles: str, models: tuple[str, ...] = ()) -> dict[str, str]:
        """The header of a new service with these roles; `engineer@late` is a role for one model."""
        self._services = getattr(self, "_services", 0) + 1
        name = f"service-{self._services}"

        def make(tx: Transaction) -> str:
            services.create(tx, NewService(name=name, purpose="test"), by="owner", now=NOW)
            for role, _, model in (one.partition("@") for one in roles):
                grants.give(tx, NewGrant(principal=name, role=role, model=model or None), by="owner", now=NOW)
            held = kept.get(tx, name)
            assert held is not None
            may = principal_of(name, "service", held.roles)
            asked = [one for one in MAY_ALL if may.may_somewhere(one)]
            new = NewToken(label="test", permissions=asked, principal=name, models=list(models))
            return tokens.create(tx, new, by=access.OWNER, now=NOW).secret

        return {"authorization": f"Bearer {self.ground.database.write(make)}"}

    def person(self, name: str, *roles: str) -> None:
        new = NewPerson(name=name, printed_name=name.title(), password=PASSWORD, roles=list(roles))
        hashed = people.hashed(PASSWORD)
        self.ground.database.write(lambda tx: people.create(tx, new, hashed, by="owner", now=NOW))

    def session(self, name: str) -> dict[str, str]:
        """The cookie of a person who signs in, without the CSRF token."""
        token, _ = self.gate.sign_in(name, PASSWORD, "")
        return {"cookie": f"{access.COOKIE}={token}"}


@pytest.fixture
def server(tmp_path: Any) -> Iterator[Server]:
    made = Server(make_ground(tmp_path))
    yield made
    made.loop.close()
    made.ground.database.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two models, each with an endpoint, a change request, an alert and a retraining run that carry its name."""
    made = Server(make_ground(tmp_path_factory.mktemp("filled")))
    for model in MODELS:
        made.ground.database.write(lambda tx, model=model: fill(tx, model))
    yield made
    made.loop.close()
    made.ground.database.close()


def fill(tx: Transaction, model: str) -> None:
    file = files.parse({"model": model, "purpose": "test", "owner": "ops"})
    files.apply(tx, file, by="owner", now=NOW)
    endpoints.add(tx, model, model, by="owner", now=NOW)
    changes.add(tx, _change(model), [], ["owner"])
    alerts.put(tx, _alert(model))
    run = RetrainingRun(
        retraining_id=model,
        endpoint=model,
        model=model,
        state="failed",
        champion_version=1,
        challenger_version=None,
        trigger={},
        steps=[],
        dossier=None,
        event_at=NOW,
        started_at=NOW,
        ended_at=NOW,
    )
    retraining_runs.put(tx, run)


def _change(model: str) -> Change:
    return Change(
        change_id=model,
        kind="approve",
        model=model,
        version=1,
        state="open",
        reason="test",
        opened_by="owner",
        opened_at=NOW,
        closed_at=None,
        ended_because="",
        subject=Subject(artifact="", card="", profile="", model_file="", policy="", facts=""),
        steps=[],
        signatures=[],
    )


def _alert(model: str) -> Alert:
    return Alert(
        alert_id=model,
        endpoint=model,
        monitor="drift",
        subject="x",
        state="firing",
        severity="note",
        message="test",
        evidence=Evidence(measure="psi", value=1, threshold=0, direction="above"),
        event_at=NOW,
        opened_at=NOW,
        changed_at=NOW,
    )
