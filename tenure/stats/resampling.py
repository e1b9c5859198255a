"""Bootstrap intervals of any measure that follows from sums over rows, such as RMSE, R² or F1.

Each row contributes some numbers; a measure is a function of their totals. The totals of every replicate are kept, so
parts of the rows are merged by addition and every measure of a window comes from one pass over its rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from tenure.stats.columns import Numbers
from tenure.stats.intervals import REPLICATES, UNKNOWN, Interval3, poisson_weights, z_of

ROWS_A_PASS = 4096

Measure = Callable[[Numbers], Numbers]
"""Of totals, shape (..., k), to values, shape (...); NaN where it cannot be told."""


class Totals(NamedTuple):
    """`total`: what n rows sum up to, shape (k,); `drawn`: the same in each replicate, shape (replicates, k)."""

    n: int
    total: Numbers
    drawn: Numbers


def totals(contributions: Any, keys: Sequence[Any] | npt.NDArray[Any], replicates: int = REPLICATES) -> Totals:
    """The totals of a Poisson bootstrap whose randomness comes from the rows' keys alone.

    Parameters
    ----------
    contributions
        Shape (n, k), finite: an array, or a sparse array of scipy in rows (`csr_array`).
    keys
        Shape (n,), one for each row, such as its prediction id. Rows with the same key are drawn together.

    Source: Hanley & MacGibbon (2006).

    Examples
    --------
    >>> totals(np.array([[1.0, 2.0], [3.0, 4.0]]), ["a", "b"]).total.tolist()
    [4.0, 6.0]
    """
    n, k = contributions.shape
    if n != len(keys):
        raise ValueError(f"Every row needs a key. Got {n} rows and {len(keys)} keys.")
    drawn = np.zeros((replicates, k))
    for start in range(0, n, ROWS_A_PASS):
        part = contributions[start : start + ROWS_A_PASS]
        weights = poisson_weights(keys[start : start + ROWS_A_PASS], replicates).astype(np.float64)
        drawn += (part.T @ weights).T
    total = np.asarray(contributions.sum(axis=0), np.float64).reshape(k) if n else np.zeros(k)
    return Totals(n, total, drawn)


def merged(parts: Sequence[Totals]) -> Totals:
    """The totals of all rows together, from parts (at least one) with the same replicates.

    >>> part = totals(np.array([[1.0]]), ["a"])
    >>> merged([part, part]).total.tolist()
    [2.0]
    """
    return Totals(
        n=sum(part.n for part in parts),
        total=np.sum([part.total for part in parts], axis=0),
        drawn=np.sum([part.drawn for part in parts], axis=0),
    )


def interval_of(
    kept: Totals, measure: Measure, confidence: float = 0.95, low: float = -math.inf, high: float = math.inf
) -> Interval3:
    """A measure of the totals with the bootstrap's standard interval, cut at the measure's own range.

    None everywhere where the measure cannot be told of all rows; no interval with fewer than 2 rows, or when fewer
    than 2 replicates can be told.

    Source: Efron & Tibshirani (1993), chapter 13; Student's quantile for the error of the standard error.

    Examples
    --------
    >>> kept = totals(np.array([[3.0, 1.0], [4.0, 1.0]] * 50), range(100))
    >>> interval_of(kept, lambda sums: sums[..., 0] / sums[..., 1]).value
    3.5
    """
    z_of(confidence)
    with np.errstate(divide="ignore", invalid="ignore"):
        value, again = float(measure(kept.total)), np.asarray(measure(kept.drawn), np.float64)
    if not kept.n or not math.isfinite(value):
        return UNKNOWN
    again = again[np.isfinite(again)]
    if kept.n == 1 or len(again) < 2:
        return Interval3(value, None, None, None)
    variance = float(np.var(again, ddof=1))
    reach = float(special.stdtrit(len(again) - 1, (1 + confidence) / 2)) * math.sqrt(variance)
    return Interval3(value, max(value - reach, low), min(value + reach, high), variance)


def ratio(above: int, below: int) -> Measure:
    """The measure that is one total over another.

    >>> float(ratio(0, 1)(np.array([1.0, 2.0])))
    0.5
    """
    return lambda sums: sums[..., above] / sums[..., below]
