"""What is known of scores from two histograms over the same bins: those of positives and those of negatives.

So any period, segment or machine whose counts were kept can be told of, by adding them first: nothing here needs rows.
All take `positives` and `negatives`, counts in ascending order of the score, shape (n_bins,) (`histograms.in_order`).

A threshold lies between two bins: place k says yes to bins k and above; 0 says yes to all, n_bins to none. What is
told at the edges of bins equals what the raw scores tell there, exactly. A threshold elsewhere is moved to an edge.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tenure.stats.accuracy import ConfusionCounts
from tenure.stats.columns import Numbers
from tenure.stats.histograms import Integers
from tenure.stats.intervals import Interval3, wilson


class ScoreMoments(NamedTuple):
    """Of scores with one outcome: how many, their mean, and the sum of squared deviations from it."""

    n: int
    mean: float
    m2: float


class CalibrationBin(NamedTuple):
    """Scores of neighbouring bins: from place `first` to before `last`, and how often it happened with its interval."""

    first: int
    last: int
    n: int
    happened: Interval3


class Best(NamedTuple):
    """The place where a profit curve is highest, and its height."""

    place: int
    value: float


def ordered_edges(edges: npt.ArrayLike, points: npt.ArrayLike = ()) -> Numbers:
    """The least score of each ordered bin but the first: threshold `place` k (k >= 1) says yes from `[k - 1]` on.

    A point mass has a bin of its own; the bin after it starts at the next greater float.

    >>> ordered_edges([0.5, 0.7], [0.5]).round(3).tolist()
    [0.5, 0.5, 0.7]
    """
    masses = np.asarray(points, np.float64)
    with np.errstate(over="ignore"):
        return np.union1d(np.asarray(edges, np.float64), np.append(masses, np.nextafter(masses, np.inf)))


def place_of(threshold: float, edges: npt.ArrayLike, points: npt.ArrayLike = ()) -> int:
    """The place of a threshold: yes from the first edge on that is not below it.

    >>> place_of(0.5, [0.5, 0.7]), place_of(0.6, [0.5, 0.7]), place_of(0.9, [0.5, 0.7])
    (1, 2, 3)
    """
    cuts = ordered_edges(edges, points)
    return int(np.searchsorted(cuts, threshold, side="left")) + 1


def confusion_at(positives: npt.ArrayLike, negatives: npt.ArrayLike, place: int) -> ConfusionCounts:
    """The confusion matrix of saying yes from a place on.

    >>> confusion_at([1, 3], [5, 2], 1)
    ConfusionCounts(true_positive=3, false_positive=2, false_negative=1, true_negative=5)
    """
    p, q = _counts(positives, negatives)
    return ConfusionCounts(
        true_positive=int(p[place:].sum()),
        false_positive=int(q[place:].sum()),
        false_negative=int(p[:place].sum()),
        true_negative=int(q[:place].sum()),
    )


def separation(positives: npt.ArrayLike, negatives: npt.ArrayLike) -> float | None:
    """Kolmogorov–Smirnov of positives against negatives: how well the best threshold tells them apart.

    0–1, higher is better: the greatest true-positive rate less the false-positive rate (Youden's J). None unless both
    outcomes occur. On bins it is at most the one on raw scores.

    >>> separation([0, 10], [10, 0])
    1.0
    """
    p, q = _counts(positives, negatives)
    if not p.sum() or not q.sum():
        return None
    return float(np.max(np.abs(np.cumsum(p) / p.sum() - np.cumsum(q) / q.sum())))


def profit_curve(
    positives: npt.ArrayLike, negatives: npt.ArrayLike, *, tp: float = 0, fp: float = 0, fn: float = 0, tn: float = 0
) -> Numbers:
    """Money of all rows together for every place of the threshold, from what each outcome is worth; (n_bins + 1,).

    Source: Provost & Fawcett (2013), "Data Science for Business", chapter 7.

    >>> profit_curve([1, 3], [5, 2], tp=10, fp=-4).tolist()
    [12.0, 22.0, 0.0]
    """
    p, q = _counts(positives, negatives)
    yes_p, yes_q = _from_each_on(p), _from_each_on(q)
    return np.asarray(tp * yes_p + fp * yes_q + fn * (p.sum() - yes_p) + tn * (q.sum() - yes_q), np.float64)


def best_of(curve: npt.ArrayLike) -> Best:
    """The highest place of a profit curve; the lowest place among equals.

    >>> best_of([12.0, 22.0, 0.0])
    Best(place=1, value=22.0)
    """
    heights = np.asarray(curve, np.float64)
    place = int(np.argmax(heights))
    return Best(place, float(heights[place]))


def calibration_curve(
    positives: npt.ArrayLike, negatives: npt.ArrayLike, bins: int = 10, confidence: float = 0.95
) -> list[CalibrationBin]:
    """How often it happened, from the lowest scores to the highest, in about `bins` groups of equally many rows.

    Each with Wilson's interval. Groups are runs of neighbouring bins; one without rows is left out.

    >>> [(one.n, one.happened.value) for one in calibration_curve([1, 3], [3, 1], bins=2)]
    [(4, 0.25), (4, 0.75)]
    """
    p, q = _counts(positives, negatives)
    total = p + q
    n = int(total.sum())
    if not n:
        return []
    middle = (np.cumsum(total) - total / 2) / n
    group = np.minimum((middle * bins).astype(np.int64), bins - 1)
    starts = np.flatnonzero(np.diff(group, prepend=-1)).tolist()
    found = []
    for first, last in zip(starts, [*starts[1:], len(p)], strict=True):
        rows, happened = int(total[first:last].sum()), int(p[first:last].sum())
        if rows:
            found.append(CalibrationBin(first, last, rows, wilson(happened, rows, confidence)))
    return found


def brier_of_moments(positives: ScoreMoments, negatives: ScoreMoments) -> float | None:
    """The Brier score, exactly as from rows: the mean of (1 − s)² over positives and of s² over negatives.

    0–1, lower is better; None without rows. Source: Brier (1950).

    >>> brier_of_moments(ScoreMoments(1, 1.0, 0.0), ScoreMoments(1, 0.5, 0.0))
    0.125
    """
    n = positives.n + negatives.n
    if not n:
        return None
    of_positives = positives.m2 + positives.n * (1 - positives.mean) ** 2
    of_negatives = negatives.m2 + negatives.n * negatives.mean**2
    return (of_positives + of_negatives) / n


def gap_of_moments(positives: ScoreMoments, negatives: ScoreMoments) -> float | None:
    """The mean score less the share of positives, as `accuracy.calibration_gap`; None without rows.

    >>> gap_of_moments(ScoreMoments(2, 0.75, 0.0), ScoreMoments(2, 0.5, 0.0))
    0.125
    """
    n = positives.n + negatives.n
    if not n:
        return None
    return (positives.n * positives.mean + negatives.n * negatives.mean) / n - positives.n / n


class RegressionFigures(NamedTuple):
    """`bias` is the mean of prediction − outcome, `mae` and `rmse` are in the outcome's unit, `r2` is at most 1."""

    n: int
    bias: float
    mae: float
    rmse: float
    r2: float | None


def regression_of_moments(error: ScoreMoments, size: ScoreMoments, outcome: ScoreMoments) -> RegressionFigures | None:
    """Figures of a regression from the moments of its errors, of their sizes and of the outcomes; None without rows.

    `r2` is None when the outcome does not vary.

    >>> regression_of_moments(ScoreMoments(2, 0.0, 2.0), ScoreMoments(2, 1.0, 0.0), ScoreMoments(2, 5.0, 8.0))
    RegressionFigures(n=2, bias=0.0, mae=1.0, rmse=1.0, r2=0.75)
    """
    if not error.n:
        return None
    squared = error.m2 + error.n * error.mean**2
    r2 = 1 - squared / outcome.m2 if outcome.m2 > 0 else None
    return RegressionFigures(error.n, error.mean, size.mean, float(np.sqrt(squared / error.n)), r2)


def _from_each_on(counts: Integers) -> Integers:
    return np.append(np.cumsum(counts[::-1])[::-1], 0)


def _counts(positives: npt.ArrayLike, negatives: npt.ArrayLike) -> tuple[Integers, Integers]:
    p, q = np.asarray(positives, np.int64), np.asarray(negatives, np.int64)
    if p.ndim != 1 or p.shape != q.shape:
        raise ValueError(f"Both histograms must have the same bins. Got shapes {p.shape} and {q.shape}.")
    return p, q
