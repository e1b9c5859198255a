"""Webhooks over MLflow's protocol, and a whole story with the unmodified client and a real server."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.api.mlflow.conftest import Wire
from tests.conftest import Running

SESSION = Path(__file__).with_name("webhook_session.py")
CREATED = {"entity": "MODEL_VERSION", "action": "CREATED"}
URL = "https://hooks.example/path"


def hook(wire: Wire, **fields: Any) -> dict[str, Any]:
    answer = wire.post("webhooks", **{"name": "chat", "url": URL, "events": [CREATED], **fields})
    assert answer.status == 200, answer.content
    return dict(answer.json()["webhook"])


def test_a_webhook_is_told_without_its_secret(each_wire: Wire) -> None:
    made = hook(each_wire, secret="hush", description="To the chat")
    assert made == {
        "webhook_id": made["webhook_id"],
        "name": "chat",
        "url": URL,
        "events": [CREATED],
        "status": "ACTIVE",
        "description": "To the chat",
        "creation_timestamp": made["creation_timestamp"],
        "last_updated_timestamp": made["creation_timestamp"],
    }
    path = f"webhooks/{made['webhook_id']}"
    assert each_wire.get(path).json() == {"webhook": made}
    assert each_wire.get(f"/ajax-api/2.0/mlflow/{path}").json() == {"webhook": made}
    changed = each_wire.patch(path, status="DISABLED", name="", url="", events=[]).json()["webhook"]
    assert changed == {**made, "status": "DISABLED", "last_updated_timestamp": changed["last_updated_timestamp"]}
    assert "description" not in each_wire.patch(path, description="").json()["webhook"] or changed["description"]
    assert each_wire.delete(path).json() == {}
    gone = each_wire.get(path)
    assert (gone.status, gone.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert each_wire.delete(path).status == 404


def test_events_and_statuses_are_named_or_numbered(wire: Wire) -> None:
    made = hook(wire, events=[{"entity": 5, "action": 1}], status=2)
    assert (made["events"], made["status"]) == ([{"entity": "PROMPT", "action": "CREATED"}], "DISABLED")


def test_webhooks_are_listed_page_by_page(wire: Wire) -> None:
    names = [hook(wire, name=f"h{number}")["name"] for number in range(5)]
    found, token = [], ""
    while True:
        page = wire.get("webhooks", max_results="2", **({"page_token": token} if token else {})).json()
        found += [one["name"] for one in page["webhooks"]]
        token = page.get("next_page_token", "")
        if not token:
            break
    assert sorted(found) == names
    assert len(wire.get("webhooks").json()["webhooks"]) == 5
    assert wire.get("webhooks", max_results="1001").status == 400
    assert wire.get("webhooks", page_token="nonsense").status == 400


@pytest.mark.parametrize(
    "fields",
    [
        {"name": None},
        {"name": "a b"},
        {"url": None},
        {"url": "http://hooks.example"},
        {"url": "https://10.0.0.1/"},
        {"events": []},
        {"events": "model_version.created"},
        {"events": [{"entity": "MODEL_VERSION", "action": "SET"}]},
        {"events": [{"entity": "MODEL_VERSION"}]},
        {"events": [{"entity": 99, "action": -1}]},
        {"events": [{"entity": True, "action": {}}]},
        {"events": [CREATED, CREATED]},
        {"events": [{"entity": "BUDGET_POLICY", "action": "EXCEEDED"}]},
        {"status": "ASLEEP"},
        {"status": 0},
        {"secret": ["a"]},
        {"secret": "x" * 1001},
    ],
)
def test_what_cannot_work_is_refused_as_mlflow_refuses(wire: Wire, fields: dict[str, Any]) -> None:
    sent = {"name": "chat", "url": URL, "events": [CREATED], **fields}
    answer = wire.post("webhooks", **{name: value for name, value in sent.items() if value is not None})
    assert (answer.status, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert wire.get("webhooks").json() == {}


def test_a_receiver_that_may_not_be_reached_fails_its_test_and_says_why(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("127.0.0.1", 443))])
    made = hook(wire, url="https://inside.example/")
    done = wire.post(f"webhooks/{made['webhook_id']}/test").json()["result"]
    assert (done["success"], "response_status" in done) == (False, False)
    assert "inside.example has no public address" in done["error_message"]
    assert wire.post(f"webhooks/{made['webhook_id']}/test", event={"entity": "PROMPT", "action": "SET"}).status == 400
    assert wire.post("webhooks/nobody/test").status == 404


def test_a_story_with_the_unmodified_client(server: Running) -> None:
    command = [sys.executable, str(SESSION), server.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.endswith("all done\n")
