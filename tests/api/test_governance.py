"""Governance over HTTP, from the model's file to an approved version whose signatures anyone can verify."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tenure.manage import signatures
from tenure.store.ground import Ground

from ..manage.makers import CARD, FILE, MODEL, make_profile, make_version
from .conftest import Asker

PASSWORDS = {"vera": "vera has a long one", "bo": "bo has a long one too"}
ROLES = {"vera": "validator", "bo": "business-owner"}


@pytest.fixture
def version(ask: Asker, ground: Ground) -> int:
    """A version that is ready to be asked for, and two people who may sign."""
    for name, password in PASSWORDS.items():
        body = {"name": name, "printed_name": name.title(), "password": password, "roles": [ROLES[name]]}
        ask.ok("POST", "/api/v1/people", json=body)
    number = make_version(ground)
    ask.ok("PUT", f"/api/v1/models/{MODEL}/file", json=FILE)
    return number


def write_card(ask: Asker, version: int) -> Any:
    return ask.ok("PUT", f"/api/v1/models/{MODEL}/versions/{version}/card", json=msgspec.to_builtins(CARD))


def ask_for_approval(ask: Asker, version: int) -> Any:
    body = {"kind": "approve", "model": MODEL, "version": version, "reason": "it is ready"}
    return ask.ok("POST", "/api/v1/changes", json=body)


def signature(name: str, **changed: str) -> dict[str, str]:
    body = {"person": name, "password": PASSWORDS[name], "role": ROLES[name], "meaning": "approval", "reason": "looked"}
    return {**body, **changed}


def test_two_people_approve_over_http_in_solo_mode(ask: Asker, version: int, ground: Ground):
    base = f"/api/v1/models/{MODEL}/versions/{version}"
    gate = ask.ok("GET", f"{base}/gates?gate=approve")
    assert [rule["rule"] for rule in gate["rules"] if not rule["passed"]] == ["card-complete"]
    refusal = ask.refused(
        "POST", "/api/v1/changes", 403, json={"kind": "approve", "model": MODEL, "version": version, "reason": "now"}
    )
    assert refusal["code"] == "gate_not_met"
    assert refusal["failures"] == [
        f"card-complete: The card lacks scope, data_dependencies. Write it with PUT {base}/card."
    ]
    card = write_card(ask, version)
    assert card["missing"] == []
    assert set(card["from_facts"]) == {
        "purpose",
        "how_to_call",
        "input_limits",
        "expected_output",
        "accuracy",
        "owner",
    }
    assert ask.ok("GET", f"{base}/gates")["passed"] is True
    change = ask_for_approval(ask, version)
    path = f"/api/v1/changes/{change['change_id']}"
    assert ask.ok("POST", f"{path}/signatures", json=signature("vera"))["state"] == "open"
    assert ask.ok("POST", f"{path}/signatures", json=signature("bo"))["state"] == "approved"
    assert ask.ok("GET", base)["version"]["state"] == "approved"
    statements = [
        signatures.verify(json.dumps(envelope).encode(), ground.key.public_pem)
        for envelope in ask.ok("GET", f"{path}/envelopes")
    ]
    assert [statement.person for statement in statements] == ["vera", "bo"]
    assert ask.ok("GET", "/api/v1/audit/verify")["first_bad"] is None
    assert [event["action"] for event in ask.ok("GET", f"/api/v1/audit?subject={change['change_id']}")] == [
        "change.approved",
        "change.signed",
        "change.signed",
        "change.opened",
    ]
    assert ask.ok("GET", f"{base}/gates?gate=promote")["passed"] is True


def test_a_signature_needs_the_right_password(ask: Asker, version: int):
    write_card(ask, version)
    path = f"/api/v1/changes/{ask_for_approval(ask, version)['change_id']}/signatures"
    ask.refused("POST", path, 401, json=signature("vera", password="not the one"))
    refused = ask.ok("GET", "/api/v1/audit?action=person.password_refused")
    assert refused[0]["detail"]["purpose"].startswith("signing ")
    assert ask.ok("POST", path, json=signature("vera"))["steps"][0]["signed"] == 1


def test_who_is_signed_in_signs_as_nobody_else(ask: Asker, version: int):
    write_card(ask, version)
    path = f"/api/v1/changes/{ask_for_approval(ask, version)['change_id']}/signatures"
    answer = ask("POST", "/api/v1/sign-in", json={"name": "bo", "password": PASSWORDS["bo"]})
    session = {"cookie": answer.headers["set-cookie"].split(";")[0], "x-csrf-token": answer.json()["csrf"]}
    error = ask.refused("POST", path, 403, json=signature("vera"), headers=session)
    assert "Sign as yourself" in error["message"]
    assert ask.ok("POST", path, json=signature("bo"), headers=session)["steps"][1]["signed"] == 1


def test_evidence_that_vanished_is_told_and_voids_the_change(ask: Asker, version: int, ground: Ground):
    write_card(ask, version)
    change = ask_for_approval(ask, version)
    folder = ask.ok("GET", f"/api/v1/models/{MODEL}/versions/{version}")["version"]["storage_location"]
    ground.artifacts.delete([f"{folder.removeprefix('mlflow-artifacts:/')}/model.pkl"])
    error = ask.refused("POST", f"/api/v1/changes/{change['change_id']}/signatures", 409, json=signature("vera"))
    assert "Nothing was signed" in error["message"]
    assert ask.ok("GET", f"/api/v1/changes/{change['change_id']}")["state"] == "invalidated"


def test_changes_are_found_and_withdrawn(ask: Asker, version: int):
    write_card(ask, version)
    change = ask_for_approval(ask, version)
    assert ask.ok("GET", f"/api/v1/changes?state=open&model={MODEL}")[0]["change_id"] == change["change_id"]
    assert ask.ok("GET", f"/api/v1/models/{MODEL}")["open_changes"][0]["change_id"] == change["change_id"]
    assert ask.ok("POST", f"/api/v1/changes/{change['change_id']}/withdraw")["state"] == "withdrawn"
    assert ask.ok("GET", "/api/v1/changes?state=open") == []
    ask.refused("POST", f"/api/v1/changes/{change['change_id']}/withdraw", 409)
    ask.refused("GET", "/api/v1/changes?state=nonsense", 400)


def test_models_are_listed_with_their_state(ask: Asker, version: int):
    assert ask.ok("GET", "/api/v1/models") == [
        {
            "name": MODEL,
            "governed": True,
            "purpose": FILE["purpose"],
            "owner": FILE["owner"],
            "champion": None,
            "challenger": None,
            "versions": {"registered": 1},
            "endpoints": [],
        }
    ]


def test_a_file_is_shown_before_it_is_applied(ask: Asker, version: int):
    path = f"/api/v1/models/{MODEL}/file"
    changed = {**FILE, "owner": "you@example.com"}
    shown = ask.ok("PUT", f"{path}?dry_run=true", json=changed)
    assert (shown["changes"], shown["revision"]) == (["owner: 'pricing@example.com' → 'you@example.com'"], 1)
    assert ask.ok("GET", path)["revision"] == 1
    assert ask.ok("PUT", path, json=changed)["revision"] == 2


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"{", None),
        (b"[]", None),
        (json.dumps({**FILE, "purpos": "x"}).encode(), "purpos"),
        (json.dumps({**FILE, "model": "other"}).encode(), "model"),
    ],
)
def test_a_file_that_cannot_be_is_refused_with_its_place(ask: Asker, body: bytes, where: str | None):
    error = ask.refused("PUT", f"/api/v1/models/{MODEL}/file", 400, content=body)
    assert error.get("where") == where


def test_a_profile_is_recorded_and_read_back(ask: Asker, version: int):
    path = f"/api/v1/models/{MODEL}/versions/{version}/profile"
    body = msgspec.to_builtins(make_profile(rows=101))
    assert ask.ok("PUT", path, json=body)["digest"].startswith("sha256:")
    assert ask.ok("GET", path) == body
    ask.refused("PUT", path, 400, json={**body, "rows": 0})
    ask.refused("PUT", path, 400, json={"columns": {}})
    wind = {**body["columns"]["wind"], "counts": [1]}
    error = ask.refused("PUT", path, 400, json={**body, "columns": {"wind": wind}})
    assert error["where"] == "columns.wind.counts"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/models/nope",
        f"/api/v1/models/{MODEL}/versions/9",
        f"/api/v1/models/{MODEL}/versions/9/card",
        f"/api/v1/models/{MODEL}/versions/9/profile",
        f"/api/v1/models/{MODEL}/versions/9/gates",
        "/api/v1/models/nope/file",
        "/api/v1/changes/nope",
        "/api/v1/changes/nope/envelopes",
    ],
)
def test_what_is_not_there_is_not_found(ask: Asker, version: int, path: str):
    assert ask.refused("GET", path, 404)["code"] == "not_found"


def test_a_gate_that_does_not_exist_is_named(ask: Asker, version: int):
    error = ask.refused("GET", f"/api/v1/models/{MODEL}/versions/{version}/gates?gate=heaven", 400)
    assert "approve, deploy, promote" in error["message"]


@pytest.mark.parametrize("query", ["limit=0", "limit=100000", "before=x"])
def test_the_audit_log_is_read_within_limits(ask: Asker, query: str):
    ask.refused("GET", f"/api/v1/audit?{query}", 400)
