"""What a training job computes: the fit, and what can be said of it before anybody relies on it.

This runs in a job's own process, where pandas and scikit-learn may be imported.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from tenure.errors import InvalidInput
from tenure.monitor import profiling
from tenure.records.profiles import Profile
from tenure.records.retraining import CalibrationBin, SegmentFigures, ShiftOfColumn
from tenure.records.routing import InputColumn
from tenure.stats import accuracy, distances, drift_table

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Recipe = Callable[["pd.DataFrame", dict[str, Any]], Any]
FEWEST_ROWS = 200
"""Fewer rows to train on, or to judge by, are refused: nothing could be told from them."""
IMPORTANCE_ROWS = 2_000
SEGMENT_LEVELS = 12
SEGMENT_COLUMNS = 3
SEED = 20_130_101


class Fitted(NamedTuple):
    estimator: Any
    training: pd.DataFrame
    training_y: Floats
    training_score: Floats
    holdout: pd.DataFrame
    holdout_y: Floats
    holdout_score: Floats
    fit_seconds: float
    predict_us_per_row: float


def load_recipe(target: str) -> Recipe:
    """The function of (rows, context) named by `module:function`. Raises InvalidInput when there is none."""
    module, _, name = target.partition(":")
    try:
        recipe = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as problem:
        raise InvalidInput(
            f"The recipe must name a function that can be imported as MODULE:FUNCTION. Got {target!r}: {problem}."
        ) from None
    if not callable(recipe):
        raise InvalidInput(f"The recipe {target!r} must be a function of (rows, context). It cannot be called.")
    return cast(Recipe, recipe)


def frame_of(columns: Mapping[str, Sequence[Any]], inputs: Sequence[InputColumn]) -> pd.DataFrame:
    """Columns as they were journaled, as a table of the types that a scorer gives to the champion's signature.

    So what is trained on is made the same way as what will be scored. NaN and None are missing.
    """
    import pandas as pd

    from tenure.serving.runtimes.series import SERIES

    table = {}
    for column in inputs:
        values = [None if pd.isna(value) else value for value in columns[column.name]]
        table[column.name] = SERIES.get(column.type, pd.Series)(values)
    return pd.DataFrame(table)


def fit(
    recipe: Recipe, features: pd.DataFrame, y: Floats, held_out: NDArray[np.bool_], context: dict[str, Any]
) -> Fitted:
    """Train on the rows that are not held out, and score both parts. Raises InvalidInput when there is too little."""
    training, training_y = features[~held_out].reset_index(drop=True), y[~held_out]
    holdout, holdout_y = features[held_out].reset_index(drop=True), y[held_out]
    _check_enough("train on", training_y)
    _check_enough("hold out", holdout_y)
    began = time.perf_counter()
    estimator = recipe(training.assign(y=training_y), context)
    fitted = time.perf_counter()
    if not hasattr(estimator, "predict_proba"):
        raise InvalidInput(
            f"A recipe must return a fitted classifier with predict_proba. Got {type(estimator).__name__}."
        )
    holdout_score = scores_of(estimator, holdout)
    scored = time.perf_counter()
    return Fitted(
        estimator=estimator,
        training=training,
        training_y=training_y,
        training_score=scores_of(estimator, training),
        holdout=holdout,
        holdout_y=holdout_y,
        holdout_score=holdout_score,
        fit_seconds=fitted - began,
        predict_us_per_row=(scored - fitted) * 1e6 / len(holdout_y),
    )


def scores_of(estimator: Any, features: pd.DataFrame) -> Floats:
    """The chance of the positive outcome for each row, shape (n,)."""
    return np.asarray(estimator.predict_proba(features), dtype=np.float64)[:, 1]


def _check_enough(what_for: str, y: Floats) -> None:
    events = int(y.sum())
    if len(y) < FEWEST_ROWS or events == 0 or events == len(y):
        raise InvalidInput(
            f"There must be at least {FEWEST_ROWS} matured rows with both outcomes to {what_for}. "
            f"Got {len(y)} rows, {events} of them positive. Widen `retraining.data` in the model's file."
        )


def calibration(y: Floats, score: Floats, bins: int = 10) -> list[CalibrationBin]:
    """Tenths of the rows by score: what was said against what happened. Rows with equal scores may be parted."""
    order = np.argsort(score, kind="stable")
    return [
        CalibrationBin(rows=len(part), mean_score=float(score[part].mean()), event_rate=float(y[part].mean()))
        for part in np.array_split(order, bins)
        if len(part)
    ]


def segments(features: pd.DataFrame, y: Floats, champion: Floats, challenger: Floats) -> list[SegmentFigures]:
    """ROC AUC of both by the levels of the first few text columns that have few levels."""
    found = []
    few = [name for name in features if features[name].dtype == object and features[name].nunique() <= SEGMENT_LEVELS]
    for name in few[:SEGMENT_COLUMNS]:
        for level in sorted(features[name].dropna().unique(), key=str):
            chosen = (features[name] == level).to_numpy()
            both = int(chosen.sum()) >= FEWEST_ROWS
            found.append(
                SegmentFigures(
                    column=str(name),
                    level=str(level),
                    rows=int(chosen.sum()),
                    champion_roc_auc=accuracy.roc_auc(y[chosen], champion[chosen]) if both else None,
                    challenger_roc_auc=accuracy.roc_auc(y[chosen], challenger[chosen]) if both else None,
                )
            )
    return found


def importances(estimator: Any, holdout: pd.DataFrame, y: Floats) -> dict[str, float]:
    """How much ROC AUC is lost when a column is shuffled once, on at most 2,000 holdout rows; greatest first.

    Source: Breiman (2001), "Random forests", section 10; Fisher, Rudin & Dominici (2019).
    """
    rng = np.random.default_rng(SEED)
    rows = rng.permutation(len(y))[:IMPORTANCE_ROWS]
    table, truth = holdout.iloc[rows].reset_index(drop=True), y[rows]
    whole = accuracy.roc_auc(truth, scores_of(estimator, table))
    if whole is None:
        return {}
    lost = {}
    for name in table:
        shuffled = table.assign(**{str(name): table[name].to_numpy()[rng.permutation(len(truth))]})
        lost[str(name)] = whole - (accuracy.roc_auc(truth, scores_of(estimator, shuffled)) or 0.0)
    return dict(sorted(lost.items(), key=lambda item: -item[1]))


def shift(before: Profile, training: pd.DataFrame) -> list[ShiftOfColumn]:
    """How far each column of the new training data lies from what the champion was trained on; farthest first.

    The new rows are counted in the champion's own bins. `psi_excess` is the PSI less what sampling alone gives.
    """
    found = []
    for name, column in before.columns.items():
        if name in training:
            test = distances.psi_test(
                *drift_table.bins_of(column, profiling.column_like(column, training[name].to_numpy()))
            )
            found.append(ShiftOfColumn(column=name, psi=test.psi, psi_excess=test.excess))
    return sorted(found, key=lambda one: -one.psi)
