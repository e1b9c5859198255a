"""What rank statistics on bins do by chance: their laws at the edges of the bins, not those of continuous values.

The usual tables are for values without ties, and call too little significant on bins or on few values. Here every law
follows from the Brownian bridge at the edges (`gaps.py`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import linalg, optimize

from tenure.stats.columns import Numbers
from tenure.stats.gaps import gaps_of, greatest_gap_sf

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
