"""A model in service whose form is proven, and a client that asks the API without a network."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pyarrow as pa

from tenure.access import Gate
from tenure.api import front, rooms
from tenure.batch.results import Results
from tenure.batch.running import Batch, Summary
from tenure.batch.scoring import Wanted
from tenure.batch.sending import Sending
from tenure.batch.sources import Source, open_files
from tenure.build import manifests, model_versions, registered_models
from tenure.deploy import endpoints, promotions
from tenure.manage import model_files
from tenure.records.base import DAY_US, Instant
from tenure.records.batches import NewBatch
from tenure.records.endpoints import NewEndpoint
from tenure.records.forms import FormReport
from tenure.records.model_files import ModelFile
from tenure.records.registry import NewVersion
from tenure.records.routing import PinnedFile, ReleaseForm
from tenure.sdk.client import Client
from tenure.serving.forms import loading
from tenure.serving.forms.program import PROGRAM_FILE, Finish, Number, Program, Table
from tenure.store import forms
from tenure.store.ground import Ground
from tenure.store.roots import FORMS, FORMS_FOLDER

NOW = Instant(1_750_000_000_000_000)
URL = "http://127.0.0.1:5000"
INPUTS = [
    {"type": "double", "name": "km", "required": False},
    {"type": "long", "name": "hour", "required": True},
    {"type": "string", "name": "carrier", "required": True},
]
LATE = Program(
    kind="linear",
    numbers=[
        Number(name="km", low=-1e300, high=1e300, null=[0.25], centre=100.0, weights=[0.013]),
        Number(name="hour", low=0.0, high=1e9, null=None, centre=12.0, weights=[0.3]),
    ],
    tables=[Table(name="carrier", keys=["AA", "UA"], rows=[[1.0], [-1.0]], unknown=[0.125], null=None)],
    finish=Finish(says="two", link="logistic"),
    base=[-1.0],
)
PROBE: dict[str, list[Any]] = {"km": [100.0, None, 104.0], "hour": [1, 2, 3], "carrier": ["AA", "UA", "B6"]}


def rows(count: int, seed: int = 0) -> pa.Table:
    """Rows that the model takes, with a key."""
    random = np.random.default_rng(seed)
    return pa.table(
        {
            "id": pa.array([f"r{k}" for k in range(count)]),
            "km": pa.array(random.normal(100, 50, count), mask=random.random(count) < 0.1),
            "hour": pa.array(random.integers(0, 24, count)),
            "carrier": pa.array(random.choice(["AA", "UA", "B6"], count)),
        }
    )


def put_into_service(ground: Ground, program: Program = LATE, *, name: str = "delay") -> None:
    """A champion at an endpoint of the model's name, with a proven form and no weights that could be loaded."""
    write = ground.database.write
    write(lambda tx: registered_models.create(tx, name, description=None, tags=[], by="ann", now=NOW))
    add_champion(ground, program, name=name)
    new = NewEndpoint(name=name, model=name)
    write(lambda tx: endpoints.create(tx, new, by="ann", now=NOW))


def add_champion(ground: Ground, program: Program = LATE, *, name: str = "delay") -> int:
    write = ground.database.write
    count = len(ground.database.read(lambda tx: model_versions.of_model(tx, name)))
    place = f"1/models/m-{count:032x}/artifacts"
    mlmodel = f"flavors: {{}}\nsignature:\n  inputs: '{json.dumps(INPUTS)}'\n"
    ground.artifacts.write(f"{place}/MLmodel", [mlmodel.encode()])
    location = f"mlflow-artifacts:/{place}"
    new = NewVersion(name=name, source=location, storage_location=location)
    pinned = manifests.pin(ground.artifacts, place)
    made = write(lambda tx: model_versions.register(tx, new, pinned, by="ann", now=NOW))
    write(lambda tx: forms.ask(tx, name, made.version, made.digest or "", by="ann", now=NOW))
    form = ground.database.read(lambda tx: forms.get(tx, name, made.version))
    assert form is not None
    report = FormReport(kind="linear", reason="", candidates=[], tolerance=1e-9)
    proven = _stored(ground, program)
    write(lambda tx: forms.lease(tx, form, "w", NOW + DAY_US, NOW))
    assert write(lambda tx: forms.settle(tx, form, "w", report, proven, now=NOW))
    write(lambda tx: promotions.promote(tx, name, made.version, to="champion", reason="better", by="ann", now=NOW))
    return made.version


def _stored(ground: Ground, program: Program) -> ReleaseForm:
    content = msgspec.msgpack.encode(program)
    sha256 = hashlib.sha256(content).hexdigest()
    ground.artifacts.write(f"{FORMS_FOLDER}/{sha256}/{PROGRAM_FILE}", [content])
    return ReleaseForm(
        kind="linear",
        location=f"{FORMS}/{sha256}",
        digest=f"sha256:{sha256}",
        files=[PinnedFile(path=PROGRAM_FILE, size_bytes=len(content), sha256=sha256)],
        probe=PROBE,
        answers=loading.built(content, None).outputs(PROBE, 3),
        tolerance=1e-9,
    )


def declare(ground: Ground, name: str = "delay", **more: Any) -> None:
    """Apply a model's file."""
    file = {"model": name, "purpose": "warn", "owner": "team@example.com", **more}
    parsed = msgspec.convert(file, ModelFile)
    ground.database.write(lambda tx: model_files.apply(tx, parsed, by="ann", now=NOW))


class _Here(httpx.BaseTransport):
    """Hands requests to an application in this process. `away` times it is as if nobody listened."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self._lock = threading.Lock()
        self.asked: list[str] = []
        self.away = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url.path}")
        if self.away:
            self.away -= 1
            raise httpx.ConnectError("nobody listens", request=request)
        request.read()

        async def ask() -> httpx.Response:
            sent = httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
            answer = await httpx.ASGITransport(app=self.app, raise_app_exceptions=False).handle_async_request(sent)
            return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())

        with self._lock:
            return asyncio.run(ask())


def client_of(ground: Ground) -> tuple[Client, Any]:
    """A client of a ground's API, and its transport."""
    moment = [int(NOW)]

    def clock() -> Instant:
        moment[0] += 1_000_000
        return Instant(moment[0])

    moving = replace(ground, clock=clock)
    gate = Gate([5000], moving)
    with warnings.catch_warnings():  # of Litestar 3, about parameters that get their dependency by name
        warnings.simplefilter("ignore", DeprecationWarning)
        ours = rooms.application(moving, gate, [], lambda request, error: None)

    async def nothing(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    transport = _Here(front.Front(gate, ours, nothing, ("/api/2.0/mlflow",)))
    client = Client(URL)
    client._http = httpx.Client(transport=transport)
    return client, transport


class Scene:
    """A folder with a server's ground in it, and batches at its endpoint `delay`."""

    def __init__(self, ground: Ground, folder: Path) -> None:
        self.ground, self.folder = ground, folder
        self.client, self.transport = client_of(ground)
        self.sending = Sending(self.client, "delay")
        self.sending.pauses_s = (0.0,)
        self.said: list[str] = []

    def path(self, name: str) -> Path:
        return self.folder / name

    def batch(self, source: Source, wanted: Wanted | None = None, **new: Any) -> Batch:
        return Batch(self.sending, source, wanted or Wanted(columns=["id"]), NewBatch(**new))

    def score(
        self,
        input_: str | Source,
        output: str = "scored.parquet",
        *,
        rejected: str | None = None,
        wanted: Wanted | None = None,
        restart: bool = False,
        **new: Any,
    ) -> Summary:
        source = open_files(self.path(input_)) if isinstance(input_, str) else input_
        results = Results(self.path(output), self.path(rejected) if rejected else None)
        batch = self.batch(source, wanted, **new)
        return batch.run(results, self.path("cache"), restart=restart, progress=lambda *_: None, say=self.said.append)
