"""What rank statistics on bins do by chance: their laws at the edges of the bins, not those of continuous values.

The usual tables are for values without ties. On bins, or on a column of few values, the same statistics are smaller,
so that the tables call too little significant: with 5 values a nominal 5 % becomes 1 to 2 %. Under no drift the
difference of two empirical distribution functions, times sqrt(n m / (n + m)), is a Brownian bridge looked at where the
bins end, and everything here follows from that.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import linalg, optimize, special

from tenure.stats.columns import Numbers

GRID = 1024
MOST_EXACT = 40
"""More edges than this are put on a grid of 1,024 steps before the law of the greatest gap is computed."""
SURE, SMALL = 0.5, 1e-6
"""Between these two p-values the law of the greatest gap is computed; beyond them Kolmogorov's bound is told."""
MOST_NODES = 160
BEND = 0.15
SHARE_OF_A_CONSTANT = 1e-3
"""An eigenvalue below this share of the largest counts as its mean: it spreads too little to be seen in six digits."""


class RankStatistics(NamedTuple):
    """Three ways to compare two cumulative distributions, each with its p-value. All are 0 for equal shares."""

    ks: float
    ks_p: float
    cramer_von_mises: float
    cramer_von_mises_p: float
    anderson_darling: float
    anderson_darling_p: float


NOTHING = RankStatistics(0.0, 1.0, 0.0, 1.0, 0.0, 1.0)


def rank_statistics(expected: Numbers, observed: Numbers) -> RankStatistics:
    """Kolmogorov–Smirnov, Cramér–von Mises and Anderson–Darling of counts over the same ascending bins.

    Values in one bin are ties. Without ties (each value in a bin of its own) the statistics are the classical ones:
    D = max |F − G|, T = nm/N² Σ (F − G)² and A² = nm/N² Σ (F − G)² / (H (1 − H)), over all N = n + m values, H the
    pooled distribution. With ties an edge between two bins counts with half the share of both, so that reversing the
    order of the bins changes nothing; scipy gives ties the mean of their ranks instead, which differs a little.

    All are at least 0, larger is further apart. P-values are those of a Brownian bridge at the edges: right for bins of
    any number and size, as samples grow; 1 where a sample is empty or one bin holds everything.

    Source: Anderson (1962); Scholz & Stephens (1987); Conover (1972) for what ties do to Kolmogorov–Smirnov.

    Parameters
    ----------
    expected, observed
        Counts, shape (n_bins,), finite and not negative.
    """
    seen = gaps_of(expected, observed)
    if seen is None:
        return NOTHING
    greatest, cvm, ad = (float(one) for one in (np.max(np.abs(seen.gaps)), *seen.squares()))
    return RankStatistics(
        greatest,
        greatest_gap_sf(greatest * math.sqrt(seen.size), seen.at),
        cvm,
        quadratic_form_sf(cvm, bridge_eigenvalues(seen.steps, seen.weights)),
        ad,
        quadratic_form_sf(ad, bridge_eigenvalues(seen.steps, seen.tilted)),
    )


class Gaps(NamedTuple):
    """Differences of two cumulative distributions between bins that are not empty.

    `steps` are pooled shares of the bins, `at` where they end (without the last); `size` is n m / (n + m).
    """

    gaps: Numbers
    at: Numbers
    steps: Numbers
    size: float

    @property
    def weights(self) -> Numbers:
        return (self.steps[:-1] + self.steps[1:]) / 2

    @property
    def tilted(self) -> Numbers:
        return self.weights / (self.at * (1 - self.at))

    def squares(self) -> tuple[float, float]:
        """The statistics of Cramér–von Mises and of Anderson–Darling."""
        squared = self.size * self.gaps * self.gaps
        return float(np.sum(self.weights * squared)), float(np.sum(self.tilted * squared))


def gaps_of(expected: npt.ArrayLike, observed: npt.ArrayLike) -> Gaps | None:
    """Where two samples' cumulative shares differ; None when a sample is empty or one bin holds everything."""
    p, q = np.asarray(expected, np.float64), np.asarray(observed, np.float64)
    n, m = float(p.sum()), float(q.sum())
    used = (p + q) > 0
    if not n or not m or np.count_nonzero(used) < 2:
        return None
    p, q = p[used], q[used]
    steps = (p + q) / (n + m)
    gaps = np.cumsum(p)[:-1] / n - np.cumsum(q)[:-1] / m
    return Gaps(gaps, np.cumsum(steps)[:-1], steps, n * m / (n + m))


def greatest_gap_sf(gap: float, at: npt.ArrayLike) -> float:
    """How often a Brownian bridge, looked at only at the times `at`, leaves the band of ± `gap`.

    Found by carrying the density of a motion that has stayed inside from each time to the next, and home at 1. Below
    p = 1e-6, above 0.5 and for more than 512 times it is Kolmogorov's law of the whole bridge, which is never smaller.

    Parameters
    ----------
    gap
        At least 0: sqrt(n m / (n + m)) times the greatest difference of two cumulative shares.
    at
        Shape (n_times,), ascending, each above 0 and below 1.

    Examples
    --------
    >>> round(greatest_gap_sf(0.98, [0.5]), 3)  # one edge: a normal variable with standard deviation 1/2
    0.05
    """
    bound = float(special.kolmogorov(gap))
    if gap <= 0 or not SMALL < bound < SURE or np.size(at) > GRID // 2:
        return bound
    times = _looks(np.asarray(at, np.float64))
    steps = np.diff(times, prepend=0.0)
    nodes = min(MOST_NODES, max(24, math.ceil(3 * gap / math.sqrt(float(steps.min())))))
    x, w = _nodes(nodes)
    x, w = (x + 1) * gap / 2, w * gap / 2
    density = 2 * _normal(x, float(steps[0]))
    kernels = {step: _folded(x, step) * w for step in set(steps[1:].tolist())}
    for step in steps[1:].tolist():
        density = kernels[step] @ density
    left = 1 - float(times[-1])
    stayed = float(np.sum(density * w * _normal(x, left))) * math.sqrt(2 * math.pi)
    return min(max(1 - stayed, 0.0), bound)


@cache
def _nodes(count: int) -> tuple[Numbers, Numbers]:
    """Where Gauss and Legendre look between -1 and 1, and how much each counts: for 160 an eigenproblem of 3 ms."""
    return np.polynomial.legendre.leggauss(count)


def _looks(times: Numbers) -> Numbers:
    """When the bridge is looked at. Many times are put on a grid, so that few steps differ and none is tiny."""
    if len(times) <= MOST_EXACT and float(np.diff(times, prepend=0.0, append=1.0).min()) > 1 / GRID:
        return times
    found = np.unique(np.round(times * GRID)) / GRID
    found = found[(found > 0) & (found < 1)]
    return found if len(found) else np.array([0.5 / GRID])


def _folded(x: Numbers, step: float) -> Numbers:
    """From |x| to |y| of a Brownian motion: its density is even, so half of the band is enough."""
    return _normal(x[:, None] - x, step) + _normal(x[:, None] + x, step)


def _normal(x: Numbers, variance: float) -> Numbers:
    density: Numbers = np.exp(-0.5 * x * x / variance) / math.sqrt(2 * math.pi * variance)
    return density


def bridge_eigenvalues(steps: Numbers, weights: Numbers) -> Numbers:
    """Eigenvalues λ, largest first: Σ weights × bridge² at the ends of the steps is distributed as Σ λ χ²(1).

    The inverse of the bridge's covariance is tridiagonal, so they cost no more than n² operations.

    Parameters
    ----------
    steps
        Shape (n_bins,), above 0, summing to 1: how much time passes before each look and after the last.
    weights
        Shape (n_bins − 1,), above 0.
    """
    root = np.sqrt(weights)
    diagonal = (1 / steps[:-1] + 1 / steps[1:]) / weights
    beside = -1 / steps[1:-1] / (root[:-1] * root[1:])
    found = linalg.eigh_tridiagonal(diagonal, beside, eigvals_only=True)
    eigenvalues: Numbers = 1 / np.maximum(found, np.finfo(float).tiny)
    return eigenvalues


def quadratic_form_sf(value: float, eigenvalues: Numbers) -> float:
    """How often Σ λ χ²(1), of independent chi-squared variables, exceeds a value.

    The Laplace transform is inverted along a parabola through its saddle point, on which the integrand falls like a
    Gaussian: to six digits or more, in the far tail too.

    Source: Rice (1980), "Distribution of quadratic forms in normal random variables"; Helstrom (1996).

    >>> round(quadratic_form_sf(3.841458820694124, np.array([1.0])), 9)
    0.05
    """
    if value <= 0:
        return 1.0
    scaled, x = eigenvalues / eigenvalues[0], value / float(eigenvalues[0])
    kept = scaled[scaled > SHARE_OF_A_CONSTANT]
    x -= float(scaled[len(kept) :].sum())
    if x <= 0:
        return 1.0

    def slope(s: float) -> float:
        return float(np.sum(kept / (1 - 2 * kept * s))) - x - 1 / s

    saddle = float(optimize.brentq(slope, 1e-9 / (1 + x), 0.5 - 1e-12))
    width = 1 / math.sqrt(2 * float(np.sum((kept / (1 - 2 * kept * saddle)) ** 2)) + 1 / saddle**2)
    u = np.linspace(0, math.asinh(max(12.0, math.sqrt(40 / (BEND * width * x)))), 121)
    v = np.sinh(u)
    s = saddle + width * (1j * v + BEND * v * v)
    exponent = -0.5 * np.sum(np.log(1 - 2 * kept[:, None] * s), axis=0) - s * x - np.log(s)
    integrand = (np.exp(exponent - exponent[0].real) * width * (1j + 2 * BEND * v)).imag * np.cosh(u)
    area = float(np.sum(integrand) - 0.5 * (integrand[0] + integrand[-1])) * float(u[1])
    return min(max(area / math.pi * math.exp(min(float(exponent[0].real), 700.0)), 0.0), 1.0)
