"""How far apart two binned samples are, and how surprising that is when nothing has changed.

All take counts over the same bins, shape (n_bins,): `expected` of the baseline, `observed` of the window. A p-value
is never NaN: where nothing can be told it is 1.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from tenure.stats.columns import Numbers

LEAST_ROWS = 100
"""Rows that each sample needs for the sampling law of the PSI to hold."""


class PsiNull(NamedTuple):
    """The PSI of two samples of the same distribution is about `scale` × χ²(`dof`)."""

    scale: float
    dof: int


class PsiTest(NamedTuple):
    """`psi` is the distance, `excess` is it less what sampling alone gives on average (may be negative).

    `p_value`: how often sampling alone gives this much or more. `enough` is False, and `p_value` 1, when a sample
    has fewer than 100 rows.
    """

    psi: float
    excess: float
    p_value: float
    bins: int
    n_expected: int
    n_observed: int
    enough: bool


class BinTest(NamedTuple):
    """A statistic, its p-value, and a distance with a range of its own: `effect`, 0–1, 0 = the same."""

    statistic: float
    p_value: float
    effect: float
    dof: int
    n_expected: int
    n_observed: int


def psi(expected: npt.ArrayLike, observed: npt.ArrayLike) -> float:
    """Population stability index of two binned samples: sum (q − p) ln(q / p).

    0 means the same shape; larger means further apart; no upper limit. It is symmetric: the sum of both
    Kullback–Leibler divergences. Half an observation is added to every bin, so that an empty one is not infinitely
    far away; a bin that is empty in both samples says nothing and is left out. 0 when a sample is empty.

    Source: Kullback & Leibler (1951), as J-divergence; Yurdakul & Naranjo (2020), "Statistical properties of the
    population stability index", Journal of Risk Model Validation 14(4).

    Examples
    --------
    >>> psi([10, 10], [10, 10])
    0.0
    >>> round(psi([99, 0], [49, 50]), 3)
    2.657
    """
    p, q = _counts(expected, observed)
    return _psi(p, q) if p.sum() and q.sum() else 0.0


def _psi(p: Numbers, q: Numbers) -> float:
    used = (p + q) > 0
    p, q = p[used] + 0.5, q[used] + 0.5
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum((q - p) * np.log(q / p)))


def psi_null(expected_n: int, observed_n: int, bins: int) -> PsiNull:
    """The law of the PSI under no drift: (1/n + 1/m) × χ²(bins − 1), for samples of at least a few hundred rows.

    Its mean is what sampling alone gives on average. The rule of thumb "0.1 is a shift" ignores it: with 10 bins and
    100 rows each, the PSI of two equal distributions exceeds 0.1 in four of five trials.

    Source: Yurdakul (2018), dissertation, Western Michigan University.

    >>> psi_null(1000, 1000, 10)
    PsiNull(scale=0.002, dof=9)
    """
    return PsiNull(1 / expected_n + 1 / observed_n, bins - 1)


def psi_test(expected: npt.ArrayLike, observed: npt.ArrayLike) -> PsiTest:
    """Whether the PSI of two binned samples is more than sampling alone explains.

    Bins that are empty in both samples are left out before counting degrees of freedom. Join bins that expect
    fewer than 5 rows first (`drift_bins` does): the law needs it.

    Examples
    --------
    >>> psi_test([500, 500], [500, 500])
    PsiTest(psi=0.0, excess=-0.002, p_value=1.0, bins=2, n_expected=1000, n_observed=1000, enough=True)
    >>> psi_test([500, 500], [400, 600]).p_value < 1e-4
    True
    >>> psi_test([5, 5], [0, 10]).enough
    False
    """
    p, q = _counts(expected, observed)
    n, m = int(p.sum()), int(q.sum())
    bins = int(np.count_nonzero(p + q))
    if not n or not m:
        return PsiTest(0.0, 0.0, 1.0, bins, n, m, enough=False)
    distance, null = _psi(p, q), psi_null(n, m, bins)
    enough = min(n, m) >= LEAST_ROWS
    testable = enough and null.dof > 0
    p_value = float(special.chdtrc(null.dof, distance / null.scale)) if testable else 1.0
    return PsiTest(distance, distance - null.scale * null.dof, p_value, bins, n, m, enough)


def jensen_shannon(expected: npt.ArrayLike, observed: npt.ArrayLike) -> float:
    """Jensen–Shannon distance: the square root of the divergence, with logarithms to base 2.

    0 means the same shape, 1 that no bin is shared. 0 when a sample is empty.

    Source: Lin (1991), "Divergence measures based on the Shannon entropy"; Endres & Schindelin (2003).

    >>> jensen_shannon([10, 0], [0, 10])
    1.0
    >>> jensen_shannon([10, 10], [5, 5])
    0.0
    """
    p, q = _counts(expected, observed)
    if not p.sum() or not q.sum():
        return 0.0
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    divergence = (np.sum(special.rel_entr(p, middle)) + np.sum(special.rel_entr(q, middle))) / (2 * math.log(2))
    return math.sqrt(min(max(float(divergence), 0.0), 1.0))


def ks(expected: npt.ArrayLike, observed: npt.ArrayLike) -> BinTest:
    """Kolmogorov–Smirnov: the greatest difference of the two cumulative shares, over ordered bins.

    On bins it is at most the one on raw values, so the (asymptotic) p-value errs to the safe side. `effect` is the
    statistic itself, 0–1.

    Source: Kolmogorov (1933), Smirnov (1948).

    >>> ks([10, 0], [0, 10]).statistic
    1.0
    """
    p, q = _counts(expected, observed)
    n, m = int(p.sum()), int(q.sum())
    if not n or not m:
        return BinTest(0.0, 1.0, 0.0, 0, n, m)
    distance = float(np.max(np.abs(np.cumsum(p) / n - np.cumsum(q) / m)))
    p_value = float(special.kolmogorov(distance * math.sqrt(n * m / (n + m))))
    return BinTest(distance, p_value, distance, 0, n, m)


def chi_squared(expected: npt.ArrayLike, observed: npt.ArrayLike) -> BinTest:
    """Chi-squared test that two samples have the same shares (homogeneity of the 2 × bins table).

    Both samples are samples: a level that one has and the other lacks is not infinitely surprising. Bins that are
    empty in both are left out; with one bin left the p-value is 1. `effect` is Cramér's V, 0–1.
    Join bins that expect fewer than 5 rows first (`drift_bins` does).

    Source: Pearson (1900); Cramér (1946).

    >>> test = chi_squared([30, 10], [20, 20])
    >>> round(test.statistic, 6), round(test.p_value, 4), test.dof
    (5.333333, 0.0209, 1)
    """
    p, q = _counts(expected, observed)
    n, m = int(p.sum()), int(q.sum())
    used = (p + q) > 0
    dof = int(np.count_nonzero(used)) - 1
    if not n or not m or dof < 1:
        return BinTest(0.0, 1.0, 0.0, max(dof, 0), n, m)
    p, q, total = p[used], q[used], (p + q)[used]
    statistic = float(np.sum((p * m - q * n) ** 2 / total) / (n * m))
    effect = math.sqrt(min(statistic / (n + m), 1.0))
    return BinTest(statistic, float(special.chdtrc(dof, statistic)), effect, dof, n, m)


def wasserstein(
    expected: npt.ArrayLike, observed: npt.ArrayLike, edges: npt.ArrayLike, low: float, high: float
) -> float:
    """Wasserstein-1 distance of two binned samples, in units of the robust spread of the expected one.

    The least work that turns one histogram into the other: mass times way. Within a bin the mass is taken as evenly
    spread; the first bin starts at `low` (the least value of both), the last ends at `high`. The unit is
    IQR / 1.349 of the expected sample (its standard deviation if it were normal), else high − low, so the
    distance does not depend on the column's unit. 0 means the same; no upper limit. 0 when a sample is empty or the
    range has no width.

    Parameters
    ----------
    expected, observed
        Shape (len(edges) + 1,).
    edges
        Inner edges, ascending, within [low, high].

    Source: Vallender (1974).

    Examples
    --------
    >>> wasserstein([100, 0], [0, 100], edges=[1.0], low=0.0, high=2.0)  # every value moves by 1; IQR is 0.5
    2.698
    """
    p, q = _counts(expected, observed)
    cuts = np.concatenate(([low], np.asarray(edges, np.float64), [high]))
    if len(cuts) != len(p) + 1:
        raise ValueError(f"{len(p)} bins need {len(p) - 1} edges. Got {len(cuts) - 2}.")
    if not p.sum() or not q.sum() or not high > low:
        return 0.0
    ours, theirs = _cumulative(p), _cumulative(q)
    widths = np.diff(cuts)
    if np.any(widths < 0):
        raise ValueError("Edges must be ascending and lie between low and high.")
    before, after = (ours - theirs)[:-1], (ours - theirs)[1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        crossing = (before**2 + after**2) / (2 * (np.abs(before) + np.abs(after)))
    level = (np.abs(before) + np.abs(after)) / 2
    work = float(np.sum(widths * np.where(before * after < 0, crossing, level)))
    return work / _robust_scale(ours, cuts)


def _cumulative(counts: Numbers) -> Numbers:
    return np.concatenate(([0.0], np.cumsum(counts) / counts.sum()))


def _robust_scale(cumulative: Numbers, cuts: Numbers) -> float:
    quarter, three_quarters = np.interp([0.25, 0.75], cumulative, cuts)
    scale = float(three_quarters - quarter) / 1.349
    return scale if scale > 0 else float(cuts[-1] - cuts[0])


def _counts(expected: npt.ArrayLike, observed: npt.ArrayLike) -> tuple[Numbers, Numbers]:
    p, q = np.asarray(expected, np.float64), np.asarray(observed, np.float64)
    if p.ndim != 1 or p.shape != q.shape:
        raise ValueError(f"Two samples must be counted in the same bins. Got shapes {p.shape} and {q.shape}.")
    if not (np.all(p >= 0) and np.all(q >= 0) and np.all(np.isfinite(p + q))):
        raise ValueError("Counts must be finite and not negative.")
    return p, q
