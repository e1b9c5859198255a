"""The kill switch: what stops, what answers instead, and what the routing table says of it."""

from __future__ import annotations

import pytest

from tenure.deploy import kills, releases, routing
from tenure.errors import Conflict, GateNotMet, InvalidInput, NotFound
from tenure.records.endpoints import NewRelease
from tenure.records.kills import Case, Constant, Fallback, Kill, NewKill, OtherVersion, Rule, SetFallback, Stopped
from tenure.store import audit
from tenure.store import kills as kept
from tenure.store.ground import Ground

from .makers import NOW, govern, make_model, make_version
from .test_promotions import make_endpoint, promote

CONSTANT = Constant(answer=0.5)
LONG = Rule(cases=[Case(column="distance", op=">", values=[1000], answer=1.0)], otherwise=0.0)


def stop(ground: Ground, version: int | None = None) -> Kill:
    new = NewKill(reason="it answers nonsense", version=version)
    return ground.database.write(lambda tx: kills.kill(tx, "delay-eu", new, by="ann", now=NOW))


def lift(ground: Ground, kill_id: str, endpoint: str = "delay-eu") -> Kill:
    return ground.database.write(
        lambda tx: kills.lift(tx, endpoint, kill_id, reason="it was the feed", by="bob", now=NOW)
    )


def instead(ground: Ground, fallback: Fallback | None) -> None:
    asked = SetFallback(fallback=fallback, reason="agreed with the desk")
    ground.database.write(lambda tx: kills.set_fallback(tx, "delay-eu", asked, by="ann", now=NOW))


@pytest.fixture
def deployed(each_ground: Ground) -> Ground:
    """Version 1 answers at delay-eu; version 2 is there."""
    make_model(each_ground)
    make_version(each_ground)
    make_version(each_ground)
    make_endpoint(each_ground)
    promote(each_ground, 1)
    return each_ground


def test_a_kill_is_routed_at_once_told_and_lifted(deployed: Ground) -> None:
    before = deployed.database.read(routing.epoch)
    made = stop(deployed)
    table = deployed.database.read(routing.table)
    assert table.epoch > before
    assert table.routes["delay-eu"].stopped == [Stopped(version=None, reason="it answers nonsense")]
    lifted = lift(deployed, made.kill_id)
    assert (lifted.lifted_by, lifted.lift_reason) == ("bob", "it was the feed")
    table = deployed.database.read(routing.table)
    assert table.routes["delay-eu"].stopped == []
    assert deployed.database.read(lambda tx: kept.history(tx, "delay-eu")) == [lifted]
    told = [event.action for event in deployed.database.read(audit.search)]
    assert {"endpoint.killed", "endpoint.kill_lifted"} <= set(told)


def test_only_what_is_in_service_can_be_stopped_and_only_once(deployed: Ground) -> None:
    with pytest.raises(NotFound, match="In service: 1"):
        stop(deployed, 2)
    stop(deployed, 1)
    with pytest.raises(Conflict, match="stopped already"):
        stop(deployed, 1)
    stop(deployed)  # all of it is another matter


def test_a_kill_ends_once_and_at_its_own_endpoint(deployed: Ground) -> None:
    make_endpoint(deployed, "delay-us")
    made = stop(deployed)
    with pytest.raises(NotFound):
        lift(deployed, made.kill_id, "delay-us")
    lift(deployed, made.kill_id)
    with pytest.raises(Conflict, match="lifted already"):
        lift(deployed, made.kill_id)


@pytest.mark.parametrize("fallback", [CONSTANT, LONG, OtherVersion(version=2)])
def test_what_answers_instead_travels_in_the_table(deployed: Ground, fallback: Fallback) -> None:
    instead(deployed, fallback)
    route = deployed.database.read(routing.table).routes["delay-eu"]
    assert route.fallback == fallback
    spare = route.spare.version if route.spare else None
    assert spare == (2 if isinstance(fallback, OtherVersion) else None)
    instead(deployed, None)
    assert deployed.database.read(routing.table).routes["delay-eu"].fallback is None


def test_a_rule_looks_at_columns_that_the_champion_takes(deployed: Ground) -> None:
    unknown = Rule(cases=[Case(column="distanse", op=">", values=[1000], answer=1.0)], otherwise=0.0)
    with pytest.raises(InvalidInput, match="'distanse'"):
        instead(deployed, unknown)


def test_an_unapproved_version_does_not_answer_instead_where_approval_is_needed(deployed: Ground) -> None:
    govern(deployed)
    with pytest.raises(GateNotMet):
        instead(deployed, OtherVersion(version=2))


def test_a_comparison_has_one_value() -> None:
    with pytest.raises(ValueError, match="compares with one"):
        Case(column="distance", op="<", values=[1, 2], answer=0)


def test_challengers_leave_something_to_the_champion(deployed: Ground) -> None:
    def challenge(version: int, share: float) -> None:
        new = NewRelease(version=version, role="challenger", reason="to see", share=share)
        deployed.database.write(lambda tx: releases.add(tx, "delay-eu", new, by="ann", now=NOW))

    for _ in range(3):
        make_version(deployed)
    challenge(2, 0.5)
    with pytest.raises(InvalidInput, match="less than 1 together"):
        challenge(3, 0.5)
    challenge(3, 0.2)
    challenge(4, 0.2)
    with pytest.raises(Conflict, match="At most 3"):
        challenge(5, 0.05)
    routed = deployed.database.read(routing.table).routes["delay-eu"].releases
    assert {release.version: release.share for release in routed} == pytest.approx({1: 0.1, 2: 0.5, 3: 0.2, 4: 0.2})
