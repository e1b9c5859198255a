"""The mark follows lineage: whatever a column is named, it means what it is made of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure.errors import InvalidInput
from tenure.manage import bans, marks, model_files
from tenure.manage.in_force import About, InForce
from tenure.manage.marks import Known
from tenure.records.base import Instant
from tenure.records.facts import FeatureFact
from tenure.records.model_files import ModelFile
from tenure.records.policies import Ban, PublishedPolicy

from .test_in_force import made

BAN = {"semantic": "race", "reason": "fair lending"}


def file_of(name: str, **features: dict[str, Any]) -> ModelFile:
    return model_files.parse({"model": name, "purpose": "-", "owner": "-", "features": features})


def judged(*files: ModelFile, inputs: dict[str, tuple[str, ...]] | None = None, **ban: Any) -> dict[str, FeatureFact]:
    """Every column of the first file as a fact, under one policy that forbids race, or what `ban` says."""
    known = {file.model: Known(file, (inputs or {}).get(file.model, tuple(file.features))) for file in files}
    policy = made(forbid=[ban or BAN])
    force = InForce(About(files[0].model), Instant(0), (policy,))
    traced = marks.of_columns(files[0].model, known)
    columns = [bans.Column(name, "double") for name in files[0].features]
    counting: list[tuple[PublishedPolicy, Ban]] = [(policy, one) for one in policy.body.forbid]
    return {one.name: one for one in bans.judge(columns, files[0], traced, known, force, counting)}


def test_a_column_derived_from_a_forbidden_one_is_forbidden_over_any_number_of_steps():
    found = judged(
        file_of("m", r={"semantic": "race"}, a={"derived_from": ["r"]}, b={"derived_from": ["x", "a"]}, x={}, y={})
    )
    assert {name: one.forbidden for name, one in found.items()} == {
        "r": True,
        "a": True,
        "b": True,
        "x": False,
        "y": False,
    }
    assert found["b"].semantics == ["race"]
    assert "through what it is derived from (semantic:race)" in found["b"].forbidden_because
    assert "through" not in found["r"].forbidden_because


def test_a_source_is_forbidden_like_a_meaning():
    found = judged(file_of("m", r={"source": "bureau"}, a={"derived_from": ["r"]}), source="bureau", reason="contract")
    assert (found["a"].forbidden, found["a"].sources) == (True, ["bureau"])


def test_another_models_score_carries_that_models_marks():
    upstream = file_of("up", r={"semantic": "race"}, unused={"semantic": "age"}, z={})
    found = judged(
        file_of("m", s={"derived_from": ["model:up"]}, t={"derived_from": ["s"]}),
        upstream,
        inputs={"up": ("r", "z")},
    )
    assert (found["t"].forbidden, found["t"].scores_of, found["t"].semantics) == (True, ["up"], ["race"])
    clean = judged(file_of("m", s={"derived_from": ["model:up"]}), upstream, inputs={"up": ("z",)})
    assert clean["s"].forbidden is False


def test_a_ban_of_the_models_own_file_follows_too():
    own = file_of(
        "m",
        r={"semantic": "age", "forbidden": {"reason": "P-12"}},
        a={"derived_from": ["r"]},
        b={"semantic": "age"},
        c={"derived_from": ["b"]},
        d={"forbidden": {"reason": "P-13"}},
        e={"derived_from": ["d"]},
        f={},
    )
    found = judged(own)
    assert [name for name, one in found.items() if one.forbidden] == ["r", "a", "b", "c", "d", "e"]


def test_who_leads_nowhere_is_not_allowed():
    found = judged(file_of("m", s={"derived_from": ["model:gone"]}))
    assert found["s"].forbidden is None
    assert "has no file here" in found["s"].forbidden_because
    assert found["s"].semantics is None


def test_models_that_take_each_others_scores_are_told_in_a_sentence():
    found = judged(file_of("m", s={"derived_from": ["model:up"]}), file_of("up", t={"derived_from": ["model:m"]}))
    assert found["s"].forbidden is None
    assert found["s"].forbidden_because == "Feature 's' is derived from itself: s ← t of up ← s."


def test_a_column_of_another_model_that_nobody_declared_is_not_allowed():
    found = judged(file_of("m", s={"derived_from": ["model:up"]}), file_of("up"), inputs={"up": ("secret",)})
    assert found["s"].forbidden is None
    assert "The file of 'up' does not declare 'secret'" in found["s"].forbidden_because


@pytest.mark.parametrize(
    ("features", "says"),
    [
        ({"a": {"derived_from": ["b"]}, "b": {"derived_from": ["a"]}}, "derived from itself: a ← b ← a"),
        ({"a": {"derived_from": ["a"]}}, "derived from itself"),
        ({"a": {"derived_from": ["gone"]}}, "does not declare 'gone'"),
        ({"a": {"derived_from": ["model:m"]}}, "of 'm' itself"),
    ],
)
def test_a_file_that_leads_in_a_circle_or_nowhere_is_refused(features: dict[str, Any], says: str):
    with pytest.raises(InvalidInput) as refusal:
        file_of("m", **features)
    assert says in refusal.value.message
    assert (refusal.value.where or "").startswith("features")


SIZE = 7
NAMES = st.lists(st.text("abcdefgh", min_size=1, max_size=4), min_size=SIZE, max_size=SIZE, unique=True)


@given(
    NAMES,
    NAMES,
    st.lists(st.sampled_from([None, "race", "age"]), min_size=SIZE, max_size=SIZE),
    st.lists(st.sets(st.integers(0, SIZE - 1)), min_size=SIZE, max_size=SIZE),
)
def test_renaming_columns_never_changes_the_verdict(
    names: list[str], renamed: list[str], semantics: list[str | None], links: list[set[int]]
):
    """Semantics and derivation stay while every name changes; and a column is forbidden exactly when some column
    that it leads back to is."""

    def verdicts(names: list[str]) -> list[bool | None]:
        features = {
            name: {"semantic": semantics[at], "derived_from": [names[one] for one in sorted(links[at]) if one < at]}
            for at, name in enumerate(names)
        }
        found = judged(file_of("m", **features))
        return [found[name].forbidden for name in names]

    def reaches(at: int) -> bool:
        return semantics[at] == "race" or any(reaches(one) for one in links[at] if one < at)

    assert verdicts(names) == verdicts(renamed) == [reaches(at) for at in range(SIZE)]


def test_a_protected_column_and_what_is_made_of_it_is_left_out():
    told = {"sex": {}, "title": {"derived_from": ["sex"]}, "income": {}}
    file = model_files.parse({"model": "m", "purpose": "-", "owner": "-", "features": told, "protected": ["sex"]})
    found = judged(file)
    assert {name: one.forbidden for name, one in found.items()} == {"sex": True, "title": True, "income": False}
    assert "'sex' is protected, and for tests of fairness alone" in found["title"].forbidden_because


@pytest.mark.parametrize(
    ("places", "purposes", "forbidden"),
    [(("US",), ("pricing",), True), (("EU",), ("pricing",), False), (("US",), ("fraud",), False), ((), (), True)],
)
def test_a_ban_of_the_file_counts_where_and_for_what_it_says(places: Any, purposes: Any, forbidden: bool):
    ban = {"in": ["US"], "for": ["pricing"], "reason": "policy P-12"}
    file = file_of("m", age={"semantic": "age", "forbidden": ban})
    known = {"m": Known(file, ("age",))}
    force = InForce(About("m", places, purposes), Instant(0), ())
    [age] = bans.judge([bans.Column("age", "double")], file, marks.of_columns("m", known), known, force, [])
    assert age.forbidden is forbidden
