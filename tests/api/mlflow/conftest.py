"""MLflow's protocol without the front: the application alone, in this process or behind uvicorn on a free port."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import uvicorn

from tenure.access import OWNER
from tenure.api.mlflow.app import App
from tenure.store.ground import Ground


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    content: bytes

    def json(self) -> Any:
        return json.loads(self.content)


class Wire:
    """Calls the application as a client would, one request at a time."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.app = App(ground)

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Any = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        broken: bool = False,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        chunks = (
            [body or b""] if len(body or b"") < 65536 else [body[i : i + 65536] for i in range(0, len(body), 65536)]
        )
        messages = [{"type": "http.request", "body": c, "more_body": True} for c in chunks]
        messages[-1]["more_body"] = broken
        if broken:
            messages.append({"type": "http.disconnect"})
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return messages.pop(0) if messages else await asyncio.Future()

        async def send(message: Any) -> None:
            sent.append(message)

        told = {"content-type": content_type, "content-length": str(len(body or b"")), **(headers or {})}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": urlencode(query or {}, doseq=True).encode(),
            "headers": [(name.encode(), value.encode()) for name, value in told.items()],
            "state": {"principal": OWNER},
        }
        asyncio.run(self.app(scope, receive, send))
        found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent[1:]))

    def get(self, path: str, /, **query: Any) -> Answer:
        return self.call("GET", _whole(path), query=query)

    def post(self, path: str, /, **fields: Any) -> Answer:
        return self.call("POST", _whole(path), body=json.dumps(fields).encode())

    def patch(self, path: str, /, **fields: Any) -> Answer:
        return self.call("PATCH", _whole(path), body=json.dumps(fields).encode())

    def delete(self, path: str, /, **fields: Any) -> Answer:
        return self.call("DELETE", _whole(path), body=json.dumps(fields).encode())

    def put(self, path: str, content: bytes, **how: Any) -> Answer:
        return self.call("PUT", f"{FILES}/{path}", body=content, content_type="application/octet-stream", **how)

    # --- what most tests need first ---

    def experiment(self, name: str = "flights") -> str:
        return str(self.post("experiments/create", name=name).json()["experiment_id"])

    def run(self, experiment_id: str = "0", **fields: Any) -> str:
        return str(self.post("runs/create", experiment_id=experiment_id, **fields).json()["run"]["info"]["run_id"])

    def model(self, experiment_id: str = "0", **fields: Any) -> dict[str, Any]:
        """A logged model with two files."""
        info = self.post("logged-models", experiment_id=experiment_id, name="forest", **fields).json()["model"]["info"]
        folder = info["artifact_uri"].removeprefix("mlflow-artifacts:/")
        assert self.put(f"{folder}/MLmodel", MLMODEL).status == 200
        assert self.put(f"{folder}/model.skops", b"the model").status == 200
        return dict(info)


FILES = "/api/2.0/mlflow-artifacts/artifacts"
MLMODEL = b"""flavors: {}
signature:
  inputs: '[{"type": "double", "name": "distance", "required": true},
    {"type": "string", "name": "carrier", "required": false}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]'
  params: null
"""


def _whole(path: str) -> str:
    return path if path.startswith("/") else f"/api/2.0/mlflow/{path}"


def encoded(path: str) -> str:
    return quote(path)


@pytest.fixture
def wire(ground: Ground) -> Wire:
    return Wire(ground)


@pytest.fixture
def each_wire(each_ground: Ground) -> Wire:
    """The application on SQLite and on Postgres."""
    return Wire(each_ground)


@pytest.fixture
def tracking_url(ground: Ground) -> Iterator[str]:
    """The application behind uvicorn."""
    app = App(ground)

    async def front(scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("state", {})["principal"] = OWNER
        await app(scope, receive, send)

    with served(front) as url:
        yield url


@contextlib.contextmanager
def served(app: Any) -> Iterator[str]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        config = uvicorn.Config(app, log_level="warning", lifespan="off", loop="uvloop", http="httptools")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
