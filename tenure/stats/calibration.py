"""What a score is worth: the chance of a yes at each score, learnt from rows whose outcome is known.

Isotonic regression asks nothing but that a greater score means no smaller chance, so scores need not be chances
themselves. Rows are first counted in cells of like scores, so it works on a stored histogram as well as on rows,
weighted or not, and can be fitted again a thousand times in a second.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

from tenure.stats.columns import Numbers, Values, numbers_of

CELLS = 512


class ScoreCells(NamedTuple):
    """Known outcomes by score: ascending `scores`, and the weight of the yeses and noes at each, shape (k,).

    `yes_scale` and `no_scale` are the sum of squared weights over the sum of weights: 1 where each row counts once.
    They say how many rows stand behind a weight, which is what its uncertainty depends on.
    """

    scores: Numbers
    yes: Numbers
    no: Numbers
    yes_scale: Numbers
    no_scale: Numbers
    low: float
    high: float


def cells_of_rows(score: Values, y: Values, weight: Values | None = None, most: int = CELLS) -> ScoreCells:
    """Rows counted by score: a cell for each different score, or `most` cells of about as many rows each.

    Rows in which score or outcome is missing, or the score is infinite, are left out. Raises ValueError for outcomes
    other than 0 and 1, for weights below 0, and without a row.

    Examples
    --------
    >>> cells = cells_of_rows([0.1, 0.1, 0.9], [0, 1, 1])
    >>> cells.scores.tolist(), cells.yes.tolist(), cells.no.tolist()
    ([0.1, 0.9], [1.0, 1.0], [1.0, 0.0])
    """
    scores, truth = numbers_of(score).astype(np.float64), numbers_of(y).astype(np.float64)
    heavy = np.ones(len(scores)) if weight is None else numbers_of(weight).astype(np.float64)
    there = np.isfinite(scores) & ~np.isnan(truth)
    scores, truth, heavy = scores[there], truth[there], heavy[there]
    if not len(scores):
        raise ValueError("At least one row must have a score and an outcome. Got none.")
    if not np.all((truth == 0) | (truth == 1)):
        raise ValueError("y must be 0 or 1.")
    if not np.all(heavy >= 0):
        raise ValueError("weight must be 0 or more.")
    at, middle = cells_of(scores, most)
    yes, yes_scale = _counted(at, heavy * truth, len(middle))
    no, no_scale = _counted(at, heavy * (1 - truth), len(middle))
    return ScoreCells(middle, yes, no, yes_scale, no_scale, float(scores.min()), float(scores.max()))


def cells_of_counts(
    scores: npt.ArrayLike, yes: npt.ArrayLike, no: npt.ArrayLike, low: float, high: float
) -> ScoreCells:
    """The histogram of the scores of either outcome as cells; empty bins are left out.

    Parameters
    ----------
    scores, yes, no
        For each bin a score within it, ascending, and its counts, shape (k,).
    low, high
        The least and the greatest score that was counted.
    """
    counts = np.asarray(yes, np.float64), np.asarray(no, np.float64)
    filled = counts[0] + counts[1] > 0
    ones = np.ones(int(filled.sum()))
    return ScoreCells(
        np.asarray(scores, np.float64)[filled], counts[0][filled], counts[1][filled], ones, ones, low, high
    )


def cells_of(scores: Numbers, most: int = CELLS) -> tuple[npt.NDArray[np.int64], Numbers]:
    """The cell of each score, and the mean score of each cell: cells of one score each when there are few scores.

    >>> [found.tolist() for found in cells_of(np.array([0.5, 0.2, 0.5]))]
    [[1, 0, 1], [0.2, 0.5]]
    """
    different, at = np.unique(scores, return_inverse=True)
    if len(different) > most:
        edges = np.unique(np.quantile(scores, np.linspace(0, 1, most + 1)[1:-1]))
        _, at = np.unique(np.searchsorted(edges, scores, side="right"), return_inverse=True)
    counts = np.bincount(at)
    return at.astype(np.int64), np.bincount(at, scores) / counts


def chances(cells: ScoreCells, at: Numbers) -> Numbers:
    """The chance of a yes at each of some scores, 0–1: isotonic regression, linear between cells, constant beyond.

    Source: Zadrozny & Elkan (2002); pool-adjacent-violators of Barlow et al. (1972), as scipy does it.

    Examples
    --------
    >>> chances(cells_of_rows([0.1, 0.1, 0.9], [0, 1, 1]), np.array([0.0, 0.1, 0.5, 1.0])).tolist()
    [0.5, 0.5, 0.75, 1.0]
    """
    weight = cells.yes + cells.no
    filled = weight > 0
    fitted = isotonic_regression(cells.yes[filled] / weight[filled], weights=weight[filled]).x
    told: Numbers = np.clip(np.interp(at, cells.scores[filled], fitted), 0.0, 1.0)
    return told


def redrawn(cells: ScoreCells, rng: np.random.Generator) -> ScoreCells:
    """The same cells as another sample of as many rows would have filled them (Poisson bootstrap).

    A sum of weights, each row drawn Poisson(1) times, is drawn as a scaled Poisson number of the same mean and
    variance; where each row counts once that is exact. A draw that leaves no row gives the cells as they are.

    Source: Hanley & MacGibbon (2006); Bohm & Zech (2014) for the scaled Poisson law of weighted counts.
    """
    yes = rng.poisson(cells.yes / cells.yes_scale) * cells.yes_scale
    no = rng.poisson(cells.no / cells.no_scale) * cells.no_scale
    return cells._replace(yes=yes, no=no) if float((yes + no).sum()) > 0 else cells


def _counted(at: npt.NDArray[np.int64], weight: Numbers, cells: int) -> tuple[Numbers, Numbers]:
    """The sum of weights in each cell, and the sum of their squares over it."""
    sums = np.bincount(at, weight, cells).astype(np.float64)
    squares = np.bincount(at, weight**2, cells).astype(np.float64)
    return sums, np.divide(squares, sums, out=np.ones(cells), where=sums > 0)
