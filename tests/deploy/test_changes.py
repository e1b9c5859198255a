"""Moves of a governed model: each is a change request, signed where the model's file asks, carried out with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tenure.build import model_versions, registered_models
from tenure.deploy import changes as carried
from tenure.deploy import endpoints, promotions, releases
from tenure.errors import Conflict, GateNotMet, InvalidInput, NotAllowed
from tenure.manage import changes, facts
from tenure.records.base import Instant
from tenure.records.changes import Change, NewChange, Target
from tenure.records.endpoints import NewEndpoint, NewRelease
from tenure.store import audit
from tenure.store import changes as kept
from tenure.store import releases as in_service
from tenure.store.ground import Ground

from ..conftest import make_ground
from .makers import NOW, approve, govern, make_model, make_validator, make_version, sign

SIGNED = {"steps": [{"role": "validator"}]}


def make_approved(ground: Ground, versions: int = 1, **file: Any) -> None:
    """An endpoint and approved versions; `file` says what else needs signatures."""
    make_model(ground)
    govern(ground, **file)
    make_validator(ground)
    for _ in range(versions):
        approve(ground, make_version(ground))
    ground.database.write(
        lambda tx: endpoints.create(tx, NewEndpoint(name="delay-eu", model="delay"), by="ann", now=NOW)
    )


def ask(
    ground: Ground, kind: Any, version: int = 1, target: Target | None = None, *, by: str = "ann", accept: Any = None
) -> Change:
    checked = facts.check_bytes(ground, "delay", version)
    new = NewChange(kind=kind, model="delay", version=version, reason="now", target=target, accept=accept)
    return ground.database.write(lambda tx: carried.open_change(tx, new, by=by, now=NOW, checked=checked))


def sign_and_follow(ground: Ground, change: Change, meaning: str = "approval") -> Change:
    signed = sign(ground, change, meaning=meaning)
    ground.database.write(lambda tx: carried.follow(tx, signed, now=NOW))
    return signed


def serving(ground: Ground) -> list[tuple[int, str]]:
    return sorted((one.version, one.role) for one in ground.database.read(in_service.open_ones))


def asked(ground: Ground) -> list[tuple[str, int, str, str]]:
    found = ground.database.read(lambda tx: changes.search(tx, model="delay"))
    return sorted((one.kind, one.version, one.state, one.reason) for one in found)


def promote(ground: Ground, version: int, to: Any = "champion") -> None:
    ground.database.write(
        lambda tx: promotions.promote(tx, "delay", version, to=to, reason="better", by="ann", now=NOW)
    )


def test_every_move_of_a_governed_model_is_a_change_with_its_reason_and_gate(ground: Ground) -> None:
    make_approved(ground, 2)
    promote(ground, 1)
    ground.database.write(lambda tx: promotions.set_alias(tx, "delay", "challenger", 2, by="bob", now=NOW))
    assert asked(ground)[2:] == [
        ("promote", 1, "approved", "better"),
        ("promote", 2, "approved", "the alias 'challenger' was set"),
    ]
    last = next(one for one in ground.database.read(lambda tx: changes.search(tx, version=2)) if one.kind == "promote")
    assert (last.opened_by, last.target, last.ended_because) == (
        "bob",
        Target(to="challenger", share=0.1),
        changes.NO_SIGNATURES,
    )
    assert serving(ground) == [(1, "champion"), (2, "challenger")]


def test_a_model_without_governance_moves_without_a_change(ground: Ground) -> None:
    make_model(ground)
    make_version(ground)
    promote(ground, 1)
    assert asked(ground) == []


def test_a_promotion_that_people_sign_is_carried_out_with_the_last_signature(each_ground: Ground) -> None:
    make_approved(each_ground, promotion=SIGNED)
    change = ask(each_ground, "promote")
    assert (change.state, serving(each_ground)) == ("open", [])
    done = sign_and_follow(each_ground, change)
    assert (done.state, done.signatures[0].meaning) == ("approved", "release")
    assert serving(each_ground) == [(1, "champion")]
    assert each_ground.database.read(lambda tx: registered_models.aliases(tx, "delay")) == {"champion": 1}
    assert each_ground.database.read(audit.verify).first_bad is None


def test_a_rejected_promotion_moves_nothing(ground: Ground) -> None:
    make_approved(ground, promotion=SIGNED)
    assert sign_and_follow(ground, ask(ground, "promote"), "rejection").state == "rejected"
    assert serving(ground) == []
    assert ground.database.read(lambda tx: model_versions.get(tx, "delay", 1)).state == "approved"


@pytest.mark.parametrize("way", ["promote", "alias", "challenger alias"])
def test_no_other_way_leads_past_the_signatures_of_a_promotion(ground: Ground, way: str) -> None:
    make_approved(ground, promotion=SIGNED)
    alias = "challenger" if way == "challenger alias" else "champion"
    set_alias = partial(promotions.set_alias, name="delay", alias=alias, version=1, by="ann", now=NOW)
    go = partial(promote, ground, 1) if way == "promote" else partial(ground.database.write, set_alias)
    with pytest.raises(NotAllowed, match=r"people must sign.*tenure version promote delay 1") as caught:
        go()
    assert not isinstance(caught.value, GateNotMet)
    assert serving(ground) == []
    assert ground.database.read(lambda tx: registered_models.aliases(tx, "delay")) == {}


def test_a_deployment_that_people_sign(ground: Ground) -> None:
    make_approved(ground, deployment=SIGNED)
    new = NewRelease(version=1, role="challenger", reason="to see", share=0.2)
    with pytest.raises(NotAllowed, match="people must sign"):
        ground.database.write(lambda tx: releases.add(tx, "delay-eu", new, by="ann", now=NOW))
    change = ask(ground, "deploy", target=Target(to="challenger", endpoint="delay-eu", share=0.2))
    sign_and_follow(ground, change)
    assert serving(ground) == [(1, "challenger")]


def test_a_shadow_answers_nobody_and_needs_no_signature(ground: Ground) -> None:
    make_approved(ground, deployment=SIGNED)
    make_version(ground)
    ask(ground, "deploy", 2, Target(to="shadow", endpoint="delay-eu"))
    assert serving(ground) == [(2, "shadow")]
    assert ("deploy", 2, "approved", "now") in asked(ground)


def test_a_new_endpoint_waits_where_people_sign_for_deployments(ground: Ground) -> None:
    make_approved(ground, deployment=SIGNED)
    promote(ground, 1)
    other = NewEndpoint(name="delay-us", model="delay")
    ground.database.write(lambda tx: endpoints.create(tx, other, by="ann", now=NOW))
    assert ground.database.read(lambda tx: endpoints.champion_version(tx, "delay-us")) is None
    change = ask(ground, "deploy", target=Target(to="champion", endpoint="delay-us"))
    sign_and_follow(ground, change)
    assert ground.database.read(lambda tx: endpoints.champion_version(tx, "delay-us")) == 1


def test_a_champion_that_is_deployed_takes_the_place_of_the_one_there(ground: Ground) -> None:
    make_approved(ground, 2)
    promote(ground, 1)
    ask(ground, "deploy", 2, Target(to="challenger", endpoint="delay-eu", share=0.2))
    ask(ground, "deploy", 2, Target(to="champion", endpoint="delay-eu"))
    assert serving(ground) == [(2, "champion")]
    assert ground.database.read(lambda tx: registered_models.aliases(tx, "delay"))["champion"] == 1
    with pytest.raises(Conflict, match="is the champion of 'delay-eu' already"):
        ask(ground, "deploy", 2, Target(to="champion", endpoint="delay-eu"))


@pytest.mark.parametrize("file", [{}, {"deployment": SIGNED}])
def test_a_challenger_leaves_something_to_the_champion_whoever_signs(ground: Ground, file: dict[str, Any]) -> None:
    make_approved(ground, 3, **file)
    promote(ground, 1)
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        ask(ground, "deploy", 2, Target(to="challenger", endpoint="delay-eu"))
    ask(ground, "deploy", 3, Target(to="shadow", endpoint="delay-eu", share=0.25))
    [shadow] = [one for one in ground.database.read(in_service.open_ones) if one.role == "shadow"]
    assert shadow.share == 0.25
    with pytest.raises(Conflict, match="in service at 'delay-eu' already"):
        ask(ground, "deploy", 1, Target(to="challenger", endpoint="delay-eu", share=0.2))
    assert [one.kind for one in ground.database.read(lambda tx: changes.search(tx, state="open"))] == []


def test_the_first_promotion_to_a_place_ends_the_others(ground: Ground) -> None:
    make_approved(ground, 2, promotion=SIGNED)
    first, second = ask(ground, "promote", 1), ask(ground, "promote", 2)
    challenge = ask(ground, "promote", 2, Target(to="challenger"))
    sign_and_follow(ground, first)
    after = {one.change_id: one.state for one in ground.database.read(lambda tx: changes.search(tx, model="delay"))}
    assert (after[second.change_id], after[challenge.change_id]) == ("invalidated", "open")


def test_a_promotion_ends_a_retirement_that_waits(ground: Ground) -> None:
    make_approved(ground)
    retirement = ask(ground, "retire")
    promote(ground, 1)
    after = ground.database.read(lambda tx: changes.get(tx, retirement.change_id))
    assert after.state == "invalidated"


def test_a_suspension_ends_a_promotion_that_waits_and_takes_the_version_out(ground: Ground) -> None:
    make_approved(ground, 2)
    promote(ground, 1)
    govern(ground, promotion=SIGNED, owner="else@example.com")
    waiting = ask(ground, "promote", target=Target(to="champion"))
    suspension = ask(ground, "suspend", accept="all")
    sign_and_follow(ground, suspension)
    assert serving(ground) == []
    assert ground.database.read(lambda tx: changes.get(tx, waiting.change_id)).state == "invalidated"
    with pytest.raises(Conflict, match="is suspended"):
        ask(ground, "promote")


def test_a_signed_registration_comes_first_where_the_file_asks_for_it(ground: Ground) -> None:
    make_model(ground)
    govern(ground, registration=SIGNED)
    make_validator(ground)
    version = make_version(ground)
    with pytest.raises(Conflict, match="asks for a signed registration"):
        approve(ground, version)
    done = sign_and_follow(ground, ask(ground, "register"))
    assert (done.state, done.signatures[0].meaning) == ("approved", "review")
    assert approve(ground, version).state == "approved"


@pytest.mark.parametrize(
    ("kind", "target", "problem"),
    [
        ("promote", Target(to="shadow"), "champion or challenger"),
        ("promote", Target(endpoint="delay-eu"), "at every endpoint"),
        ("deploy", Target(to="shadow", endpoint="nowhere"), "must be one of 'delay'"),
        ("suspend", Target(), "has no target"),
    ],
)
def test_a_target_that_cannot_be_is_refused(ground: Ground, kind: str, target: Target, problem: str) -> None:
    make_approved(ground)
    with pytest.raises(InvalidInput, match=problem):
        ask(ground, kind, target=target)


def _die_in_between(folder: str, change: Change) -> None:
    from tenure.manage.passwords import Reauthenticated
    from tenure.records.changes import NewSignature
    from tenure.store import people

    ground = make_ground(Path(folder))
    checked = facts.check_bytes(ground, "delay", 1)
    account = ground.database.read(lambda tx: people.get(tx, "vera"))
    assert account is not None
    new = NewSignature(person="vera", password="-", role="validator", meaning="approval", reason="looked at it")

    def work(tx: Any) -> None:
        proof = Reauthenticated(account, "password", NOW)
        signed = changes.sign(tx, change.change_id, new, proof=proof, key=ground.key, now=NOW, checked=checked)
        assert signed.state == "approved"
        os.kill(os.getpid(), signal.SIGKILL)

    ground.database.write(work)


def test_a_process_killed_between_the_last_signature_and_its_execution_leaves_neither(
    ground: Ground, tmp_path: Path
) -> None:
    make_approved(ground, promotion=SIGNED)
    change = ask(ground, "promote")
    process = multiprocessing.get_context("spawn").Process(target=_die_in_between, args=(str(tmp_path), change))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    stored = ground.database.read(lambda tx: kept.get(tx, change.change_id))
    assert stored is not None
    assert (stored.change.state, stored.change.signatures, serving(ground)) == ("open", [], [])
    sign_and_follow(ground, change)
    assert serving(ground) == [(1, "champion")]


def test_a_refused_execution_takes_the_signature_back(ground: Ground) -> None:
    """What follows from a signature is in its transaction: when it cannot be done, nothing was signed."""
    make_approved(ground, deployment=SIGNED)
    change = ask(ground, "deploy", target=Target(to="challenger", endpoint="delay-eu", share=0.2))
    promote(ground, 1)
    checked = facts.check_bytes(ground, "delay", 1)

    def work(tx: Any) -> None:
        from tenure.manage.passwords import Reauthenticated
        from tenure.records.changes import NewSignature
        from tenure.store import people

        account = people.get(tx, "vera")
        new = NewSignature(person="vera", password="-", role="validator", meaning="release", reason="looked at it")
        proof = Reauthenticated(account, "password", NOW)
        signed = changes.sign(tx, change.change_id, new, proof=proof, key=ground.key, now=NOW, checked=checked)
        carried.follow(tx, signed, now=Instant(NOW + 1))

    with pytest.raises(Conflict, match="in service at 'delay-eu' already"):
        ground.database.write(work)
    assert ground.database.read(lambda tx: changes.get(tx, change.change_id)).signatures == []
