"""The loop, from a proven loss to a promoted challenger, and every way out of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from tenure.build import registered_models
from tenure.deploy import changes as carried
from tenure.manage import changes, model_files
from tenure.records.base import DAY_US
from tenure.records.changes import Change
from tenure.records.model_files import ModelFile
from tenure.retrain import runs
from tenure.serving import routing as published
from tenure.store import audit
from tenure.store.database import Transaction
from tenure.store.ground import Ground

from ..deploy.makers import approve, make_version, sign
from .world import START, World

Make = Callable[..., World]


@pytest.fixture
def make_world(ground: Ground) -> Iterator[Make]:
    made: list[World] = []

    def make(**policy: Any) -> World:
        made.append(World(ground, **policy))
        return made[-1]

    yield make
    for world in made:
        world.close()


def into_the_trial(world: World) -> None:
    """Up to a shadow that begins on day 15."""
    world.days(0, 15)
    world.work()
    world.finish_training()
    world.work()


def hold_the_trial(world: World, *, good: bool = True) -> None:
    world.days(15, 29, shadow=2, good=good)
    world.work()


def steps(world: World) -> list[str]:
    return [step.name for step in world.run().steps]


def test_accuracy_that_is_proven_lost_orders_a_training(make_world: Make) -> None:
    world = make_world()
    world.days(0, 15)
    world.work()
    run = world.run()
    assert (run.state, run.champion_version, run.challenger_version) == ("queued", 1, None)
    assert run.trigger["upper_bound"] < run.trigger["threshold"] == 0.7
    order = world.order()
    assert order.until_at == run.event_at == START + 14 * DAY_US
    assert (order.until_at - order.from_at, order.until_at - order.split_at) == (28 * DAY_US, 3 * DAY_US)


def test_too_few_outcomes_start_nothing(make_world: Make) -> None:
    world = make_world(when=[{"accuracy": {"at_least": 0.7, "min_outcomes": 5000}}])
    world.days(0, 15)
    world.work()
    assert world.runs() == []


def test_nothing_starts_before_there_are_the_least_days_of_data(make_world: Make) -> None:
    world = make_world(data={"window_days": 28, "least_days": 20, "holdout_days": 3})
    world.days(0, 15)
    world.work()
    assert world.runs() == []
    world.days(15, 22)
    world.work()
    assert world.run().state == "queued"


def test_a_drop_is_measured_from_what_the_baseline_promised(make_world: Make) -> None:
    world = make_world(when=[{"accuracy": {"drop": 0.1, "min_outcomes": 300}}])
    world.days(0, 15)
    world.work()
    assert world.run().trigger["threshold"] == pytest.approx(0.8 - 0.1)


def test_a_challenger_that_is_better_is_promoted_within_the_signed_envelope(make_world: Make) -> None:
    world = make_world()
    into_the_trial(world)
    assert world.serving() == [(1, "champion"), (2, "shadow")]
    assert world.run().state == "shadow"
    hold_the_trial(world)
    run = world.run()
    assert (run.state, run.challenger_version) == ("promoted", 2)
    assert steps(world) == ["triggered", "trained", "compared", "approved", "promoted"]
    assert world.serving() == [(2, "champion")]
    assert world.ground.database.read(lambda tx: registered_models.aliases(tx, "delay")) == {"champion": 2}
    route = published.read_table(world.ground.settings.folder).routes["delay-eu"]
    assert [(release.version, release.role) for release in route.releases] == [(2, "champion")]


def test_the_loop_closes_on_either_database(each_ground: Ground) -> None:
    world = World(each_ground)
    into_the_trial(world)
    hold_the_trial(world)
    assert world.run().state == "promoted"
    world.close()


def test_every_step_stands_in_the_audit_log_and_the_dossier_has_its_four_chapters(make_world: Make) -> None:
    world = make_world()
    into_the_trial(world)
    hold_the_trial(world)
    run = world.run()
    events = world.ground.database.read(lambda tx: audit.search(tx, subject=run.retraining_id))
    assert [event.action.partition(".")[2] for event in reversed(events)] == ["begun", *steps(world)]
    assert world.ground.database.read(audit.verify).first_bad is None
    dossier = run.dossier
    assert dossier is not None
    for chapter in dossier.__struct_fields__:
        assert getattr(dossier, chapter)["what_this_is"].startswith("This chapter says")
    trial = dossier.accuracy_assessment["trial"]
    assert trial["accepted"] is True
    assert trial["roc_auc_difference"]["low"] > 0
    last = dossier.versioning_approval_and_audit
    assert last["outcome"] == "promoted"
    assert last["audit_sequences"] == sorted(event.sequence for event in events)
    assert last["challenger"]["digest"] == world.version(2).digest
    assert last["approval"]["approved_under"] == runs.figure(run, "approved", "envelope")


def test_a_challenger_that_is_no_better_is_rejected_and_leaves_the_shadow(make_world: Make) -> None:
    world = make_world()
    into_the_trial(world)
    hold_the_trial(world, good=False)
    run = world.run()
    assert run.state == "rejected"
    assert "not proven better" in run.steps[-1].detail
    assert world.serving() == [(1, "champion")]
    assert run.dossier is not None
    assert world.version(2).state == "registered"


def test_without_an_envelope_the_challenger_waits_until_people_have_signed(make_world: Make) -> None:
    world = make_world(envelope=None)
    into_the_trial(world)
    hold_the_trial(world)
    run = world.run()
    assert run.state == "review"
    assert "no `retraining.envelope`" in run.steps[-1].detail
    assert world.serving() == [(1, "champion"), (2, "shadow")]
    change_id = runs.figure(run, "review", "change_id")
    sign(world.ground, world.ground.database.read(lambda tx: changes.get(tx, change_id)))
    world.work()
    assert world.run().state == "promoted"
    assert world.serving() == [(2, "champion")]


def test_people_may_refuse_a_challenger(make_world: Make) -> None:
    world = make_world(then="propose")
    into_the_trial(world)
    hold_the_trial(world)
    assert world.run().state == "review"
    change_id = runs.figure(world.run(), "review", "change_id")
    sign(world.ground, world.ground.database.read(lambda tx: changes.get(tx, change_id)), meaning="rejection")
    world.work()
    assert world.run().state == "rejected"
    assert world.serving() == [(1, "champion")]


def test_an_envelope_does_not_cover_scores_that_moved_too_far(make_world: Make) -> None:
    world = make_world(envelope={"expires": "2099-12-31", "score_psi_max": 0.1})
    into_the_trial(world)
    hold_the_trial(world)
    assert world.run().state == "review"
    assert "PSI" in world.run().steps[-1].detail


def test_an_ungoverned_model_is_promoted_without_signatures(make_world: Make) -> None:
    world = make_world(governed=False)
    into_the_trial(world)
    hold_the_trial(world)
    assert world.run().state == "promoted"
    assert world.serving() == [(2, "champion")]


def test_an_ungoverned_proposal_waits_for_somebody_to_promote_it(make_world: Make) -> None:
    world = make_world(governed=False, then="propose")
    into_the_trial(world)
    hold_the_trial(world)
    assert world.run().state == "review"
    world.promote(2)
    world.work()
    assert (world.run().state, world.run().steps[-1].detail) == ("promoted", "Version 2 was promoted by hand.")


def test_training_is_seen_while_it_runs(make_world: Make) -> None:
    world = make_world()
    world.days(0, 15)
    world.work()
    world.start_training()
    world.work()
    assert world.run().state == "training"


def test_a_training_that_fails_ends_the_run_with_the_reason(make_world: Make) -> None:
    world = make_world()
    world.days(0, 15)
    world.work()
    world.start_training()
    world.settle("failed", {"failure": "ValueError: no rows"})
    world.work()
    assert world.run().state == "failed"
    assert world.run().steps[-1].detail == "Training failed: ValueError: no rows"


def test_an_unknown_recipe_fails_the_run_and_says_which_are_known(make_world: Make) -> None:
    world = make_world(recipe="other")
    world.days(0, 15)
    world.work()
    assert world.run().state == "failed"
    assert "'other'" in world.run().steps[-1].detail
    assert "tiny" in world.run().steps[-1].detail


def test_after_a_run_the_guard_holds_the_next_one_back_and_the_audit_log_says_so(make_world: Make) -> None:
    world = make_world(recipe="other", guard={"cooldown_days": 20})
    world.days(0, 15)
    world.work()
    world.days(15, 29)
    world.work()
    assert len(world.runs()) == 1
    held = [event for event in world.ground.database.read(audit.search) if event.action == "retraining.held_back"]
    assert "less than 20 days ago" in held[0].detail["because"]
    world.days(29, 43)
    world.work()
    assert len(world.runs()) == 2


def test_a_run_gives_way_when_somebody_else_becomes_champion(make_world: Make) -> None:
    world = make_world()
    into_the_trial(world)
    approve(world.ground, make_version(world.ground, content=b"by hand"))
    world.promote(3)
    world.work()
    assert world.run().state == "rejected"
    assert "Version 3 became champion" in world.run().steps[-1].detail
    assert world.serving() == [(3, "champion")]


def test_a_trial_that_cannot_gather_its_outcomes_ends_undecided(make_world: Make) -> None:
    world = make_world(accept={"better": {}, "shadow_days": 7, "shadow_outcomes": 100_000})
    into_the_trial(world)
    world.days(15, 51, shadow=2)
    world.work()
    assert world.run().state == "rejected"
    assert "nothing can be told" in world.run().steps[-1].detail


def test_a_run_fails_when_the_model_file_no_longer_asks_for_retraining(make_world: Make) -> None:
    world = make_world()
    into_the_trial(world)
    file = world.ground.database.read(lambda tx: model_files.current(tx, "delay"))
    assert file is not None
    import msgspec

    without = msgspec.structs.replace(file.file, retraining=None)
    world.ground.database.write(lambda tx: model_files.apply(tx, without, by="ann", now=world.now()))
    hold_the_trial(world)
    assert world.run().state == "failed"
    assert world.serving() == [(1, "champion")]


def test_nothing_is_evaluated_twice_for_the_same_judged_windows(
    make_world: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tenure.retrain import evidence

    world = make_world(when=[{"accuracy": {"at_least": 0.1, "min_outcomes": 300}}])
    asked: list[int] = []
    real = evidence.answered
    monkeypatch.setattr(evidence, "answered", lambda *given: asked.append(1) or real(*given))
    world.days(0, 15)
    world.work()
    world.work()
    evaluated = len(asked)
    world.work()
    assert 1 <= len(asked) == evaluated <= 2


def test_where_people_sign_for_promotions_the_winner_waits_for_them(make_world: Make) -> None:
    world = make_world()
    world.ground.database.write(lambda tx: model_files.apply(tx, signed_promotions(tx), by="ann", now=world.now()))
    into_the_trial(world)
    hold_the_trial(world)
    approval = change_of(world)
    assert approval.kind == "approve", "the file has changed since the envelope was signed"
    sign(world.ground, approval)
    world.work()
    promotion = change_of(world)
    assert (promotion.kind, promotion.state, world.run().state) == ("promote", "open", "review")
    assert world.serving() == [(1, "champion"), (2, "shadow")]
    signed = sign(world.ground, promotion)
    world.ground.database.write(lambda tx: carried.follow(tx, signed, now=world.now()))
    world.work()
    assert world.run().state == "promoted"
    assert world.serving() == [(2, "champion")]


def test_people_may_refuse_the_promotion_of_a_winner(make_world: Make) -> None:
    world = make_world()
    world.ground.database.write(lambda tx: model_files.apply(tx, signed_promotions(tx), by="ann", now=world.now()))
    into_the_trial(world)
    hold_the_trial(world)
    sign(world.ground, change_of(world))
    world.work()
    sign(world.ground, change_of(world), meaning="rejection")
    world.work()
    assert world.run().state == "rejected"
    assert world.serving() == [(1, "champion")]


def signed_promotions(tx: Transaction) -> ModelFile:
    applied = model_files.current(tx, "delay")
    assert applied is not None
    return msgspec.structs.replace(applied.file, promotion=applied.file.approval)


def change_of(world: World) -> Change:
    """What the run waits for in review."""
    change_id = runs.figure(world.run(), "review", "change_id")
    return world.ground.database.read(lambda tx: changes.get(tx, change_id))
