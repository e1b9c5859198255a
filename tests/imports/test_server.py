"""How a server is asked: with what MLflow's own variables say, and patiently."""

from __future__ import annotations

import base64

import httpx
import pytest

from tenure.errors import InvalidInput, NotSignedIn, Unavailable
from tenure.imports import server as room
from tenure.imports.places import PATIENCE, Places
from tenure.imports.server import Refused, Server
from tenure.imports.source import Owner, Unreadable
from tests.conftest import Running

OWNER = Owner("run", "a" * 32)


def answering(server: Server, *answers: httpx.Response) -> list[httpx.Request]:
    """Have these answers come, one after another, and keep what was asked."""
    asked: list[httpx.Request] = []
    waiting = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return waiting.pop(0)

    server._http = httpx.Client(
        base_url=server.address,
        transport=httpx.MockTransport(answer),
        auth=server._http.auth,
        headers=server._http.headers,
    )
    return asked


def test_credentials_come_from_mlflows_variables_or_from_the_address() -> None:
    basic = "Basic " + base64.b64encode(b"ada:secret").decode()
    for url, environment, sent in (
        ("http://h", {"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": "secret"}, basic),
        ("http://ada:secret@h", {}, basic),
        ("http://h", {"MLFLOW_TRACKING_TOKEN": "t"}, "Bearer t"),
        ("http://h", {}, None),
    ):
        server = Server(url, environment)
        asked = answering(server, httpx.Response(200, json={}))
        server.get("/x")
        assert asked[0].headers.get("authorization") == sent
        assert "secret" not in server.address
        server.close()


def test_who_is_not_let_in_is_told_which_variables_to_set(server: Running) -> None:
    asking = Server(server.url, {"MLFLOW_TRACKING_TOKEN": "wrong"})
    with pytest.raises(NotSignedIn, match="MLFLOW_TRACKING_USERNAME"):
        asking.post("/api/2.0/mlflow/experiments/search", {"max_results": 1})
    asking.close()


def test_a_busy_source_is_asked_again_and_a_refusal_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room.time, "sleep", lambda _: None)
    server = Server("http://h", {})
    asked = answering(server, httpx.Response(503), httpx.Response(429), httpx.Response(200, json={"a": 1}))
    assert server.get("/x") == {"a": 1}
    assert len(asked) == 3
    asked = answering(server, httpx.Response(500, json={"message": "cannot"}))
    with pytest.raises(Refused, match="cannot"):
        server.get("/x")
    answering(server, httpx.Response(200, text="<html>"))
    with pytest.raises(InvalidInput, match="not JSON"):
        server.get("/x")
    server.close()


def test_nobody_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room.time, "sleep", lambda _: None)
    server = Server("http://127.0.0.1:1", {})
    with pytest.raises(Unavailable, match="Nothing answers"):
        server.get("/x")
    server.close()


def test_files_that_only_the_source_reaches_are_read_through_it() -> None:
    server = Server("http://h", {})
    level = {"files": [{"path": "d", "is_dir": True}, {"path": "a.txt", "is_dir": False, "file_size": 2}]}
    below = {"files": [{"path": "d/b.txt", "is_dir": False}]}  # a size of 0 is left out
    places = Places(None, server)
    asked = answering(
        server, httpx.Response(200, json=level), httpx.Response(200, json=below), httpx.Response(200, text="hi")
    )
    assert places.sizes("s3://bucket/1/r/artifacts", OWNER) == {"a.txt": 2, "d/b.txt": 0}
    assert b"".join(places.read("s3://bucket/1/r/artifacts", "a.txt", OWNER)) == b"hi"
    assert asked[-1].url.path == "/get-artifact"
    server.close()


def test_a_bucket_that_never_answers_is_not_asked_for_every_run() -> None:
    server = Server("http://h", {})
    places = Places(None, server)
    asked = answering(server, *[httpx.Response(500)] * PATIENCE)
    for number in range(PATIENCE + 5):
        with pytest.raises(Unreadable, match="500"):
            places.sizes(f"s3://bucket/{number}/artifacts", OWNER)
    assert len(asked) == PATIENCE
    server.close()
