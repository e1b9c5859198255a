"""Policies over HTTP: published, asked at the gates, excepted, run dry."""

from __future__ import annotations

import pytest

from tenure.store.ground import Ground

from ..manage.makers import FILE, MODEL, make_version
from ..manage.rules import policy_of
from .conftest import Asker
from .test_governance import write_card
from .test_vault import person

PASSWORD = "root has a long one"
STRICT = {"require": "baseline.roc_auc >= 0.9"}


@pytest.fixture
def version(ask: Asker, ground: Ground) -> int:
    body = {"name": "root", "printed_name": "Root", "password": PASSWORD, "roles": ["admin"]}
    ask.ok("POST", "/api/v1/people", json=body)
    number = make_version(ground)
    ask.ok("PUT", f"/api/v1/models/{MODEL}/file", json=FILE)
    write_card(ask, number)
    return number


def test_a_policy_is_checked_drafted_published_and_withdrawn(ask: Asker):
    checked = ask.ok("POST", "/api/v1/policies/check", json=policy_of())
    assert checked["rules"] == [{"rule": "good", "reads": ["baseline.roc_auc"]}]
    error = ask.refused("POST", "/api/v1/policies/check", 400, json=policy_of({"require": "baseline.acu > 1.0"}))
    assert error["where"] == "rules[0].require"
    assert ask.ok("PUT", "/api/v1/policies/draft", json=policy_of())["name"] == "lending"
    assert ask.ok("GET", "/api/v1/policies")[0]["current"] is None
    assert ask.ok("POST", "/api/v1/policies/lending/publish")["policy"]["version"] == 1
    assert ask.ok("POST", "/api/v1/policies", json=policy_of(STRICT))["policy"]["version"] == 2
    assert ask.ok("GET", "/api/v1/policies/lending/1")["body"]["rules"][0]["require"] == "baseline.roc_auc >= 0.75"
    ask.refused("GET", "/api/v1/policies/lending/9", 404)
    gone = {"from_date": "2030-01-01", "reason": "repealed"}
    assert ask.ok("POST", "/api/v1/policies/lending/2/withdraw", json=gone)["policy"]["withdrawn"]["by"] == "owner"
    ask.refused("POST", "/api/v1/policies/lending/2/withdraw", 409, json=gone)


def test_a_refused_approval_an_exception_and_a_dry_run(ask: Asker, version: int):
    ask.ok("POST", "/api/v1/policies", json=policy_of(STRICT))
    change = {"kind": "approve", "model": MODEL, "version": version, "reason": "it is ready"}
    refusal = ask.refused("POST", "/api/v1/changes", 403, json=change)
    assert refusal["failures"][0].endswith("Found baseline.roc_auc: 0.8.")
    wanted = {
        "model": MODEL,
        "subject": "lending/good",
        "owner": "bo",
        "reason": "until spring",
        "expires": "2025-06-30",
    }
    one = ask.ok("POST", "/api/v1/policy-exceptions", json=wanted)
    path = f"/api/v1/policy-exceptions/{one['exception_id']}"
    word = {"person": "root", "password": PASSWORD, "decision": "approve", "reason": "for the trial"}
    ask.refused("POST", f"{path}/decision", 401, json={**word, "password": "not the right one"})
    assert ask.ok("POST", f"{path}/decision", json=word)["state"] == "approved"
    assert ask.ok("POST", "/api/v1/changes", json=change)["state"] == "open"
    assert ask.ok("GET", f"/api/v1/policy-exceptions?model={MODEL}&state=approved")[0]["decided_by"] == "root"
    dry = ask.ok("POST", "/api/v1/policies/dry-run?since=2025-06-01", json=policy_of(STRICT))
    assert (dry["evaluations"], dry["refused"]) == (1, 1)
    assert ask.ok("POST", f"{path}/revoke", json={"reason": "the trial is over"})["state"] == "revoked"
    assert ask.ok("GET", "/api/v1/changes?state=invalidated")


def test_a_reader_and_a_scorer_publish_nothing(ask: Asker):
    browser = {"sec-fetch-site": "same-origin"}
    ask.refused("POST", "/api/v1/policies", 403, json=policy_of(), headers=browser)
    ask.refused("PUT", "/api/v1/policies/draft", 403, json=policy_of(), headers=browser)
    ask.refused("POST", "/api/v1/policies", 403, json=policy_of(), headers=person(ask, "scorer"))
