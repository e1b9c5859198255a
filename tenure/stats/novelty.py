"""What training had not seen, and what is missing: counts of rare things, tested exactly."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from tenure.stats.columns import Numbers

SELDOM = 0.01
"""As much of the unseen is never called strange."""
LARGEST_TABLE = 2_000_000
"""Rows beyond which the normal law takes the place of the exact one: it is the same to three digits, and quick."""


def unseen_levels_share(counts: npt.ArrayLike, other_levels: int, new_count: int, n: int) -> float:
    """How much of a column's values may be of new levels without being strange, 0–1.

    1 %, and what a baseline of this size misses: about as many rows as it has levels that occur once. When it had more
    levels than are kept (`new_count` is not 0), those kept were chosen for having been frequent, so each counts for one
    row less.

    Source: Good (1953), "The population frequencies of species".

    `counts`: of the frozen levels; `other_levels`: how many rarer ones are known by name; n values in all.

    >>> unseen_levels_share([50, 49, 1], 0, 0, 100)
    0.02
    """
    once = (np.size(counts) if new_count else int(np.count_nonzero(np.asarray(counts) == 1))) + other_levels
    return min(1.0, SELDOM + (new_count + once) / max(n, 1))


def beyond_range_share(n: int, level: float) -> float:
    """How much may lie outside of the least and the greatest of n baseline values: 1 %, and what n values miss.

    Each tail beyond a sample's extremes holds more than ln(1/level) / n with a chance below `level`.

    >>> round(beyond_range_share(10_000, 0.05), 5)
    0.0106
    """
    return SELDOM + 2 * math.log(1 / level) / max(n, 1)


def share_above_p(count: int, n: int, tolerated: float) -> float:
    """How often at least `count` of n would be hit if each were with a chance of `tolerated`: one-sided, exact.

    1 when there are no rows. It is below a level exactly when Clopper & Pearson's lower bound is above `tolerated`.

    >>> round(share_above_p(5, 100, 0.01), 4)
    0.0034
    """
    if count <= 0 or n <= 0:
        return 1.0
    return float(special.betainc(count, n - count + 1, tolerated)) if tolerated < 1 else 1.0


def share_difference_p(count: int, n: int, other_count: int, other_n: int) -> float:
    """Whether two shares differ: Fisher's exact test, two-sided by doubling the smaller tail.

    Given how many there are in both samples together, those of the one follow the hypergeometric law. The p-value is
    never too small, and rather large where counts are small. 1 where a sample is empty.

    Source: Fisher (1934).

    >>> round(share_difference_p(0, 100, 10, 100), 5)
    0.00154
    """
    if n <= 0 or other_n <= 0 or count + other_count in (0, n + other_n):
        return 1.0
    total, hits = n + other_n, count + other_count
    if total > LARGEST_TABLE:
        expected = hits * n / total
        spread = math.sqrt(expected * (other_n / total) * ((total - hits) / (total - 1)))
        return min(1.0, 2 * float(special.ndtr(-max(abs(count - expected) - 0.5, 0.0) / spread)))
    at, chance = _hypergeometric(total, hits, n, near=count)
    return min(1.0, 2 * min(float(chance[at <= count].sum()), float(chance[at >= count].sum())))


def _hypergeometric(total: int, hits: int, n: int, *, near: int) -> tuple[npt.NDArray[np.int64], Numbers]:
    """How many of n drawn from `total` are among its `hits`, and how likely each is: to eight digits, tails included.

    Left out is what lies 40 standard deviations beyond both the mean and `near`: it adds nothing that can be told. Here
    rather than from scipy.stats, whose import costs a process half a second.
    """
    mean = hits * n / total
    reach = 40 + int(40 * math.sqrt(mean * (1 - n / total) * (total - hits) / (total - 1)))
    first = max(0, hits - (total - n), min(int(mean), near) - reach)
    last = min(hits, n, max(int(mean), near) + reach)
    at = np.arange(first, last + 1)
    return at, np.exp(_log_choices(hits, at) + _log_choices(total - hits, n - at) - _log_choices(total, n))


def _log_choices(of: int, some: npt.NDArray[np.int64] | int) -> Numbers:
    logs: Numbers = special.gammaln(of + 1) - special.gammaln(some + 1) - special.gammaln(of - some + 1)
    return logs
