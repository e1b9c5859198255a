"""Who may sign: by role and model, by name, by time, and never who made it."""

from __future__ import annotations

from typing import Any

import pytest

from tenure.build import experiments, model_versions, runs
from tenure.errors import Conflict, InvalidInput, NotAllowed
from tenure.manage import eligibility, model_files
from tenure.records.base import Instant
from tenure.records.people import Person, RoleHeld
from tenure.store import tables
from tenure.store.ground import Ground

from .makers import FILE, MODEL, NOW, apply_file, ask, make_ready, sign


class Scoped:
    """A role held for one model, as a grant tells it."""

    def __init__(self, role: str, since_at: int, model: str | None) -> None:
        self.role, self.since_at, self.model = role, since_at, model


def person(*roles: Any) -> Person:
    return Person(name="vera", printed_name="Vera", roles=list(roles), created_at=0)


def test_a_role_counts_for_its_model_or_for_all():
    assert eligibility.held_since(person(RoleHeld(role="validator", since_at=5)), "validator", "late") == 5
    assert eligibility.held_since(person(Scoped("validator", 5, "late")), "validator", "late") == 5
    assert eligibility.held_since(person(Scoped("validator", 5, "")), "validator", "late") == 5
    assert eligibility.held_since(person(Scoped("validator", 5, "other")), "validator", "late") is None
    both = person(Scoped("validator", 9, "late"), Scoped("validator", 5, None))
    assert eligibility.held_since(both, "validator", "late") == 5


def test_a_step_for_named_people_is_theirs_alone(ground: Ground):
    version = make_ready(ground)
    apply_file(ground, approval={"steps": [{"role": "validator", "people": ["vic"]}]})
    change = ask(ground, version)
    with pytest.raises(NotAllowed, match="is for vic"):
        sign(ground, change, "vera", "validator")
    assert sign(ground, change, "vic", "validator").state == "approved"


def test_two_of_three_needs_three_who_hold_the_role(ground: Ground):
    version = make_ready(ground)
    apply_file(ground, approval={"steps": [{"role": "business-owner", "signatures": 2, "of": 4}]})
    with pytest.raises(Conflict, match="2 of 4, and only 3 hold the role"):
        ask(ground, version)
    apply_file(ground, approval={"steps": [{"role": "business-owner", "signatures": 2, "of": 3}]})
    change = ask(ground, version)
    assert sign(ground, change, "bo", "business-owner").state == "open"
    assert sign(ground, change, "both", "business-owner").state == "approved"


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ({"role": "validator", "signatures": 3, "of": 2}, "at most 2"),
        ({"role": "validator", "signatures": 3, "people": ["a", "b"]}, "at most 2"),
        ({"role": "validator", "of": 3, "people": ["a", "b"]}, "must be the number of 'people'"),
        ({"role": "validator", "people": ["a", "a"]}, "once"),
    ],
)
def test_a_quorum_that_cannot_be_is_refused(step: dict[str, Any], problem: str):
    with pytest.raises(InvalidInput, match=problem):
        model_files.parse({**FILE, "approval": {"steps": [step]}})


def test_signatures_beside_approval_need_governance(ground: Ground):
    steps = {"steps": [{"role": "validator"}]}
    with pytest.raises(InvalidInput, match="declare 'approval'"):
        model_files.parse({**FILE, "approval": None, "promotion": steps})
    apply_file(ground, promotion=steps)
    with pytest.raises(NotAllowed, match="Keep `promotion`"):
        apply_file(ground)


def test_who_trained_the_version_may_not_sign(ground: Ground):
    version = make_ready(ground)

    def trained_by_vera(tx: Any) -> None:
        experiment = experiments.create(tx, "flights", location=None, tags=[], now=NOW)
        run = runs.create(tx, experiment, name="one", user_id="vera", start_time=1, tags=[], now=NOW)
        tx.execute(tables.model_versions.update().values(run_id=run.info.run_id))

    ground.database.write(trained_by_vera)
    assert ground.database.read(lambda tx: model_versions.get(tx, MODEL, version)).run_id
    change = ask(ground, version, at=Instant(NOW + 1))
    with pytest.raises(NotAllowed, match="made this version or its evidence"):
        sign(ground, change, "vera", "validator")


def test_an_author_signs_as_author_and_fills_no_step(ground: Ground):
    change = ask(ground, make_ready(ground))
    with pytest.raises(NotAllowed, match="does not sign as author"):
        sign(ground, change, "vera", "author", "author")
    with pytest.raises(InvalidInput, match="gives 'author' as the role"):
        sign(ground, change, "ann", "validator", "author")
    after = sign(ground, change, "ann", "author", "author")
    assert ([step.signed for step in after.steps], after.signatures[0].meaning) == ([0, 0], "author")
    sign(ground, change, "vera", "validator")
    assert sign(ground, change, "bo", "business-owner").state == "approved"


def test_a_meaning_that_does_not_fit_the_kind_is_refused(ground: Ground):
    change = ask(ground, make_ready(ground))
    with pytest.raises(InvalidInput, match="means one of approval, rejection, author"):
        sign(ground, change, "vera", "validator", "retirement")
