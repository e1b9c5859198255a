"""`tenure webhook …` against a real server and a receiver on this machine."""

from __future__ import annotations

import json

import httpx

from tests.conftest import Running, wait_until

from ..integrate.receiver import receiving
from .test_commands import run

SECRET = "nobody may read this"


def test_a_webhook_from_first_to_last(server: Running) -> None:
    with receiving() as receiver:
        words = ["--event", "registered_model.created", "--secret", SECRET, "--json"]
        made = json.loads(run(server, "webhook", "add", "commanded", receiver.url, *words).output)
        name = made["webhook_id"]
        assert "accepted" in run(server, "webhook", "test", name).output
        receiver.answers = [500]
        with httpx.Client() as client:
            path = f"{server.url}/api/2.0/mlflow/registered-models/create"
            client.post(path, json={"name": "told-by-command"}).raise_for_status()
        wait_until(lambda: "500" in run(server, "webhook", "log", name).output, 20, "the failure is in the log")
        log = run(server, "webhook", "log", name).output
        assert "registered_model.created" in log
        assert "waits until" in log
        message = json.loads(run(server, "webhook", "log", name, "--json").output)[0]["message_id"]
        assert run(server, "webhook", "redeliver", name, message).exit_code == 0
        wait_until(lambda: " sent " in run(server, "webhook", "log", name).output, 20, "it was sent again")
        assert len(set(receiver.ids()[1:])) == 1
        listed = run(server, "webhook", "list").output
        assert "commanded" in listed
        assert all(SECRET not in one for one in (listed, log, json.dumps(made)))
        assert run(server, "webhook", "remove", name).exit_code == 0
        assert name not in run(server, "webhook", "list").output
