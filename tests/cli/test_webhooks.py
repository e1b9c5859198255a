"""`tenure webhook …` against a real server and a receiver on this machine."""

from __future__ import annotations

import json

import httpx

from tests.conftest import Running, wait_until

from ..integrate.receiver import receiving
from .test_commands import run

SECRET = "nobody may read this"


def test_a_webhook_from_first_to_last(server: Running) -> None:
    with receiving() as receiver, httpx.Client(base_url=server.url) as client:
        words = ["--event", "registered_model.created", "--secret", SECRET, "--json"]
        made = json.loads(run(server, "webhook", "add", "commanded", receiver.url, *words).output)
        name = made["webhook_id"]
        assert "accepted" in run(server, "webhook", "test", name).output
        receiver.answers = [500]
        client.post("/api/2.0/mlflow/registered-models/create", json={"name": "told-by-command"}).raise_for_status()

        def tried() -> int:
            [message] = client.get(f"/api/v1/webhooks/{name}/deliveries").json()
            return len(message["attempts"])

        wait_until(lambda: tried() == 1, 20, "the failure is in the log")
        log = run(server, "webhook", "log", name).output
        assert "registered_model.created" in log
        assert "waits until" in log
        assert "500" in log
        message = client.get(f"/api/v1/webhooks/{name}/deliveries").json()[0]["message_id"]
        assert run(server, "webhook", "redeliver", name, message).exit_code == 0
        wait_until(lambda: tried() == 2, 20, "it was sent again")
        assert receiver.ids()[1:] == [message, message]
        listed = run(server, "webhook", "list").output
        assert "commanded" in listed
        assert all(SECRET not in one for one in (listed, log, json.dumps(made)))
        assert run(server, "webhook", "remove", name).exit_code == 0
        assert client.get(f"/api/v1/webhooks/{name}").status_code == 404
