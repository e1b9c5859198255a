"""What counts as looser: every key of the model's file has a judge, and what cannot be compared is never tighter."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure.manage import loosening, model_files
from tenure.records.model_files import Declared, ModelFile

BARE: dict[str, Any] = {"model": "m", "purpose": "p", "owner": "o"}
LOOKUP = {"source": "crm", "table": "t", "key": "id", "column": "c", "as_of": "at"}
RETRAINING = {"recipe": "r", "when": [{"accuracy": {"drop": 0.03}}], "accept": {"better": {}, "no_worse": {}}}
ENVELOPE = {"expires": "2027-01-01"}


def file(declared: dict[str, Any]) -> ModelFile:
    return msgspec.convert({**BARE, **declared}, ModelFile)


def steps(*declared: dict[str, Any]) -> dict[str, Any]:
    return {"approval": {"steps": list(declared)}}


def feature(**declared: Any) -> dict[str, Any]:
    return {"features": {"age": declared}}


def lookup(**declared: Any) -> dict[str, Any]:
    return feature(freshness_minutes=60, lookup={**LOOKUP, **declared})


def retraining(**declared: Any) -> dict[str, Any]:
    return {"retraining": {**RETRAINING, **declared}}


def itself(**declared: Any) -> dict[str, Any]:
    """A retraining that promotes by itself."""
    return retraining(then="promote", **declared)


def monitors(**declared: Any) -> dict[str, Any]:
    return {"monitors": declared}


ONE_WAY: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("approval.steps", steps({"role": "a", "signatures": 2}), steps({"role": "a"})),
    ("approval.steps", steps({"role": "a"}, {"role": "b"}), steps({"role": "a"})),
    ("approval.steps", steps({"role": "a", "people": ["x"]}), steps({"role": "a"})),
    ("approval.steps", steps({"role": "a", "of": 3}), steps({"role": "a", "of": 2})),
    ("approval.steps", steps({"role": "a", "of": 3}), steps({"role": "a"})),
    ("promotion", {**steps({"role": "a"}), "promotion": {"steps": [{"role": "a"}]}}, steps({"role": "a"})),
    ("features.age.forbidden", feature(forbidden={"reason": "r"}), feature()),
    ("features.age.forbidden.in", feature(forbidden={"reason": "r"}), feature(forbidden={"reason": "r", "in": ["US"]})),
    (
        "features.age.forbidden.for",
        feature(forbidden={"reason": "r", "for": ["a", "b"]}),
        feature(forbidden={"reason": "r", "for": ["a"]}),
    ),
    ("features.age.semantic", feature(semantic="age"), feature()),
    ("features.age.source", feature(source="bureau"), feature()),
    ("features.age.kind", feature(kind="numeric"), feature()),
    ("features.age.derived_from", feature(derived_from=["birth"]), feature()),
    ("features.age.available", feature(available="after_departure"), feature()),
    ("features.age.freshness_minutes", feature(freshness_minutes=5), feature(freshness_minutes=6)),
    ("features.age.freshness_minutes", feature(freshness_minutes=5), feature()),
    ("features.age.range", feature(range=[0, 80]), feature(range=[0, 81])),
    ("features.age.range", feature(range=[0, 80]), feature()),
    ("features.age.outside", feature(range=[0, 8], outside="reject"), feature(range=[0, 8], outside="clip")),
    ("features.age.outside", feature(range=[0, 8], outside="clip"), feature(range=[0, 8])),
    ("features.age.null", feature(null="reject"), feature()),
    ("features.age.lookup.missing", lookup(), lookup(missing="null")),
    ("features.age.lookup.override", lookup(), lookup(override="allow")),
    ("features.age.lookup", feature(lookup=LOOKUP), feature()),
    ("protected", {"protected": ["sex"]}, {}),
    ("segments", {"segments": ["a", "b"]}, {"segments": ["a"]}),
    ("value", {"value": "score"}, {}),
    ("use.jurisdictions", {"use": {"jurisdictions": ["US"]}}, {"use": {"jurisdictions": ["US", "EU"]}}),
    ("use.jurisdictions", {"use": {"jurisdictions": ["US"]}}, {}),
    ("use.purposes", {"use": {"purposes": ["credit"]}}, {}),
    ("use.not_for", {"use": {"not_for": ["crew scheduling"]}}, {}),
    ("use.require", {"use": {"require": ["purpose"]}}, {}),
    ("use.callers", {"use": {"callers": ["app"]}}, {"use": {"callers": ["app", "bot"]}}),
    (
        "use.allow",
        {"use": {"allow": "request.hour >= 5 && request.rows < 9"}},
        {"use": {"allow": "request.rows < 9"}},
    ),
    ("use.allow", {"use": {"allow": "request.hour >= 5"}}, {}),
    ("use.valid_from", {"use": {"valid_from": "2026-01-02"}}, {"use": {"valid_from": "2026-01-01"}}),
    ("use.valid_to", {"use": {"valid_to": "2026-01-01"}}, {"use": {"valid_to": "2026-01-02"}}),
    ("use.valid_to", {"use": {"valid_to": "2026-01-01"}}, {}),
    ("use.quota.rows_per_day", {"use": {"quota": {"rows_per_day": 5}}}, {"use": {"quota": {"rows_per_day": 6}}}),
    ("use.quota", {"use": {"quota": {"rows_per_day": 5}}}, {}),
    ("prediction", {"prediction": {"outcome": "late"}}, {}),
    ("monitors.accuracy.at_least", monitors(accuracy={"at_least": 0.7}), monitors(accuracy={"at_least": 0.6})),
    ("monitors.accuracy", monitors(accuracy={"at_least": 0.7}), {}),
    ("monitors.calibration.at_most", monitors(calibration={"at_most": 0.1}), monitors(calibration={"at_most": 0.2})),
    ("monitors.latency", monitors(latency={"p99_ms": 50}), {}),
    ("monitors.psi_floor", {}, monitors(psi_floor=0.2)),
    ("monitors.harm", {}, monitors(harm=None)),
    ("monitors.harm.tolerance", {}, monitors(harm={"tolerance": 0.5})),
    ("monitors.drift.against", monitors(drift={"against": ["training", "previous"]}), {}),
    ("monitors.drift.together", monitors(drift={"together": True}), {}),
    ("alerts.cooldown", {}, {"alerts": {"cooldown": "2d"}}),
    ("service.availability", {"service": {"availability": 0.999}}, {"service": {"availability": 0.99}}),
    ("service", {"service": {"latency_ms": 50}}, {}),
    ("retraining", {}, itself()),
    ("retraining", retraining(envelope=ENVELOPE), itself(envelope=ENVELOPE)),
    ("retraining.envelope", itself(), itself(envelope=ENVELOPE)),
    ("retraining.envelope.expires", itself(envelope=ENVELOPE), itself(envelope={"expires": "2028-01-01"})),
    ("retraining.accept.no_worse", itself(), itself(accept={"better": {}})),
    ("retraining.accept.better.confidence", itself(), itself(accept={"better": {"confidence": 0.6}, "no_worse": {}})),
    ("retraining.guard.max_per_quarter", itself(), itself(guard={"max_per_quarter": 7})),
    ("retraining.data.holdout_days", itself(), itself(data={"holdout_days": 7})),
]
"""Where it is looser, the tighter file, and the looser one: the way back loosens nothing."""
BOTH_WAYS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("tier", {"tier": "high"}, {"tier": "low"}),
    ("tier", {}, {"tier": "low"}),
    ("action", {}, {"action": "score >= 0.9"}),
    ("value", {"value": "score"}, {"value": "2 * score"}),
    ("use.scoring", {}, {"use": {"scoring": "batch"}}),
    ("use.allow", {"use": {"allow": "request.hour >= 5"}}, {"use": {"allow": "request.hour >= 6"}}),
    ("use.jurisdictions", {"use": {"jurisdictions": ["US"]}}, {"use": {"jurisdictions": ["EU"]}}),
    ("features.age.semantic", feature(semantic="age"), feature(semantic="postal_code")),
    ("features.age.source", feature(source="bureau"), feature(source="form")),
    ("features.age.available", feature(available="after_a"), feature(available="after_b")),
    ("features.age.lookup.table", lookup(), lookup(table="other")),
    ("features.age.range", feature(range=[0, 80]), feature(range=[10, 90])),
    ("use.not_for", {"use": {"not_for": ["crew scheduling"]}}, {"use": {"not_for": ["other"]}}),
    ("prediction.positive", {"prediction": {"outcome": "y"}}, {"prediction": {"outcome": "y", "positive": "no"}}),
    ("monitors.false_alerts_per_year", {}, monitors(false_alerts="1 per year")),
    ("monitors.window_days", {}, monitors(window_days=1)),
    ("monitors.window_hours", {}, monitors(window_hours=1)),
    ("monitors.window_hours", monitors(window_hours=1), monitors(window_hours=12)),
    (
        "monitors.accuracy.metric",
        monitors(accuracy={"at_least": 0.7}),
        monitors(accuracy={"at_least": 0.7, "metric": "f1"}),
    ),
    (
        "monitors.drift.cycles",
        monitors(drift={"against": ["season"]}),
        monitors(drift={"against": ["season"], "cycles": 9}),
    ),
    ("retraining.recipe", itself(), itself(recipe="other")),
    ("approval.steps", steps({"role": "a"}), steps({"role": "b"})),
    ("approval.steps", steps({"role": "a", "people": ["x"]}), steps({"role": "a", "people": ["x", "y"]})),
]
NEITHER: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"purpose": "another sentence", "owner": "you"}),
    ({}, {"features": {"wind": {}}}),
    ({}, {"alerts": {"channels": ["ops"], "escalate": [{"after": "1h", "to": "boss"}]}}),
    (monitors(drift={"cycles": 4}), monitors(drift={"cycles": 5, "season": "day_type"})),
    ({"use": {"not_for": ["Crew scheduling"]}}, {"use": {"not_for": ["crew-scheduling"]}}),
    ({"prediction": {"outcome": "y"}}, {"prediction": {"outcome": "y", "outcome_after_hours": 9}}),
    (lookup(), lookup(cache_seconds=60)),
    ({"protected": ["a", "b"]}, {"protected": ["b", "a"]}),
    (steps({"role": "a"}, {"role": "b"}), steps({"role": "b"}, {"role": "a"})),
    ({}, retraining()),
    (retraining(), retraining(recipe="other", envelope=ENVELOPE, guard={"max_per_quarter": 7})),
    (retraining(), retraining(when=[{"accuracy": {"at_least": 0.9}}])),
    ({"use": {"allow": "request.rows < 9"}}, {"use": {"allow": "(request.rows < 9)"}}),
]


def paths(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [one.path for one in loosening.looser(file(before), file(after))]


@pytest.mark.parametrize(("path", "tight", "loose"), ONE_WAY)
def test_a_rule_is_loosened_one_way_and_tightened_the_other(path: str, tight: Any, loose: Any) -> None:
    assert path in paths(tight, loose)
    assert paths(loose, tight) == []


@pytest.mark.parametrize(("path", "one", "other"), BOTH_WAYS)
def test_what_cannot_be_compared_is_looser_both_ways(path: str, one: Any, other: Any) -> None:
    assert path in paths(one, other)
    assert path in paths(other, one) or path == "tier"


@pytest.mark.parametrize(("one", "other"), NEITHER)
def test_what_describes_or_is_told_otherwise_is_no_rule(one: Any, other: Any) -> None:
    assert paths(one, other) == paths(other, one) == []


def test_a_condition_that_asks_more_is_tighter_however_it_is_written() -> None:
    asked = {"use": {"allow": "request.hour >= 5 || request.channel == 'app'"}}
    more = {"use": {"allow": "request.rows < 9 && (request.hour >= 5 || request.channel == 'app')"}}
    assert paths(asked, more) == []
    assert paths(more, asked) == ["use.allow"]


def test_a_column_by_another_name_leaves_its_rules_behind() -> None:
    assert paths(feature(semantic="age"), {"features": {"alder": {"semantic": "age"}}}) == ["features.age.semantic"]


def test_a_second_step_of_a_role_does_not_hide_that_the_first_lets_others_sign() -> None:
    """Who signs is asked of the first step of a role alone."""
    tight = steps({"role": "a", "people": ["x"]})
    assert paths(tight, steps({"role": "a"}, {"role": "a", "people": ["x"]})) == ["approval.steps"]


def test_every_line_of_a_loosening_is_marked_with_why() -> None:
    old, new = file({"use": {"quota": {"rows_per_day": 5}}, "purpose": "a"}), file({"purpose": "b"})
    found = loosening.looser(old, new)
    marked = {line.partition(":")[0]: loosening.words_for(line, found) for line in model_files.differences(old, new)}
    assert marked["purpose"] == ""
    assert marked["use.quota.rows_per_day"] == "is taken off"


def declared_in(hint: Any) -> set[type[Declared]]:
    found = {hint} if isinstance(hint, type) and issubclass(hint, Declared) else set()
    return found.union(*(declared_in(inner) for inner in get_args(hint)))


def test_every_key_of_the_file_has_a_judge() -> None:
    """A new key that nobody thought of could be loosened unseen."""
    seen: set[type[Declared]] = set()
    waiting: set[type[Declared]] = {ModelFile}
    while waiting:
        kind = waiting.pop()
        seen.add(kind)
        assert set(loosening.JUDGES[kind]) == set(kind.__struct_fields__), kind.__name__
        inner = set().union(*(declared_in(hint) for hint in get_type_hints(kind, include_extras=True).values()))
        waiting |= inner - seen
    assert seen == set(loosening.JUDGES)


WRITTEN = [one for _, *both in (*ONE_WAY, *BOTH_WAYS) for one in both] + [one for both in NEITHER for one in both]
PARTS = st.lists(st.sampled_from([one for one in WRITTEN if one]), max_size=5).map(
    lambda parts: {key: value for part in parts for key, value in part.items()}
)


@given(PARTS)
def test_a_file_is_not_looser_than_itself(declared: dict[str, Any]) -> None:
    assert paths(declared, declared) == []


@given(PARTS, st.sampled_from(ONE_WAY))
def test_tightening_taken_back_is_looser_whatever_stands_beside(
    declared: dict[str, Any], way: tuple[str, dict[str, Any], dict[str, Any]]
) -> None:
    path, tight, loose = way
    key = next(iter({*tight, *loose}))
    rest = {name: value for name, value in declared.items() if name not in {*tight, *loose}}
    if "approval" not in {*tight, *loose} and "promotion" in rest:
        rest |= steps({"role": "a"})
    assert key not in rest
    assert paths({**rest, **loose}, {**rest, **tight}) == []
    assert path in paths({**rest, **tight}, {**rest, **loose})


def rules(draw: Any) -> dict[str, Any]:
    """Rules to add where none stands: of each key some, so that every one of them is tighter than nothing."""
    chosen = draw(st.lists(st.sampled_from(["approval", "use", "features", "protected", "segments", "monitors"])))
    words = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3, unique=True)
    made: dict[str, Any] = {
        "approval": {"steps": [{"role": role} for role in draw(words)]},
        "use": {"jurisdictions": draw(words), "not_for": draw(words), "callers": draw(words)},
        "features": {name: {"semantic": name, "forbidden": {"reason": "r"}, "range": [0, 1]} for name in draw(words)},
        "protected": draw(words),
        "segments": draw(words),
        "monitors": {"latency": {"p99_ms": draw(st.integers(1, 9))}, "accuracy": {"at_least": 0.6}},
    }
    return {key: made[key] for key in chosen}


@given(st.data())
def test_adding_a_rule_is_never_looser_and_taking_it_back_always(data: st.DataObject) -> None:
    added = rules(data.draw)
    standing = {key: value for key, value in rules(data.draw).items() if key not in added}
    assert paths(standing, {**standing, **added}) == []
    back = paths({**standing, **added}, standing)
    assert {path.split(".")[0] for path in back} == set(added) - ({"approval"} & set(standing))


NEAR = [
    sorted((one for one in WRITTEN if set(one) == {key}), key=str)
    for key in sorted({key for one in WRITTEN for key in one})
]
THREE = st.sampled_from([near for near in NEAR if near]).flatmap(
    lambda near: st.tuples(*(st.sampled_from([{}, *near]) for _ in range(3)))
)
"""Three files that differ in one part alone, so that two of them are often comparable."""


@settings(max_examples=1000)
@given(THREE)
def test_two_steps_that_loosen_nothing_loosen_nothing_together(
    way: tuple[dict[str, Any], dict[str, Any], dict[str, Any]],
) -> None:
    """Half-steps lead nowhere: whoever goes from one file to another without loosening could have gone at once."""
    first, second, third = (file(_governed(part)) for part in way)
    if not loosening.looser(first, second) and not loosening.looser(second, third):
        assert loosening.looser(first, third) == []


def _governed(declared: dict[str, Any]) -> dict[str, Any]:
    return {**steps({"role": "a"}), **declared}
