"""`tenure endpoint export …` against a real server."""

from __future__ import annotations

import json

import httpx
import pytest

from tenure.errors import InvalidInput
from tests.conftest import Running

from .test_commands import run

SECRET = "nobody may read this"


def test_an_export_is_set_shown_and_ended(server: Running) -> None:
    with httpx.Client(base_url=server.url) as client:
        client.post("/api/2.0/mlflow/registered-models/create", json={"name": "exported"}).raise_for_status()
        client.post("/api/v1/endpoints", json={"name": "exported", "model": "exported"}).raise_for_status()
    assert json.loads(run(server, "endpoint", "export", "exported", "--json").output) is None
    words = ["endpoint", "export", "exported", "https://events.example/in"]
    with pytest.raises(InvalidInput, match="--reason"):
        run(server, *words)
    because = ["--reason", "for the desk", "--json"]
    made = json.loads(run(server, *words, "--what", "response", "--share", "0.5", "--secret", SECRET, *because).output)
    assert (made["what"], made["share"], made["signed"], made["sent"]) == (["response"], 0.5, True, 0)
    shown = run(server, "endpoint", "export", "exported").output
    assert "response" in shown
    assert SECRET not in shown + json.dumps(made)
    assert json.loads(run(server, "endpoint", "export", "exported", "--none", *because).output) is None
