from typing import get_args

import pytest

from tenure.manage import lifecycle
from tenure.records.changes import ChangeKind, Meaning


def test_a_registered_version_is_reviewed_and_approved():
    assert lifecycle.may_open("approve", "registered")
    assert lifecycle.when_opened("approve", "registered") == "in_review"
    assert lifecycle.when_ended("approve", "approved", "in_review") == "approved"


def test_what_was_taken_back_is_registered_again():
    assert lifecycle.when_ended("approve", "withdrawn", "in_review") == "registered"
    assert lifecycle.when_ended("approve", "invalidated", "in_review") == "registered"


def test_an_approved_version_is_suspended_and_comes_back():
    assert lifecycle.when_ended("suspend", "approved", "approved") == "suspended"
    assert lifecycle.may_open("approve", "suspended")
    assert lifecycle.when_ended("approve", "approved", "suspended") == "approved"
    assert lifecycle.when_ended("approve", "rejected", "suspended") == "suspended"


def test_retired_is_the_end():
    assert not any(lifecycle.may_open(kind, "retired") for kind in lifecycle.MAY_OPEN)


def test_only_approved_versions_are_promoted():
    assert lifecycle.MAY_OPEN["promote"] == {"approved"}


def test_every_kind_stands_in_every_table():
    kinds = set(get_args(ChangeKind))
    assert kinds == set(lifecycle.MAY_OPEN) == set(lifecycle.MEANS) == set(lifecycle.RULES_OUT)
    assert {kind for kind, _ in lifecycle.OPENED} | {kind for kind, _, _ in lifecycle.ENDED} <= kinds


def test_retiring_and_approving_rule_each_other_out():
    assert "retire" in lifecycle.RULES_OUT["approve"]
    assert "approve" in lifecycle.RULES_OUT["retire"]
    assert "retire" not in lifecycle.RULES_OUT["suspend"], "what is suspended may be retired next"


@pytest.mark.parametrize("kind", get_args(ChangeKind))
def test_a_yes_means_what_fits_the_kind(kind: ChangeKind):
    means = lifecycle.MEANS[kind]
    assert lifecycle.meaning(kind, "approval") == lifecycle.meaning(kind, means) == means
    assert lifecycle.meaning(kind, "rejection") == "rejection"
    others = set(get_args(Meaning)) - {means, "approval", "rejection", "author"}
    assert {lifecycle.meaning(kind, other) for other in others} == {None}
