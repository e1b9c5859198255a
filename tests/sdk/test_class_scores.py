"""Choices between classes as counts: each class, the rest together, and what was said."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from tenure.errors import InvalidInput
from tenure.sdk import class_scores
from tenure.sdk.baselines import profile_of
from tenure.sdk.class_scores import Chosen

RNG = np.random.default_rng(8)
ROWS = 400
MANY = [f"kind {place}" for place in range(30)]
CHANCES = RNG.dirichlet(np.linspace(1, 3, 30), ROWS)
TABLE = {"a": range(ROWS)}


def test_a_few_classes_are_counted_by_themselves_and_what_was_said_by_name() -> None:
    chances = RNG.dirichlet([1, 2, 3], ROWS)
    made = profile_of(TABLE, score=chances, classes=["red", "green", "blue"])
    assert [one.name for one in made.classes] == made.class_names == ["red", "green", "blue"]
    assert made.said is not None
    assert made.said.levels == made.class_names
    assert made.said.counts == np.bincount(np.argmax(chances, axis=1), minlength=3).tolist()


def test_of_many_classes_the_rest_are_counted_together() -> None:
    truth = RNG.integers(0, 30, ROWS)
    made = profile_of(TABLE, [MANY[place] for place in truth], CHANCES, classes=MANY)
    shown = [one.name for one in made.classes[:-1]]
    most = sorted(np.argsort(-CHANCES.mean(axis=0), kind="stable")[: class_scores.MOST_CLASSES - 1].tolist())
    assert (len(made.classes), shown) == (class_scores.MOST_CLASSES, [MANY[place] for place in most])
    rest = made.classes[-1]
    others = [place for place in range(30) if place not in most]
    assert rest.name == class_scores.REST
    assert rest.score.mean == pytest.approx(CHANCES[:, others].sum(axis=1).mean())
    said = np.argmax(CHANCES, axis=1)
    assert rest.said == int(np.isin(said, others).sum())
    assert rest.said_where[-1] == int((np.isin(said, others) & np.isin(truth, others)).sum())
    assert rest.score_where_true.n == int(np.isin(truth, others).sum())
    assert sum(one.said for one in made.classes) == ROWS
    assert made.said is not None
    assert made.said.counts == np.bincount(said, minlength=30).tolist()


def test_a_row_with_a_missing_chance_says_no_class() -> None:
    chances = RNG.dirichlet([1, 1, 1], 4)
    chances[1, 2] = np.nan
    made = profile_of({"a": range(4)}, score=chances)
    assert made.said is not None
    assert (made.said.null_count, sum(made.said.counts)) == (1, 3)
    assert made.classes[2].score.null_count == 1


def test_answers_without_chances_are_counted_by_what_was_said() -> None:
    made = profile_of({"a": range(3)}, score=["b", "a", "b"], outcome="multiclass")
    assert (made.class_names, made.score, made.classes) == (["a", "b"], None, [])
    assert made.said is not None
    assert made.said.counts == [1, 2]
    named = profile_of({"a": range(3)}, score=["b", "a", "b"], classes=["a", "b", "c"])
    assert (named.outcome, named.class_names) == ("multiclass", ["a", "b", "c"])
    with pytest.raises(InvalidInput, match="must name the classes a, b"):
        profile_of({"a": range(3)}, score=["b", "a", "z"], outcome="multiclass", classes=["a", "b"])


def test_a_yes_or_no_may_have_names() -> None:
    y, score = ["yes", "no", "yes", None], [0.9, 0.2, 0.7, 0.5]
    made = profile_of({"a": range(4)}, y, score, classes=["no", "yes"])
    assert (made.outcome, made.class_names) == ("binary", ["no", "yes"])
    assert made.judged is not None
    assert (made.judged.rows, made.judged.positives, made.judged.roc_auc) == (3, 2, 1.0)
    with pytest.raises(InvalidInput, match="name 0 and then 1"):
        profile_of({"a": range(4)}, y, score, classes=["yes"])
    with pytest.raises(InvalidInput, match="must name the classes no, yes"):
        profile_of({"a": range(4)}, ["ja", "no", "yes", None], score, classes=["no", "yes"])


def test_a_window_is_counted_as_its_baseline_was() -> None:
    baseline = profile_of(TABLE, score=CHANCES, classes=MANY)
    said = [MANY[place] for place in np.argmax(CHANCES, axis=1)]
    told = class_scores.like(baseline, Chosen(CHANCES, said), np.full(ROWS, np.nan), ROWS)
    assert told["said"] == baseline.said
    assert [one.score.counts for one in told["classes"]] == [one.score.counts for one in baseline.classes]
    assert [one.said for one in told["classes"]] == [one.said for one in baseline.classes]
    assert told["score"].counts == baseline.score.counts  # type: ignore[union-attr]


def test_chances_of_another_number_of_classes_are_missing_and_an_unknown_name_is_new() -> None:
    baseline = profile_of(TABLE, score=CHANCES, classes=MANY)
    told = class_scores.like(
        baseline, Chosen(CHANCES[:, :3], ["kind 1"] * 399 + ["kind 77"]), np.full(ROWS, np.nan), ROWS
    )
    assert told["classes"][0].score.null_count == ROWS
    assert (told["said"].new_count, told["said"].counts[1]) == (1, 399)


def test_a_baseline_of_an_earlier_release_tells_what_was_said_by_its_classes() -> None:
    made = profile_of(TABLE, score=CHANCES[:, :3] / CHANCES[:, :3].sum(axis=1, keepdims=True))
    before = msgspec.structs.replace(made, said=None, class_names=[])
    assert class_scores.names_of(before) == ["0", "1", "2"]
    assert class_scores.said_of(before) == made.said
