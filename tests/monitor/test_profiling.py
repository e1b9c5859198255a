"""Profiles are the same to the last byte however the rows are split over files, hours and machines."""

from __future__ import annotations

import datetime as dt

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure.errors import InvalidInput
from tenure.monitor import profiling
from tenure.records.profiles import NumericProfile, Profile
from tenure.sdk.baselines import profile_of
from tenure.sdk.class_scores import Chosen

ROWS = 400
RNG = np.random.default_rng(7)
COLUMNS = {
    "number": RNG.lognormal(0, 2, ROWS),
    "gaps": np.where(RNG.random(ROWS) < 0.1, np.nan, RNG.normal(size=ROWS)),
    "whole": RNG.integers(0, 5, ROWS),
    "yes": RNG.random(ROWS) < 0.3,
    "level": RNG.choice(np.array(["a", "b", "c", None], dtype=object), ROWS),
    "empty": np.full(ROWS, None),
    "note": np.array([f"note {row}: {'x' * (row % 17)}!" for row in range(ROWS)], dtype=object),
    "at": np.array([np.datetime64("2013-01-01") + np.timedelta64(row * 7, "h") for row in range(ROWS)]),
}
SCORE = RNG.beta(2, 3, ROWS)
Y = np.where(RNG.random(ROWS) < 0.2, np.nan, (RNG.random(ROWS) < SCORE).astype(float))


def baseline_of(outcome: str) -> Profile:
    if outcome == "none":
        return profile_of(COLUMNS)
    y = SCORE + RNG.normal(size=ROWS) if outcome == "regression" else Y
    return profile_of(COLUMNS, y, SCORE, outcome=outcome)  # type: ignore[arg-type]


BASELINES = {outcome: baseline_of(outcome) for outcome in ("binary", "ranking", "regression", "none")}


def part_of(baseline: Profile, rows: np.ndarray) -> Profile:
    return profiling.profile_like(baseline, {n: c[rows] for n, c in COLUMNS.items()}, SCORE[rows], Y[rows])


@settings(max_examples=15, deadline=None)
@given(data=st.data(), outcome=st.sampled_from(sorted(BASELINES)), seed=st.integers(0, 100))
def test_any_split_of_the_rows_gives_the_same_bytes(data: st.DataObject, outcome: str, seed: int) -> None:
    baseline = BASELINES[outcome]
    rows = np.random.default_rng(seed).permutation(ROWS)
    places = sorted(data.draw(st.lists(st.integers(0, ROWS), max_size=4)))
    parts = data.draw(st.permutations([part_of(baseline, part) for part in np.split(rows, places)]))
    stored = [msgspec.json.decode(msgspec.json.encode(part), type=Profile) for part in parts]
    whole = part_of(baseline, np.arange(ROWS))
    assert msgspec.json.encode(profiling.merge(stored)) == msgspec.json.encode(whole)


@pytest.mark.parametrize("outcome", sorted(BASELINES))
def test_a_table_in_its_own_bins_is_its_baseline(outcome: str) -> None:
    baseline = BASELINES[outcome]
    assert part_of(baseline, np.arange(ROWS)).columns == baseline.columns


CHANCES = np.random.default_rng(9).dirichlet(np.linspace(0.5, 3, 15), ROWS)
CLASSES = [f"kind {place}" for place in range(15)]
SAID = np.array(CLASSES, dtype=object)[np.argmax(CHANCES, axis=1)]


def of_classes(baseline: Profile, rows: np.ndarray) -> Profile:
    chosen = Chosen(CHANCES[rows], SAID[rows])
    truth = np.where(rows % 3 == 0, np.nan, rows % 15)
    return profiling.profile_like(baseline, {"text": COLUMNS["level"][rows]}, SCORE[rows], truth, chosen)


@settings(max_examples=15, deadline=None)
@given(data=st.data(), seed=st.integers(0, 100))
def test_any_split_of_choices_between_classes_gives_the_same_bytes(data: st.DataObject, seed: int) -> None:
    baseline = profile_of({"text": COLUMNS["level"]}, score=CHANCES, classes=CLASSES)
    rows = np.random.default_rng(seed).permutation(ROWS)
    places = sorted(data.draw(st.lists(st.integers(0, ROWS), max_size=4)))
    parts = [of_classes(baseline, part) for part in np.split(rows, places)]
    stored = [
        msgspec.json.decode(msgspec.json.encode(part), type=Profile) for part in data.draw(st.permutations(parts))
    ]
    whole = of_classes(baseline, np.arange(ROWS))
    assert msgspec.json.encode(profiling.merge(stored)) == msgspec.json.encode(whole)
    assert len(whole.classes) == 12


def test_a_window_in_which_no_classes_were_counted_leaves_them_unknown() -> None:
    baseline = profile_of({"text": COLUMNS["level"]}, score=CHANCES, classes=CLASSES)
    whole = of_classes(baseline, np.arange(ROWS))
    before = msgspec.structs.replace(whole, classes=[], said=None)
    merged = profiling.merge([whole, before])
    assert (merged.classes, merged.said, merged.rows) == ([], None, 2 * ROWS)


def test_classes_merge_too() -> None:
    chances = np.random.default_rng(3).dirichlet([1, 2, 3], 300)
    said = np.array(["red", "green", "blue"])[np.argmax(chances, axis=1)]
    whole = profile_of({"a": range(300)}, said, chances, classes=["red", "green", "blue"])
    assert whole.outcome == "multiclass"
    assert [one.said for one in whole.classes] == [int((said == name).sum()) for name in ("red", "green", "blue")]
    assert [one.said_where[place] for place, one in enumerate(whole.classes)] == [one.said for one in whole.classes]
    twice = profiling.merge([whole, whole])
    assert [one.said for one in twice.classes] == [2 * one.said for one in whole.classes]
    assert twice.classes[0].score.mean == whole.classes[0].score.mean


def test_what_was_not_counted_alike_is_not_added_up() -> None:
    other = profile_of({name: column for name, column in COLUMNS.items() if name != "number"})
    with pytest.raises(InvalidInput, match="same columns"):
        profiling.merge([BASELINES["none"], other])
    shifted = profile_of({**COLUMNS, "number": COLUMNS["number"] + 1})
    with pytest.raises(InvalidInput, match="same bins"):
        profiling.merge([BASELINES["none"], shifted])


def test_a_column_whose_type_changed_is_counted_and_told() -> None:
    changed = {**COLUMNS, "number": np.array([str(value) for value in COLUMNS["number"]], dtype=object)}
    seen = profiling.profile_like(BASELINES["none"], changed, SCORE, Y).columns["number"]
    assert isinstance(seen, NumericProfile)
    assert (seen.n, seen.null_count, seen.wrong_type_count) == (0, ROWS, ROWS)


def test_another_unit_is_outside_of_what_was_expected() -> None:
    metres = {**COLUMNS, "gaps": COLUMNS["gaps"] * 1000}
    seen = profiling.profile_like(BASELINES["none"], metres, SCORE, Y).columns["gaps"]
    assert isinstance(seen, NumericProfile)
    assert seen.outside_count > 0.95 * seen.n


def test_moments_and_texts_are_told_by_their_measures_and_iso_texts_are_the_same_moments() -> None:
    columns = BASELINES["none"].columns
    assert [name for name in columns if " · " in name] == [
        *(f"note · {measure}" for measure in ("length", "words", "letters", "digits", "marks")),
        "at · moment",
        "at · hour of week",
    ]
    assert BASELINES["none"].names() == set(COLUMNS)
    as_text = {**COLUMNS, "at": [dt.datetime(2013, 1, 1) + dt.timedelta(hours=row * 7) for row in range(ROWS)]}
    as_text["at"] = np.array([moment.isoformat() + "Z" for moment in as_text["at"]], dtype=object)
    seen = profiling.profile_like(BASELINES["none"], as_text, SCORE, Y)
    assert seen.columns["at · moment"] == columns["at · moment"]
    assert "note 3" not in msgspec.json.encode(BASELINES["none"]).decode()
