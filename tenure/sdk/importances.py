"""What each column is worth to a fitted model: by permutation, else by the model's own word."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

import msgspec

from tenure.records.features import Importance, ImportanceMethod

CONFIDENCE = 0.95
CORRELATED = (
    "Features that tell the same share their importance: shuffling one leaves the other in place, so each looks less "
    "important than both are together."
)
DIVIDED = "Features that tell the same divide their importance between them, as the fit happened to divide it."

Importances = tuple[dict[str, Importance], ImportanceMethod | None, str]


def importances_of(estimator: Any, sample: Any, y: Any, repeats: int, seed: int, scoring: str | None) -> Importances:
    """Importances by column, how they were found, and what a reader must know about them."""
    try:
        if y is not None:
            return _by_permutation(estimator, sample, y, repeats, seed, scoring)
        return _by_model(estimator, sample)
    except Exception as problem:
        return {}, None, f"Importance could not be measured ({type(problem).__name__}: {str(problem)[:300]})."


def _by_permutation(estimator: Any, sample: Any, y: Any, repeats: int, seed: int, scoring: str | None) -> Importances:
    from sklearn.inspection import permutation_importance
    from sklearn.metrics import get_scorer

    chosen = scoring or _scoring(estimator, y)
    found = permutation_importance(estimator, sample, y, scoring=chosen, n_repeats=repeats, random_state=seed, n_jobs=1)
    method = ImportanceMethod(
        name="permutation",
        scoring=chosen,
        rows=len(sample),
        repeats=repeats,
        seed=seed,
        confidence=CONFIDENCE,
        score=_finite(float(get_scorer(chosen)(estimator, sample, y))),
    )
    values = {str(column): _importance(drops) for column, drops in zip(sample.columns, found.importances, strict=True)}
    return {name: value for name, value in values.items() if value is not None}, method, CORRELATED


def _scoring(estimator: Any, y: Any) -> str:
    from sklearn.base import is_classifier

    if not is_classifier(estimator):
        return "r2"
    if not hasattr(estimator, "predict_proba"):
        return "accuracy"
    return "roc_auc" if len(set(y.tolist())) == 2 else "neg_log_loss"


def _importance(drops: Sequence[float]) -> Importance | None:
    from tenure.stats.intervals import mean_interval

    mean = statistics.fmean(drops)
    if not math.isfinite(mean):
        return None
    bounds = mean_interval(list(drops), CONFIDENCE)
    return Importance(value=mean, low=bounds.low, high=bounds.high)


def _by_model(estimator: Any, sample: Any) -> Importances:
    """The model's own word, summed over what each column becomes in the pipeline."""
    import numpy as np

    stages = [stage for _, stage in getattr(estimator, "steps", [("model", estimator)])]
    model, front = stages[-1], estimator[:-1] if len(stages) > 1 else None
    table = sample if front is None else front.transform(sample)
    names = [str(name) for name in (sample.columns if front is None else front.get_feature_names_out())]
    if hasattr(model, "feature_importances_"):
        worth, method = np.asarray(model.feature_importances_, dtype=float), ImportanceMethod(name="impurity")
    elif hasattr(model, "coef_"):
        dense = table.toarray() if hasattr(table, "toarray") else np.asarray(table, dtype=float)
        worth = np.abs(np.atleast_2d(model.coef_)).mean(axis=0) * dense.std(axis=0)
        method = ImportanceMethod(name="coefficients")
    else:
        return {}, None, "Importance was not measured: give y, as the model tells none of its own."
    sums: dict[str, float] = {}
    for name, value in zip(names, worth.tolist(), strict=True):
        column = _made_of(name, [str(one) for one in sample.columns])
        if column is None:
            return {}, None, f"Importance was not measured: nobody can tell of which column {name!r} is made. Give y."
        sums[column] = sums.get(column, 0.0) + value
    found = {name: Importance(value=value) for name, value in sums.items() if math.isfinite(value)}
    return found, msgspec.structs.replace(method, rows=len(sample)), DIVIDED


def _made_of(name: str, columns: list[str]) -> str | None:
    """The column that a derived one was made of, by scikit-learn's way of naming: `encoder__carrier_UA`."""
    inner = name.partition("__")[2] or name
    known = [column for column in columns if inner == column or inner.startswith(f"{column}_")]
    return max(known, key=len, default=None)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
