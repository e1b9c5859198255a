"""Do current rows still lie where the reference's columns vary together? Principal components of the reference know."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy import special

from tenure.stats.columns import Numbers
from tenure.stats.encoding import Column, scaled

KEPT = 0.65
"""The least share of the variance that the components keep."""
LEAST_ROWS = 200
MOST_ROWS = 20_000
MOST_MADE = 400


class Reconstruction(NamedTuple):
    """Mean error of reference rows that the components were not found on, and of current rows; `ratio` is the second
    over the first, 1 = the same. `p_value` is two-sided: errors can fall too, when variation is lost."""

    reference_error: float
    current_error: float
    ratio: float
    p_value: float
    components: int
    n_reference: int
    n_current: int


def reconstruction(
    reference: Mapping[str, Column], current: Mapping[str, Column], rng: np.random.Generator
) -> Reconstruction | None:
    """Whether rows lie further from the reference's principal components than the reference's own rows do.

    Components are found on one half of the reference and judged on the other, since on the rows they were found on the
    error is too small. A row's error is the length of what the components cannot tell of it, with numbers in robust
    spreads within ± 5, so that one stray value is not the mean. It sees correlations that break, which no test of
    single columns does; a shift along the components it does not see. The test is Welch's.

    None with fewer than 200 rows on a side (100 to each half), or with fewer than two columns that vary.

    Source: Hotelling (1933); Welch (1947); Jaffe & Jackson & Mudholkar (1979) for errors as a control statistic.
    """
    sides = [_sampled(side, rng) for side in (reference, current)]
    sizes = [len(next(iter(side.values()))) if side else 0 for side in sides]
    if min(sizes) < LEAST_ROWS:
        return None
    made = scaled(*sides)
    values = made.values[:, :MOST_MADE]
    if values.shape[1] < 2:
        return None
    order = rng.permutation(sizes[0])
    half = sizes[0] // 2
    fitted, held, seen = values[order[:half]], values[order[half:]], values[sizes[0] :]
    mean, deviation = fitted.mean(axis=0), fitted.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    _, lengths, axes = np.linalg.svd((fitted - mean) / deviation, full_matrices=False)
    explained = np.cumsum(lengths**2) / max(float(np.sum(lengths**2)), 1e-300)
    kept = min(int(np.searchsorted(explained, KEPT)) + 1, len(axes) - 1)
    errors = [_errors((side - mean) / deviation, axes[:kept]) for side in (held, seen)]
    means = [float(side.mean()) for side in errors]
    spread = math.sqrt(sum(float(side.var(ddof=1)) / len(side) for side in errors))
    p_value = 2 * float(special.ndtr(-abs(means[1] - means[0]) / spread)) if spread > 0 else 1.0
    ratio = means[1] / means[0] if means[0] > 0 else 1.0
    return Reconstruction(means[0], means[1], ratio, min(p_value, 1.0), kept, sizes[0], sizes[1])


def _errors(rows: Numbers, axes: Numbers) -> Numbers:
    left = rows - (rows @ axes.T) @ axes
    errors: Numbers = np.sqrt(np.sum(left * left, axis=1))
    return errors


def _sampled(table: Mapping[str, Column], rng: np.random.Generator) -> dict[str, Column]:
    rows = len(next(iter(table.values()))) if table else 0
    if rows <= MOST_ROWS:
        return dict(table)
    kept = np.sort(rng.choice(rows, MOST_ROWS, replace=False))
    return {name: values[kept] for name, values in table.items()}
