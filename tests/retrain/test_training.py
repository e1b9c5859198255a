"""What a training job computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tenure.errors import InvalidInput
from tenure.records.routing import InputColumn
from tenure.retrain import training
from tenure.sdk.baselines import profile_of

INPUTS = [InputColumn(name="carrier", type="string"), InputColumn(name="distance", type="double")]
CONTEXT = {"features": ["carrier", "distance"]}


def make_rows(n: int = 1000, seed: int = 1) -> tuple[pd.DataFrame, training.Floats]:
    """`distance` decides, `carrier` says nothing."""
    rng = np.random.default_rng(seed)
    distance = rng.normal(0, 1, n)
    y = (rng.random(n) < 1 / (1 + np.exp(-2 * distance))).astype(float)
    columns = {"carrier": rng.choice(["AA", "UA", "DL"], n).tolist(), "distance": distance.tolist()}
    return training.frame_of(columns, INPUTS), y


def fitted(n: int = 1000) -> training.Fitted:
    from .recipes import fit

    rows, y = make_rows(n)
    return training.fit(fit, rows, y, np.arange(n) >= n * 7 // 10, CONTEXT)


def test_a_recipe_is_found_by_module_and_function() -> None:
    assert training.load_recipe("tests.retrain.recipes:fit").__name__ == "fit"


@pytest.mark.parametrize(
    "target", ["tests.retrain.recipes:none", "no.such.module:fit", "tests.retrain.recipes:not_a_function"]
)
def test_what_is_no_recipe_is_refused(target: str) -> None:
    with pytest.raises(InvalidInput, match="recipe"):
        training.load_recipe(target)


def test_rows_get_the_types_that_a_scorer_gives() -> None:
    kinds = {"a": "double", "b": "long", "c": "string", "d": "boolean", "e": "datetime", "f": "long"}
    inputs = [InputColumn(name=name, type=kind) for name, kind in kinds.items()]
    columns: dict[str, list[Any]] = {
        "a": [1, float("nan")],
        "b": [1.0, 2.0],
        "c": ["x", None],
        "d": [True, False],
        "e": ["2013-01-01T05:00:00Z", None],
        "f": [1.0, float("nan")],
    }
    table = training.frame_of(columns, inputs)
    assert [kind.kind for kind in table.dtypes] == ["f", "i", "O", "b", "M", "f"]
    assert (table["c"][0], table["c"].isna().tolist()) == ("x", [False, True])
    assert table["a"].isna().tolist() == [False, True]


def test_the_held_out_rows_are_not_trained_on_and_judge() -> None:
    done = fitted()
    assert (len(done.training), len(done.holdout)) == (700, 300)
    assert done.holdout_score.shape == (300,)
    assert 0 <= done.holdout_score.min() <= done.holdout_score.max() <= 1
    assert done.predict_us_per_row > 0


@pytest.mark.parametrize("held", [0.0, 0.9, 1.0])
def test_too_few_rows_to_train_on_or_to_judge_by_are_refused(held: float) -> None:
    rows, y = make_rows()
    with pytest.raises(InvalidInput, match="at least 200 matured rows"):
        training.fit(lambda *_: None, rows, y, np.arange(1000) < 1000 * held, CONTEXT)


def test_a_recipe_must_give_a_classifier() -> None:
    rows, y = make_rows()
    with pytest.raises(InvalidInput, match="predict_proba"):
        training.fit(lambda *_: object(), rows, y, np.arange(1000) < 500, CONTEXT)


def test_importance_is_what_is_lost_when_a_column_is_shuffled() -> None:
    done = fitted(3000)
    found = training.importances(done.estimator, done.holdout, done.holdout_y)
    assert list(found) == ["distance", "carrier"]
    assert found["distance"] > 0.2
    assert abs(found["carrier"]) < 0.02


def test_calibration_is_told_in_tenths_by_score() -> None:
    score = np.linspace(0, 1, 100)
    y = (np.arange(100) % 2).astype(float)
    bins = training.calibration(y, score)
    assert len(bins) == 10
    assert [part.rows for part in bins] == [10] * 10
    assert bins[0].mean_score == pytest.approx(score[:10].mean())
    assert bins[0].event_rate == 0.5


def test_segments_tell_both_versions_by_level_where_there_are_rows_enough() -> None:
    rows = pd.DataFrame({"carrier": ["AA"] * 300 + ["UA"] * 100, "many": [str(k) for k in range(400)]}, dtype=object)
    y = np.tile([0.0, 1.0], 200)
    found = training.segments(rows, y, np.full(400, 0.5), y)
    assert [(one.column, one.level, one.rows) for one in found] == [("carrier", "AA", 300), ("carrier", "UA", 100)]
    assert (found[0].champion_roc_auc, found[0].challenger_roc_auc) == (0.5, 1.0)
    assert found[1].champion_roc_auc is None


def test_shift_names_the_column_that_moved_first() -> None:
    rows, _ = make_rows(2000, seed=1)
    after, _ = make_rows(2000, seed=2)
    after["distance"] += 1.0
    found = training.shift(profile_of(rows), after)
    assert [one.column for one in found] == ["distance", "carrier"]
    assert found[0].psi > 0.5
    assert abs(found[1].psi_excess) < 0.02
