"""How far two cumulative distributions lie apart at the edges of bins, and how far the greatest gap goes by chance.

Kolmogorov's law is that of values without ties. On bins, or on a column of few values, the greatest gap is smaller, so
that his law calls too little significant: with 5 values a nominal 5 % becomes 1 to 2 %, and where one value holds nine
tenths of the rows it hides nearly everything. Under no drift the difference of two empirical distribution functions,
times sqrt(n m / (n + m)), is a Brownian bridge looked at where the bins end; its law is computed here.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from tenure.stats.columns import Numbers

GRID = 1024
MOST_EXACT = 40
"""More edges than this are put on a grid of 1,024 steps before the law of the greatest gap is computed."""
SMALL = 1e-6
"""Below this p-value Kolmogorov's bound is told instead of the law of the greatest gap."""
SURE, FINE = 0.5, 1 / 128
"""Above this p-value too, where no bin holds a larger share of the rows: there the bound is at most 0.1 too large."""
MOST_NODES = 160


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
    p = 1e-6, and where no step is above 1/128 also above 0.5 or for more than 512 times, it is Kolmogorov's law of the
    whole bridge, which is never smaller. With a large step it would be far from the truth: where one value holds nine
    tenths of the rows, what happens once in a hundred times happens to a whole bridge every other time.

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
    ends = np.asarray(at, np.float64)
    is_fine = float(np.diff(ends, prepend=0.0, append=1.0).max()) <= FINE
    if gap <= 0 or bound <= SMALL or (is_fine and (bound >= SURE or len(ends) > GRID // 2)):
        return bound
    times = _looks(ends)
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
