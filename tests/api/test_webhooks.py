"""Our routes about webhooks: one shape of error, and the log."""

from __future__ import annotations

from typing import Any

import pytest

from tenure.build import registered_models
from tenure.store.ground import Ground

from .conftest import START, Asker

NEW = {"name": "chat", "url": "https://hooks.example/x", "events": ["registered_model.created"]}
PATH = "/api/v1/webhooks"


def test_a_webhook_and_its_log_are_read(ask: Asker, ground: Ground) -> None:
    made = ask.ok("POST", PATH, json={**NEW, "secret": "hush"})
    assert (made["signed"], "secret" in made) == (True, False)
    one = f"{PATH}/{made['webhook_id']}"
    assert ask.ok("GET", one) == made
    assert ask.ok("GET", PATH) == [{"webhook": made, "waiting": 0, "last": None}]
    ground.database.write(lambda tx: registered_models.create(tx, "m", description=None, tags=[], by="v", now=START))
    [waits] = ask.ok("GET", f"{one}/deliveries")
    assert (waits["state"], waits["next_at"], waits["attempts"]) == ("waiting", START, [])
    assert ask.ok("GET", PATH)[0]["last"] == waits
    ask.ok("POST", f"{one}/deliveries/{waits['message_id']}/redeliver")
    assert ask.ok("GET", f"{one}/deliveries")[0]["next_at"] > START
    assert ask.ok("PATCH", one, json={"status": "DISABLED"})["status"] == "DISABLED"
    assert ask.ok("GET", f"{one}/deliveries?limit=1")[0]["state"] == "given_up"
    ask.ok("DELETE", one)
    for path in (one, f"{one}/deliveries"):
        assert ask.refused("GET", path, 404)["code"] == "not_found"
    assert ask.refused("POST", f"{one}/test", 404, json={})["code"] == "not_found"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({**NEW, "url": "https://192.168.0.1/"}, "url"),
        ({**NEW, "events": ["alert.opened"]}, "events[0]"),
        ({**NEW, "status": "asleep"}, None),
        ({**NEW, "colour": "green"}, None),
        ({"name": "chat"}, None),
        ([], None),
    ],
)
def test_what_does_not_fit_is_refused(ask: Asker, body: Any, where: str | None) -> None:
    error = ask.refused("POST", PATH, 400, json=body)
    assert error["code"] == "invalid_input"
    if where is not None:
        assert error["where"] == where


def test_a_message_of_another_webhook_is_not_there(ask: Asker, ground: Ground) -> None:
    one, other = (ask.ok("POST", PATH, json=NEW)["webhook_id"] for _ in range(2))
    ground.database.write(lambda tx: registered_models.create(tx, "m", description=None, tags=[], by="v", now=START))
    message_id = ask.ok("GET", f"{PATH}/{one}/deliveries")[0]["message_id"]
    assert ask.refused("POST", f"{PATH}/{other}/deliveries/{message_id}/redeliver", 404)["code"] == "not_found"
    assert ask.refused("GET", f"{PATH}/{other}/deliveries?before={message_id}", 400)["where"] == "before"
    assert ask.refused("GET", f"{PATH}/{one}/deliveries?limit=0", 400)["code"] == "invalid_input"
