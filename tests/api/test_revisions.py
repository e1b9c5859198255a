"""Loosening a model's file over HTTP: whichever door one person takes, others must sign."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from ..manage.makers import FILE, MODEL
from .conftest import Asker
from .test_changes import PASSWORDS, approved, sign

__all__ = ["approved"]
PATH = f"/api/v1/models/{MODEL}/file"
STANDING: dict[str, Any] = {**FILE, "promotion": {"steps": [{"role": "validator", "signatures": 2, "of": 2}]}}
WIDER: dict[str, Any] = {**STANDING, "use": {"jurisdictions": ["US", "EU"]}}
WHY = {"reason": "Europe is served from June on"}


@pytest.fixture
def asked(ask: Asker, approved: int) -> dict[str, Any]:
    """What applying a looser file answers."""
    del approved
    answer: dict[str, Any] = ask.ok("PUT", PATH, json=WIDER, params=WHY)
    return answer


def test_the_door_of_the_file_answers_with_the_change_and_applies_nothing(ask: Asker, asked: dict[str, Any]) -> None:
    change = asked["change"]
    assert (change["kind"], change["state"], change["version"]) == ("revise", "open", 0)
    assert asked["looser"] == [{"path": "use.jurisdictions", "words": "also allows EU"}]
    assert [(step["role"], step["needed"]) for step in asked["needs"]] == [("validator", 1), ("business-owner", 1)]
    stands = ask.ok("GET", PATH)
    assert (stands["revision"], stands["file"]["use"]["jurisdictions"]) == (1, ["US"])
    pinned = ask.ok("GET", f"/api/v1/changes/{change['change_id']}/file")
    assert pinned["use"]["jurisdictions"] == ["US", "EU"]
    events = ask.ok("GET", "/api/v1/audit", params={"action": "change.opened"})
    assert any(event["detail"].get("model_file") == MODEL for event in events)
    assert "version" not in next(event["detail"] for event in events if event["subject"] == change["change_id"])


def test_the_last_signature_makes_the_file_stand(ask: Asker, asked: dict[str, Any]) -> None:
    change = asked["change"]["change_id"]
    assert sign(ask, change, "vera")["state"] == "open"
    assert sign(ask, change, "bo")["state"] == "approved"
    stands = ask.ok("GET", PATH)
    assert (stands["revision"], stands["digest"]) == (2, asked["digest"])
    assert ask.ok("GET", f"{PATH}/history")[0]["change_id"] == change
    again = ask.ok("PUT", PATH, json=WIDER)
    assert (again["revision"], again["changes"], again["change"]) == (2, [], None)


def test_without_a_reason_nothing_is_asked_and_a_dry_run_says_what_would_be(ask: Asker, approved: int) -> None:
    del approved
    refused = ask.refused("PUT", PATH, 400, json=WIDER)
    assert refused["where"] == "reason"
    assert "use.jurisdictions: also allows EU" in refused["message"]
    would = ask.ok("PUT", PATH, json=WIDER, params={"dry_run": "true"})
    assert (would["change"], len(would["needs"])) == (None, 2)
    assert ask.ok("GET", "/api/v1/changes", params={"state": "open"}) == []


def test_a_change_of_the_file_is_asked_for_by_applying_one_and_by_no_other_door(ask: Asker, approved: int) -> None:
    del approved
    body = {"kind": "revise", "model": MODEL, "version": 1, "reason": "let me"}
    assert "revise" in ask.refused("POST", "/api/v1/changes", 400, json=body)["message"]
    move = {"kind": "approve", "model": MODEL, "version": 0, "reason": "let me"}
    ask.refused("POST", "/api/v1/changes", 404, json=move)


def test_the_local_owner_asks_and_signs_nothing(ask: Asker, asked: dict[str, Any]) -> None:
    body = {"person": "owner", "password": "x", "role": "validator", "meaning": "approval", "reason": "I may"}
    ask.refused("POST", f"/api/v1/changes/{asked['change']['change_id']}/signatures", 401, json=body)
    version = f"/api/v1/changes/{asked['change']['change_id']}"
    assert ask.ok("GET", version)["signatures"] == []


def test_an_older_revision_is_no_way_back_to_looser_rules(ask: Asker, approved: int) -> None:
    del approved
    assert ask.ok("PUT", PATH, json={**STANDING, "protected": ["sex"]})["revision"] == 2
    first = ask.ok("GET", PATH, params={"revision": 1})["file"]
    answer = ask.ok("PUT", PATH, json=first, params=WHY)
    assert (answer["revision"], [one["path"] for one in answer["looser"]]) == (2, ["protected"])


def test_two_last_signatures_at_once_make_one_revision(ask: Asker, asked: dict[str, Any]) -> None:
    change = asked["change"]["change_id"]
    sign(ask, change, "bo")
    start, done = threading.Barrier(2), list[int]()

    def run(name: str) -> None:
        body = {
            "person": name,
            "password": PASSWORDS[name],
            "role": "validator",
            "meaning": "approval",
            "reason": "looked",
        }
        start.wait()
        done.append(ask("POST", f"/api/v1/changes/{change}/signatures", json=body).status_code)

    threads = [threading.Thread(target=run, args=(name,)) for name in ("vera", "vic")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [201, 409]
    assert ask.ok("GET", PATH)["revision"] == 2


def test_a_version_that_is_released_meanwhile_stays_what_it_was(ask: Asker, asked: dict[str, Any]) -> None:
    """The old rules hold until the last signature, for approvals too."""
    body = {"kind": "suspend", "model": MODEL, "version": 1, "reason": "it fails", "accept": "all"}
    suspension = ask.ok("POST", "/api/v1/changes", json=body)["change_id"]
    assert sign(ask, suspension, "vera")["state"] == "approved"
    assert ask.ok("GET", f"/api/v1/changes/{asked['change']['change_id']}")["state"] == "open"
