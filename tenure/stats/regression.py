"""How far predicted numbers lie from what came, with intervals.

An error is the prediction less the outcome: above 0 too much was promised. A row in which either is missing or infinite
is left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tenure.stats.columns import Numbers, Values, numbers_of
from tenure.stats.intervals import Interval3, wilson
from tenure.stats.resampling import Totals, interval_of, ratio, totals

ROWS, ERROR, ABSOLUTE, SQUARED, OUTCOME, OUTCOME_SQUARED, SIZE, RELATIVE, NONZERO, SYMMETRIC = range(10)
RESIDUAL_BINS = 40


class Residuals(NamedTuple):
    """Counts of errors between `edges`, shape (n_bins + 1,); the outer bins hold everything beyond too."""

    edges: Numbers
    counts: npt.NDArray[np.int64]


def mae(kept: Totals, confidence: float = 0.95) -> Interval3:
    """The mean absolute error. 0 is best, in the outcome's unit.

    >>> mae(of_rows([1.0, 2.0], [2.0, 4.0], ["a", "b"])).value
    1.5
    """
    return interval_of(kept, ratio(ABSOLUTE, ROWS), confidence, low=0.0)


def rmse(kept: Totals, confidence: float = 0.95) -> Interval3:
    """The root of the mean squared error. 0 is best, in the outcome's unit; one large error counts for many small.

    >>> rmse(of_rows([0.0, 0.0], [1.0, 7.0], ["a", "b"])).value
    5.0
    """
    return interval_of(kept, lambda sums: np.sqrt(sums[..., SQUARED] / sums[..., ROWS]), confidence, low=0.0)


def bias(kept: Totals, confidence: float = 0.95) -> Interval3:
    """The mean error. 0 is best; above 0 the predictions are too high on average.

    >>> bias(of_rows([1.0, 2.0], [2.0, 4.0], ["a", "b"])).value
    1.5
    """
    return interval_of(kept, ratio(ERROR, ROWS), confidence)


def mape(kept: Totals, confidence: float = 0.95) -> Interval3:
    """The mean of |error / outcome|, over rows whose outcome is not 0. 0 is best, 0.1 is 10 %.

    It has two traps. A row with an outcome of 0 has no percentage: it is left out here (scikit-learn divides by 2e-16
    instead and gets about 1e15), so that a column of many zeros is judged by its other rows alone. And it is lopsided:
    promising too little costs 100 % at most, promising too much any amount, so that a model tuned to it says too
    little. WAPE has neither; sMAPE is bounded.

    Source: Hyndman & Koehler (2006), "Another look at measures of forecast accuracy".

    >>> mape(of_rows([4.0, 0.0, 2.0], [5.0, 5.0, 1.0], ["a", "b", "c"])).value
    0.375
    """
    return interval_of(kept, ratio(RELATIVE, NONZERO), confidence, low=0.0)


def smape(kept: Totals, confidence: float = 0.95) -> Interval3:
    """The mean of |error| over the mean of |prediction| and |outcome|. 0–2, 0 is best; both 0 counts as 0.

    Source: Makridakis (1993), in the form with absolute values of Chen & Yang (2004).

    >>> smape(of_rows([1.0, 0.0], [3.0, 0.0], ["a", "b"])).value
    0.5
    """
    return interval_of(kept, ratio(SYMMETRIC, ROWS), confidence, low=0.0, high=2.0)


def wape(kept: Totals, confidence: float = 0.95) -> Interval3:
    """The sum of |error| over the sum of |outcome|. 0 is best; large outcomes count for more. None if all are 0.

    Source: Kolassa & Schütz (2007), "Advantages of the MAD/Mean ratio over the MAPE".

    >>> wape(of_rows([100.0, 0.0], [110.0, 5.0], ["a", "b"])).value
    0.15
    """
    return interval_of(kept, ratio(ABSOLUTE, SIZE), confidence, low=0.0)


def r_squared(kept: Totals, confidence: float = 0.95) -> Interval3:
    """1 less the squared error over that of always saying the mean outcome. At most 1, 1 is best, 0 is the mean's.

    None when all outcomes are the same.

    >>> r_squared(of_rows([1.0, 2.0, 3.0], [1.0, 2.0, 4.0], ["a", "b", "c"])).value
    0.5
    """
    return interval_of(kept, _explained, confidence, high=1.0)


MEASURES: dict[str, Any] = {
    "mae": mae,
    "rmse": rmse,
    "bias": bias,
    "mape": mape,
    "smape": smape,
    "wape": wape,
    "r_squared": r_squared,
}


def of_rows(y: Values, predicted: Values, keys: Sequence[Any] | npt.NDArray[Any], replicates: int = 200) -> Totals:
    """What every measure of numbers needs, in one pass; shape (n,) each. Outcomes are kept about their own mean."""
    outcome, said, there = _judged(y, predicted)
    error = said - outcome
    size, nonzero = np.abs(outcome), outcome != 0
    both = np.abs(said) + size
    centred = outcome - (outcome.mean() if len(outcome) else 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(nonzero, np.abs(error) / size, 0.0)
        symmetric = np.where(both > 0, 2 * np.abs(error) / both, 0.0)
    ones = np.ones(len(outcome))
    rows = (ones, error, np.abs(error), error**2, centred, centred**2, size, relative, nonzero.astype(float), symmetric)
    return totals(np.column_stack(rows), np.asarray(keys, dtype=object)[there], replicates)


def coverage(y: Values, low: Values, high: Values, confidence: float = 0.95) -> Interval3:
    """The share of outcomes within the model's own intervals, ends included, with Wilson's interval.

    It is right when it is what the intervals promise: 0.9 for intervals at 90 %. Both above and below are wrong.

    >>> coverage([1.0, 5.0], [0.0, 0.0], [2.0, 2.0]).value
    0.5
    """
    columns = np.stack([numbers_of(one).astype(np.float64) for one in (y, low, high)])
    outcome, least, most = columns[:, ~np.isnan(columns).any(axis=0)]
    return wilson(int(np.count_nonzero((least <= outcome) & (outcome <= most))), len(outcome), confidence)


def residuals(y: Values, predicted: Values, bins: int = RESIDUAL_BINS) -> Residuals:
    """A histogram of the errors between their 0.5 % and 99.5 % quantiles, so that one stray value does not fill it.

    >>> residuals([0.0] * 100, list(range(100)), bins=2).counts.tolist()
    [50, 50]
    """
    outcome, said, _ = _judged(y, predicted)
    error = said - outcome
    if not len(error):
        return Residuals(np.empty(0), np.empty(0, np.int64))
    low, high = np.quantile(error, [0.005, 0.995])
    if not math.isfinite(high - low) or low == high:
        low, high = low - 0.5, low + 0.5
    edges = np.linspace(low, high, bins + 1)
    counts, _ = np.histogram(np.clip(error, low, high), edges)
    return Residuals(edges, counts.astype(np.int64))


def _explained(sums: Numbers) -> Numbers:
    spread = sums[..., OUTCOME_SQUARED] - sums[..., OUTCOME] ** 2 / sums[..., ROWS]
    told: Numbers = np.where(spread > 0, 1 - sums[..., SQUARED] / spread, np.nan)
    return told


def _judged(y: Values, predicted: Values) -> tuple[Numbers, Numbers, npt.NDArray[np.bool_]]:
    outcome, said = (numbers_of(column).astype(np.float64) for column in (y, predicted))
    if len(outcome) != len(said):
        raise ValueError(f"Every row needs an outcome and a prediction. Got {len(outcome)} and {len(said)}.")
    there = np.isfinite(outcome) & np.isfinite(said)
    return outcome[there], said[there], there
