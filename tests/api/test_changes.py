"""Changes over HTTP: promotions that people sign, an emergency stop, comments, an inbox, and evidence to take away."""

from __future__ import annotations

import json
import threading
from typing import Any

import msgspec
import pytest

from tenure.manage import verification
from tenure.store import keys
from tenure.store.ground import Ground

from ..manage.makers import CARD, FILE, MODEL, make_version
from .conftest import Asker

PASSWORDS = {"vera": "vera has a long one", "vic": "vic has a long one too", "bo": "bo has a long one too"}
ROLES = {"vera": "validator", "vic": "validator", "bo": "business-owner"}
BASE = f"/api/v1/models/{MODEL}/versions/1"


@pytest.fixture
def approved(ask: Asker, ground: Ground) -> int:
    """An approved version of a model whose promotions two validators sign."""
    for name, password in PASSWORDS.items():
        body = {"name": name, "printed_name": name.title(), "password": password, "roles": [ROLES[name]]}
        ask.ok("POST", "/api/v1/people", json=body)
    number = make_version(ground)
    promotion = {"steps": [{"role": "validator", "signatures": 2, "of": 2}]}
    ask.ok("PUT", f"/api/v1/models/{MODEL}/file", json={**FILE, "promotion": promotion})
    ask.ok("PUT", f"{BASE}/card", json=msgspec.to_builtins(CARD))
    ask.ok("POST", "/api/v1/endpoints", json={"name": "late-eu", "model": MODEL})
    change = open_change(ask, "approve")
    for name in ("vera", "bo"):
        sign(ask, change, name)
    return number


def open_change(ask: Asker, kind: str, **more: Any) -> str:
    body = {"kind": kind, "model": MODEL, "version": 1, "reason": "the time has come", **more}
    change_id: str = ask.ok("POST", "/api/v1/changes", json=body)["change_id"]
    return change_id


def sign(ask: Asker, change: str, name: str, **changed: str) -> Any:
    body = {"person": name, "password": PASSWORDS[name], "role": ROLES[name], "meaning": "approval", "reason": "looked"}
    return ask.ok("POST", f"/api/v1/changes/{change}/signatures", json={**body, **changed})


def test_a_promotion_is_asked_for_signed_by_two_and_routed(ask: Asker, approved: int, ground: Ground):
    refused = ask.refused("POST", f"{BASE}/promote", 403, json={"to": "champion", "reason": "now"})
    assert "Open a change request: `tenure version promote late 1 --reason …`" in refused["message"]
    change = open_change(ask, "promote", target={"to": "champion"})
    assert sign(ask, change, "vera", meaning="release")["state"] == "open"
    assert ask.ok("GET", "/api/v1/endpoints/late-eu")["releases"] == []
    assert sign(ask, change, "vic")["state"] == "approved"
    released = ask.ok("GET", "/api/v1/endpoints/late-eu")["releases"]
    assert [(one["version"], one["role"]) for one in released] == [(1, "champion")]
    assert ask.ok("GET", f"/api/v1/models/{MODEL}")["summary"]["champion"] == 1


def test_one_signature_suspends_at_once(ask: Asker, approved: int, ground: Ground):
    change = open_change(ask, "promote")
    for name in ("vera", "vic"):
        sign(ask, change, name)
    before = ask.ok("GET", "/api/v1/endpoints/late-eu")["epoch"]
    done = sign(ask, open_change(ask, "suspend", accept="all"), "bo")
    assert (done["state"], done["signatures"][0]["meaning"]) == ("approved", "suspension")
    endpoint = ask.ok("GET", "/api/v1/endpoints/late-eu")
    assert endpoint["releases"] == []
    assert endpoint["epoch"] > before


def test_two_who_sign_at_the_same_moment_fill_a_step_each(ask: Asker, approved: int):
    change = open_change(ask, "promote")
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda name=name: answers.append(sign(ask, change, name))) for name in ("vera", "vic")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(answer["state"] for answer in answers) == ["approved", "open"]
    assert ask.ok("GET", f"/api/v1/models/{MODEL}")["summary"]["champion"] == 1
    assert ask.ok("GET", "/api/v1/audit/verify")["first_bad"] is None


def test_comments_and_signatures_are_one_timeline(ask: Asker, approved: int):
    change = open_change(ask, "promote")
    path = f"/api/v1/changes/{change}"
    assert ask.ok("POST", f"{path}/comments", json={"text": "Why now?"})["person"] == "owner"
    sign(ask, change, "vera")
    assert [one["what"] for one in ask.ok("GET", f"{path}/timeline")] == ["opened", "comment", "signature"]
    assert [one["text"] for one in ask.ok("GET", f"{path}/comments")] == ["Why now?"]
    ask.refused("POST", f"{path}/comments", 400, json={"text": "x" * 4001})
    ask.refused("POST", f"{path}/comments", 400, json={"text": ""})
    ask.refused("GET", "/api/v1/changes/none/comments", 404)
    ask.refused("PUT", f"{path}/comments", 405, json={"text": "another"})


def test_an_inbox_is_for_who_asks(ask: Asker, approved: int):
    change = open_change(ask, "promote")
    mine = ask.ok("GET", "/api/v1/inbox")
    assert (mine["to_sign"], [one["change_id"] for one in mine["waiting"]]) == ([], [change])
    signed_in = ("vera", PASSWORDS["vera"])
    assert ask.ok("GET", "/api/v1/inbox", auth=signed_in)["to_sign"][0]["roles"] == ["validator"]
    sign(ask, change, "vera")
    assert ask.ok("GET", "/api/v1/inbox", auth=signed_in)["to_sign"] == []


def test_the_evidence_and_the_keys_are_all_that_an_auditor_needs(ask: Asker, approved: int, ground: Ground):
    told = ask("GET", f"{BASE}/evidence")
    published = ask.ok("GET", "/api/v1/keys")
    assert [one["current"] for one in published] == [True]
    found = verification.verify(told.content, [one["public_key"] for one in published], quorum=True)
    assert found.holds, found.findings
    assert json.loads(told.content)["public_keys"] == published
    keys.rotate(ground.settings.folder)
    assert keys.open_key(ground.settings.folder).public_pems[1] == published[0]["public_key"]
    ask.refused("GET", f"/api/v1/models/{MODEL}/versions/9/evidence", 404)


def test_files_that_are_not_what_was_registered_go_into_service_by_no_door(ask: Asker, approved: int, ground: Ground):
    [file] = [one for one in ground.artifacts.files("1/models") if one.key.endswith("model.pkl")]
    ground.artifacts.write(file.key, [b"something else"])
    promotion = {"to": "champion", "reason": "the time has come"}
    said = ask.refused("POST", f"/api/v1/models/{MODEL}/versions/1/promote", 409, json=promotion)
    assert "model.pkl has other content than when it was registered" in said["message"]
    change = {"kind": "promote", "model": MODEL, "version": 1, "reason": "the time has come"}
    assert "cannot be put into service" in ask.refused("POST", "/api/v1/changes", 409, json=change)["message"]
