"""How well some columns together predict another one: whether they stand in for what nobody may use.

A gradient-boosted model is judged out of fold, fold by fold, so that no row is predicted by a model that has seen it
and no two models' scores are compared. Needs scikit-learn, which only processes of their own load.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from tenure.stats.accuracy import roc_auc, roc_auc_interval, roc_auc_within
from tenure.stats.intervals import z_of

FOLDS = 5
MIN_GROUP = 50
MIN_NUMBERS = 200
MOST_ROWS = 50_000
MOST_LEVELS = 250
FEW_VALUES = 10
LEAF = 20
Column = npt.NDArray[Any]


class Association(NamedTuple):
    """How closely one column goes with the attribute, 0–1."""

    name: str
    measure: str
    value: float


class Proxy(NamedTuple):
    """`auc`: 0.5 is guessing, 1 an exact stand-in; `low` and `high` bound it at the confidence that was asked for.

    `measure`: roc_auc for two groups; roc_auc_weighted for more, each against the rest, weighted by its share;
    concordance for numbers, the chance that of two rows the higher one is predicted higher. `left_out`: rows without
    the attribute, and of groups below MIN_GROUP. `alone`: each column by itself, the strongest first.
    """

    measure: str
    auc: float
    low: float
    high: float
    rows: int
    left_out: int
    groups: dict[str, int]
    alone: list[Association]


def proxy(columns: Mapping[str, Column], attribute: Column, *, seed: int = 0, confidence: float = 0.95) -> Proxy:
    """How well columns together predict an attribute.

    Parameters
    ----------
    columns
        By name, shape (n,): float64 (NaN is missing) or objects (texts; None is missing).
    attribute
        Shape (n,). Floats with more than FEW_VALUES different values are numbers, everything else groups.

    Raises
    ------
    ValueError
        Fewer than two groups of MIN_GROUP rows, or fewer than MIN_NUMBERS numbers: nothing could be told from them.

    Source: Friedman (2001) for the model; DeLong et al. (1988) and Janes & Pepe (2008) for the AUC within folds; Hand &
    Till (2001) for several groups; Kendall (1938) and Fieller, Hartley & Pearson (1957) for concordance.
    """
    if not columns:
        raise ValueError("There must be at least one column. There was none.")
    import sklearn.ensemble  # noqa: F401  first, since only threads of what is loaded are limited
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # where the machine does other work, threads that wait for each other take far longer
        return _proxy(columns, attribute, seed, confidence)


def _proxy(columns: Mapping[str, Column], attribute: Column, seed: int, confidence: float) -> Proxy:
    if attribute.dtype.kind == "f" and len(np.unique(attribute[~np.isnan(attribute)])) > FEW_VALUES:
        return _of_numbers(columns, attribute, seed, confidence)
    return _of_groups(columns, _texts(attribute), seed, confidence)


def _of_groups(columns: Mapping[str, Column], groups: Column, seed: int, confidence: float) -> Proxy:
    names, counts = np.unique(groups[groups != ""], return_counts=True)
    kept = {str(name): int(count) for name, count in zip(names, counts, strict=True) if count >= MIN_GROUP}
    if len(kept) < 2:
        told = ", ".join(f"{name}: {count}" for name, count in zip(names, counts, strict=True)) or "none"
        raise ValueError(f"There must be two groups of at least {MIN_GROUP} rows to be told apart. Got {told}.")
    rows = _sampled(np.flatnonzero(np.isin(groups, list(kept))), seed)
    used = {name: values[rows] for name, values in columns.items()}
    y, order = groups[rows], sorted(kept)
    chances, fold = _chances(_table(used), y, order, seed)
    if len(order) == 2:
        auc, low, high = _auc(y == order[1], chances[:, 1], fold, confidence)
    else:
        auc, low, high = _weighted(y, order, chances, fold, confidence)
    measure = "roc_auc" if len(order) == 2 else "roc_auc_weighted"
    alone = [_with_groups(name, values, y, order) for name, values in used.items()]
    counted = {name: int(np.count_nonzero(y == name)) for name in order}
    return Proxy(measure, auc, low, high, len(rows), len(groups) - len(rows), counted, _ranked(alone))


def _of_numbers(columns: Mapping[str, Column], numbers: Column, seed: int, confidence: float) -> Proxy:
    there = np.flatnonzero(np.isfinite(numbers))
    if len(there) < MIN_NUMBERS:
        raise ValueError(f"There must be at least {MIN_NUMBERS} rows with a number. Got {len(there)}.")
    rows = _sampled(there, seed)
    used = {name: values[rows] for name, values in columns.items()}
    y = numbers[rows]
    guessed, fold = _guesses(_table(used), y, seed)
    taus = [_tau(y[fold == one], guessed[fold == one]) for one in range(FOLDS)]
    tau = float(np.mean(taus))
    reach = z_of(confidence) * math.sqrt(_dependence((1 + tau) / 2) * 0.437 / (len(rows) - 4 * FOLDS))
    low, high = (math.tanh(math.atanh(max(min(tau, 0.999999), -0.999999)) + side * reach) for side in (-1, 1))
    alone = [_with_numbers(name, values, y) for name, values in used.items()]
    auc, bottom, top = ((1 + value) / 2 for value in (tau, low, high))
    return Proxy("concordance", auc, bottom, top, len(rows), len(numbers) - len(rows), {}, _ranked(alone))


def _chances(table: _Table, y: Column, order: list[str], seed: int) -> tuple[npt.NDArray[np.float64], Column]:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold

    chances, fold = np.zeros((len(y), len(order))), np.zeros(len(y), np.int64)
    parts = StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(table.values, y)
    for number, (train, test) in enumerate(parts):
        model = HistGradientBoostingClassifier(**_how(table, seed)).fit(table.values[train], y[train])
        chances[test] = model.predict_proba(table.values[test])  # columns in the order of the sorted names
        fold[test] = number
    return chances, fold


def _guesses(table: _Table, y: Column, seed: int) -> tuple[Column, Column]:
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.model_selection import KFold

    ranks = stats.rankdata(y) / len(y)
    guessed, fold = np.zeros(len(y)), np.zeros(len(y), np.int64)
    for number, (train, test) in enumerate(KFold(FOLDS, shuffle=True, random_state=seed).split(table.values)):
        model = HistGradientBoostingRegressor(**_how(table, seed)).fit(table.values[train], ranks[train])
        guessed[test] = model.predict(table.values[test])
        fold[test] = number
    return guessed, fold


class _Table(NamedTuple):
    """Columns as floats, NaN for what is missing; `is_grouped` says which hold numbers of groups."""

    values: npt.NDArray[np.float64]
    is_grouped: list[bool]


def _table(columns: Mapping[str, Column]) -> _Table:
    """Of a column of texts the most frequent levels keep a number each, the rest counts as missing.

    A column with fewer values than a leaf must hold tells the model nothing, and could lack them all in one fold.
    """
    made = [(_floats(values), values.dtype.kind != "f") for values in columns.values()]
    kept = [(values, grouped) for values, grouped in made if np.count_nonzero(~np.isnan(values)) >= LEAF]
    kept = kept or [(np.zeros(len(made[0][0])), False)]
    return _Table(np.column_stack([values for values, _ in kept]), [grouped for _, grouped in kept])


def _floats(values: Column) -> npt.NDArray[np.float64]:
    if values.dtype.kind != "f":
        return _numbered(values)
    return np.where(np.isfinite(values), values, np.nan).astype(np.float64)


def _numbered(values: Column) -> npt.NDArray[np.float64]:
    levels, at, counts = np.unique(_texts(values), return_inverse=True, return_counts=True)
    rank = np.empty(len(levels))
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(levels))
    rank[(rank >= MOST_LEVELS) | (levels == "")] = np.nan
    return np.asarray(rank[at], np.float64)


def _how(table: _Table, seed: int) -> dict[str, Any]:
    return {
        "max_iter": 60,
        "max_leaf_nodes": 15,
        "min_samples_leaf": LEAF,
        "l2_regularization": 1.0,
        "early_stopping": False,
        "categorical_features": table.is_grouped if any(table.is_grouped) else None,
        "random_state": seed,
    }


def _auc(truth: Column, score: Column, fold: Column, confidence: float) -> tuple[float, float, float]:
    """Value and bounds of the AUC within folds. Where every fold separates, the pooled one's bounds count, which know
    how few rows may have shown that."""
    within = roc_auc_within(truth.astype(np.float64), score, fold, confidence)
    found = within if within.variance is not None else roc_auc_interval(truth.astype(np.float64), score, confidence)
    value, low, high, _ = found
    if value is None or low is None or high is None:
        raise ValueError("Too few rows of each group are in a fold to tell anything.")
    wider = math.sqrt(_dependence(value))
    return value, max(value - wider * (value - low), 0.0), min(value + wider * (high - value), 1.0)


def _dependence(auc: float) -> float:
    """The variance of a mean over folds, over that of independent folds: from 2 at 0.5 down to 1 at 0 and 1.

    Each fold is judged by a model of the others, so that what two of them share by chance counts twice: exactly so
    where nothing is to be found (see `domain_classifier`), and not at all where all models find the same. Between both
    it is interpolated; simulated with these trees it is 1.6 at 0.5, 2.0 at 0.69, 1.5 at 0.90 and 1.0 at 0.98.
    """
    return 1 + 4 * auc * (1 - auc)


def _weighted(
    y: Column, order: list[str], chances: npt.NDArray[np.float64], fold: Column, confidence: float
) -> tuple[float, float, float]:
    """Each group against the rest, by its share. The bounds are added alike, as if all errors went together, so that
    the interval holds whatever their dependence."""
    parts = [_auc(y == name, chances[:, at], fold, confidence) for at, name in enumerate(order)]
    shares = [float(np.mean(y == name)) for name in order]
    auc, low, high = (
        sum(share * one for share, one in zip(shares, each, strict=True)) for each in zip(*parts, strict=True)
    )
    return auc, low, high


def _tau(y: Column, guessed: Column) -> float:
    told = float(stats.kendalltau(y, guessed).statistic) if len(np.unique(guessed)) > 1 else 0.0
    return 0.0 if math.isnan(told) else told


def _with_groups(name: str, values: Column, y: Column, order: list[str]) -> Association:
    if values.dtype.kind != "f":
        return Association(name, "cramers_v", cramers_v(_texts(values), y))
    there = np.isfinite(values)
    if len(order) == 2:
        auc = roc_auc((y[there] == order[1]).astype(np.float64), values[there])
        return Association(name, "gini", abs(2 * auc - 1) if auc is not None else 0.0)
    return Association(name, "correlation_ratio", correlation_ratio(y[there], values[there]))


def _with_numbers(name: str, values: Column, y: Column) -> Association:
    if values.dtype.kind != "f":
        return Association(name, "correlation_ratio", correlation_ratio(_texts(values), y))
    there = np.isfinite(values)
    if np.count_nonzero(there) < 3 or len(np.unique(values[there])) < 2:
        return Association(name, "rank_correlation", 0.0)
    return Association(name, "rank_correlation", abs(float(stats.spearmanr(values[there], y[there]).statistic)))


def cramers_v(one: Column, other: Column) -> float:
    """How closely two groupings go together, 0–1, corrected for what chance alone gives. 0 when one has one group.

    Source: Cramér (1946); Bergsma (2013) for the correction.

    >>> a = np.array(["x", "y"] * 50)
    >>> cramers_v(a, a), cramers_v(a, np.array(["u"] * 100))
    (1.0, 0.0)
    """
    _, left = np.unique(one, return_inverse=True)
    _, right = np.unique(other, return_inverse=True)
    rows, columns, n = int(left.max()) + 1, int(right.max()) + 1, len(one)
    if rows < 2 or columns < 2 or n < 2:
        return 0.0
    counts = np.bincount(left * columns + right, minlength=rows * columns).reshape(rows, columns)
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
    phi = float(np.sum((counts - expected) ** 2 / expected)) / n
    excess = (rows - 1) * (columns - 1) / (n - 1)
    least = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)) - 1
    return min(math.sqrt(max(phi - excess, 0.0) / least), 1.0) if least > 0 else 0.0


def correlation_ratio(groups: Column, numbers: Column) -> float:
    """How much of the ranks of numbers their groups tell, 0–1: the square root of the explained share of variance.

    Source: Pearson (1905), on ranks as Kruskal & Wallis (1952).

    >>> round(correlation_ratio(np.array(["a", "a", "b", "b"]), np.array([1.0, 1.0, 2.0, 2.0])), 6)
    1.0
    """
    if len(numbers) < 2:
        return 0.0
    ranks = stats.rankdata(numbers)
    _, at = np.unique(groups, return_inverse=True)
    sizes = np.bincount(at)
    means = np.bincount(at, weights=ranks) / sizes
    total = float(np.sum((ranks - ranks.mean()) ** 2))
    between = float(np.sum(sizes * (means - ranks.mean()) ** 2))
    return math.sqrt(min(between / total, 1.0)) if total else 0.0


def _ranked(alone: list[Association]) -> list[Association]:
    return sorted(alone, key=lambda one: (-one.value, one.name))


def _sampled(rows: npt.NDArray[np.intp], seed: int) -> npt.NDArray[np.intp]:
    """At most MOST_ROWS of the rows, in their order."""
    if len(rows) <= MOST_ROWS:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, MOST_ROWS, replace=False))


def _texts(values: Column) -> Column:
    """Values as texts; "" for what is missing."""
    missing = [value is None or (isinstance(value, float) and math.isnan(value)) for value in values.tolist()]
    told = [
        "" if gone else f"{value:g}" if isinstance(value, float) else str(value)
        for value, gone in zip(values.tolist(), missing, strict=True)
    ]
    return np.array(told, dtype=np.str_)
