"""Endpoints, releases, promotion and retraining runs over HTTP."""

from __future__ import annotations

import os

import pytest

from tenure.records.admission import ColumnRule, Condition
from tenure.records.base import DAY_US
from tenure.records.routing import GatewayStatus
from tenure.serving import routing as published
from tenure.store.ground import Ground

from ..deploy.makers import govern, make_model, make_version
from .conftest import Asker

HERE = "/api/v1/endpoints"
PROMOTE = "/api/v1/models/delay/versions/{}/promote"


@pytest.fixture
def deployed(ask: Asker, ground: Ground) -> Asker:
    """Version 1 answers at `delay-eu`; version 2 is there."""
    make_model(ground)
    make_version(ground)
    make_version(ground)
    ask.ok("POST", HERE, json={"name": "delay-eu", "model": "delay"})
    ask.ok("POST", PROMOTE.format(1), json={"to": "champion", "reason": "the first"})
    return ask


def test_an_endpoint_is_made_described_and_published(deployed: Asker, ground: Ground) -> None:
    told = deployed.ok("GET", f"{HERE}/delay-eu")
    assert (told["model"], told["created_by"]) == ("delay", "owner")
    assert [(release["version"], release["role"]) for release in told["releases"]] == [(1, "champion")]
    assert deployed.ok("GET", HERE) == [told]
    table = published.read_table(ground.settings.folder)
    assert table.epoch == told["epoch"]
    assert [release.version for release in table.routes["delay-eu"].releases] == [1]


def test_promotion_answers_the_models_endpoints_as_they_are_then(deployed: Asker) -> None:
    (told,) = deployed.ok("POST", PROMOTE.format(2), json={"to": "champion", "reason": "better"})
    assert [(release["version"], release["reason"]) for release in told["releases"]] == [(2, "better")]
    (told,) = deployed.ok("POST", PROMOTE.format(1), json={"to": "challenger", "reason": "again", "share": 0.3})
    assert [(release["version"], release["share"]) for release in told["releases"]] == [(2, 0.7), (1, 0.3)]


def test_a_shadow_comes_and_goes_with_a_reason(deployed: Asker) -> None:
    new = {"version": 2, "role": "shadow", "reason": "to see"}
    shadow = deployed.ok("POST", f"{HERE}/delay-eu/releases", json=new)
    place = f"{HERE}/delay-eu/releases/{shadow['release_id']}"
    deployed.refused("DELETE", place, 400)
    ended = deployed.ok("DELETE", place, params={"reason": "seen enough"})
    assert ended["until_at"] is not None
    assert deployed.refused("DELETE", place, 409, params={"reason": "twice"})["code"] == "conflict"


def test_a_gate_that_says_no_tells_every_rule(deployed: Asker, ground: Ground) -> None:
    govern(ground)
    told = deployed.refused("POST", PROMOTE.format(2), 403, json={"to": "champion", "reason": "better"})
    assert told["code"] == "gate_not_met"
    assert any(failure.startswith("approved:") for failure in told["failures"])


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", HERE, {"name": "Not A Name", "model": "delay"}, 400),
        ("POST", HERE, {"name": "delay-eu", "model": "delay"}, 409),
        ("POST", HERE, {"name": "other", "model": "none"}, 404),
        ("POST", HERE, {"name": "other", "model": "delay", "colour": "red"}, 400),
        ("GET", f"{HERE}/none", None, 404),
        ("POST", f"{HERE}/none/releases", {"version": 1, "role": "shadow", "reason": "to see"}, 404),
        ("POST", f"{HERE}/delay-eu/releases", {"version": 1, "role": "champion", "reason": "to see"}, 403),
        ("POST", f"{HERE}/delay-eu/releases", {"version": 9, "role": "shadow", "reason": "to see"}, 404),
        ("POST", PROMOTE.format(9), {"to": "champion", "reason": "better"}, 404),
        ("POST", PROMOTE.format(2), {"to": "shadow", "reason": "better"}, 400),
        ("POST", PROMOTE.format(2), {"to": "champion"}, 400),
        ("POST", PROMOTE.format(2), {"to": "challenger", "reason": "better", "share": 1.4}, 400),
        ("GET", "/api/v1/retraining/none", None, 404),
    ],
)
def test_what_does_not_fit_is_refused(
    deployed: Asker, method: str, path: str, body: dict[str, object] | None, status: int
) -> None:
    deployed.refused(method, path, status, json=body)


def test_there_are_no_retraining_runs_at_first(deployed: Asker) -> None:
    assert deployed.ok("GET", "/api/v1/retraining", params={"endpoint": "delay-eu"}) == []


def test_a_models_file_reaches_the_gateways_as_it_is_applied(deployed: Asker, ground: Ground) -> None:
    """What it asks of requests travels in the routing table, made into look-ups; a file that asks nothing, does not."""
    folder, place = ground.settings.folder, "/api/v1/models/delay/file"
    file = {"model": "delay", "purpose": "warn", "owner": "ann@example.com"}
    deployed.ok("PUT", place, json=file)
    before = published.read_table(folder)
    assert before.routes["delay-eu"].admission is None
    use = {
        "allow": "request.channel == 'app'",
        "callers": ["desk"],
        "valid_from": "1970-01-02",
        "valid_to": "1970-01-02",
        "quota": {"rows_per_day": 7},
    }
    features = {"distance": {"kind": "numeric", "range": [0, 80], "outside": "reject"}, "note": {}}
    deployed.ok("PUT", place, json={**file, "use": use, "features": features})
    table = published.read_table(folder)
    rules = table.routes["delay-eu"].admission
    assert table.epoch > before.epoch
    assert rules is not None
    assert (rules.model, rules.revision) == ("delay", 2)
    assert rules.use.allow == Condition(op="==", fact="channel", values=["app"])
    assert (rules.use.valid_from_at, rules.use.valid_until_at) == (DAY_US, 2 * DAY_US)
    assert (rules.use.callers, rules.use.rows_per_day) == (["desk"], 7)
    assert rules.columns == [ColumnRule(name="distance", kind="numeric", low=0, high=80, outside="reject")]
    told = deployed.refused("PUT", place, 400, json={**file, "use": {"allow": "request.chanel == 'app'"}})
    assert told["where"] == "use.allow"
    assert published.read_table(folder) == table


def test_what_the_gateways_counted_is_told_with_the_endpoint(deployed: Asker, ground: Ground) -> None:
    for name, counts in (("one", {"range": 2, "flagged": 1}), ("two", {"range": 3})):
        status = GatewayStatus(
            gateway=name, pid=os.getpid(), epoch=1, releases=[], written_at=0, admissions={"delay-eu": counts}
        )
        published.write_status(ground.settings.folder, status)
    assert deployed.ok("GET", f"{HERE}/delay-eu")["admissions"] == {"range": 5, "flagged": 1}


def test_a_killed_endpoint_scores_no_batch_until_that_is_lifted(deployed: Asker) -> None:
    killed = deployed.ok("POST", f"{HERE}/delay-eu/kills", json={"reason": "it answers nonsense"})
    refused = deployed.refused("POST", f"{HERE}/delay-eu/batches", 503, json={})
    assert "stopped" in refused["message"]
    lift = f"{HERE}/delay-eu/kills/{killed['kill']['kill_id']}/lift"
    told = deployed.ok("POST", lift, json={"reason": "it was the feed"})
    assert told["acknowledged"] == told["waiting"] == []  # no gateway runs here
    deployed.ok("POST", f"{HERE}/delay-eu/batches", json={})
