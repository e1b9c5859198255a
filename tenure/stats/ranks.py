"""Whether one thing goes with another, by ranks alone: no line is assumed and no outlier rules."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from tenure.stats.columns import Numbers
from tenure.stats.intervals import z_of


class RankCorrelation(NamedTuple):
    """Spearman's rho, −1 to 1, with its interval, and the p-value of "no monotone relation". None: cannot be told."""

    value: float | None
    low: float | None
    high: float | None
    p_value: float | None
    n: int


class GroupDifference(NamedTuple):
    """`effect`: the share of the spread of ranks that lies between the groups, 0–1. None: cannot be told."""

    effect: float | None
    p_value: float | None
    n: int
    groups: int


def midranks(values: npt.ArrayLike) -> Numbers:
    """Ranks from 1; those that are equal share the mean of theirs.

    >>> midranks([10.0, 30.0, 10.0]).tolist()
    [1.5, 3.0, 1.5]
    """
    given = np.asarray(values, np.float64)
    _, at, counts = np.unique(given, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[at], np.float64)


def spearman(x: npt.ArrayLike, y: npt.ArrayLike, confidence: float = 0.95) -> RankCorrelation:
    """Spearman's rank correlation of finite pairs; a pair in which either is not finite is left out.

    Nothing can be told of fewer than 4 pairs or when one side is constant. The interval is Fisher's with the variance
    of Bonett & Wright; the p-value is that of Student's t with n − 2 degrees of freedom, an approximation below n = 10.

    Source: Spearman (1904); Bonett & Wright (2000), "Sample size requirements for estimating … correlations".

    >>> spearman([1, 2, 3, 4, 5], [1, 4, 9, 16, 25]).value
    1.0
    """
    first, second = np.asarray(x, np.float64), np.asarray(y, np.float64)
    known = np.isfinite(first) & np.isfinite(second)
    first, second = midranks(first[known]), midranks(second[known])
    n = len(first)
    spread = float(np.std(first) * np.std(second)) if n else 0.0
    if n < 4 or spread == 0.0:
        return RankCorrelation(None, None, None, None, n)
    value = float(np.mean((first - first.mean()) * (second - second.mean())) / spread)
    value = max(-1.0, min(1.0, round(value, 12)))
    if abs(value) == 1.0:
        # Every order is equally likely when there is no relation, and two of them are monotone. Of how much less it
        # could be in truth, ranks that agree throughout say nothing.
        return RankCorrelation(value, None, None, min(1.0, 2.0 / math.factorial(min(n, 20))), n)
    reach = z_of(confidence) * math.sqrt((1 + value * value / 2) / (n - 3))
    middle = math.atanh(value)
    t = value * math.sqrt((n - 2) / (1 - value * value))
    p_value = float(2 * special.stdtr(n - 2, -abs(t)))
    return RankCorrelation(value, math.tanh(middle - reach), math.tanh(middle + reach), p_value, n)


def kruskal_wallis(groups: npt.ArrayLike, values: npt.ArrayLike) -> GroupDifference:
    """Whether values lie differently in some of the groups, by their ranks (Kruskal–Wallis, corrected for ties).

    `groups`: shape (n,), anything that compares; a value that is not finite is left out, and so is a group of one.
    The p-value is that of chi-squared, on the safe side for small groups. Nothing can be told of fewer than two groups
    or when all values are equal.

    Source: Kruskal & Wallis (1952); the effect is epsilon squared, Tomczak & Tomczak (2014).

    >>> found = kruskal_wallis(["a", "a", "a", "b", "b", "b"], [1, 2, 3, 7, 8, 9])
    >>> round(found.effect, 3), round(found.p_value, 3)
    (0.771, 0.05)
    """
    _, at = np.unique(np.asarray(groups), return_inverse=True)
    given = np.asarray(values, np.float64)
    known = np.isfinite(given)
    sizes = np.bincount(at[known], minlength=int(at.max(initial=-1)) + 1)
    known &= sizes[at] > 1
    _, at = np.unique(at[known], return_inverse=True)
    ranks = midranks(given[known])
    n, sizes = len(ranks), np.bincount(at)
    if len(sizes) < 2 or float(np.std(ranks)) == 0.0:
        return GroupDifference(None, None, n, len(sizes))
    means = np.bincount(at, weights=ranks) / sizes
    # With ties the ranks spread less; dividing by their own spread is the correction.
    between = float(np.sum(sizes * (means - ranks.mean()) ** 2))
    statistic = between / float(np.var(ranks, ddof=1))
    effect = min(statistic / (n - 1), 1.0)
    return GroupDifference(effect, float(special.chdtrc(len(sizes) - 1, statistic)), n, len(sizes))
