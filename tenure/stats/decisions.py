"""How good a yes/no model is beyond its ranking: its decisions at a threshold, its chances, and its curves.

`y` is 0 or 1, `score` grows with the chance of 1. A row in which either is missing is left out. `stats/accuracy.py` has
ROC AUC, Brier score and calibration in the large.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from tenure.stats.accuracy import ConfusionCounts, judged_rows
from tenure.stats.columns import Numbers, Values
from tenure.stats.intervals import REPLICATES, UNKNOWN, Interval3, mean_interval, wilson
from tenure.stats.resampling import Measure, Totals, interval_of, totals

SCORE_BINS = 256
EPSILON = float(np.finfo(np.float64).eps)
TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE = range(3)


class ScoreCounts(NamedTuple):
    """Scores of both outcomes in the same ascending bins, shape (n_bins,); `edges` are the least score of each bin."""

    edges: Numbers
    positives: npt.NDArray[np.int64]
    negatives: npt.NDArray[np.int64]


class CalibrationBin(NamedTuple):
    """Rows with scores alike: what was said on average, and how often it happened, with Wilson's interval."""

    n: int
    mean_score: float
    happened: Interval3


def accuracy(counts: ConfusionCounts, confidence: float = 0.95) -> Interval3:
    """The share of decisions that were right. 0–1, higher is better; a rare event makes it high by saying no.

    >>> accuracy(ConfusionCounts(3, 1, 1, 5)).value
    0.8
    """
    return wilson(counts.true_positive + counts.true_negative, sum(counts), confidence)


def precision(counts: ConfusionCounts, confidence: float = 0.95) -> Interval3:
    """Of those said yes to, the share that were. 0–1, higher is better; None when yes was never said.

    >>> precision(ConfusionCounts(3, 1, 1, 5)).value
    0.75
    """
    return wilson(counts.true_positive, counts.true_positive + counts.false_positive, confidence)


def recall(counts: ConfusionCounts, confidence: float = 0.95) -> Interval3:
    """Of those that were, the share said yes to. 0–1, higher is better; None when none was.

    >>> recall(ConfusionCounts(3, 1, 2, 5)).value
    0.6
    """
    return wilson(counts.true_positive, counts.true_positive + counts.false_negative, confidence)


def specificity(counts: ConfusionCounts, confidence: float = 0.95) -> Interval3:
    """Of those that were not, the share said no to. 0–1, higher is better; None when all were.

    >>> specificity(ConfusionCounts(3, 1, 2, 4)).value
    0.8
    """
    return wilson(counts.true_negative, counts.true_negative + counts.false_positive, confidence)


def f1(
    y: Values,
    predicted: Values,
    keys: Sequence[Any] | npt.NDArray[Any],
    confidence: float = 0.95,
    replicates: int = REPLICATES,
) -> Interval3:
    """The harmonic mean of precision and recall, with a bootstrap interval. 0–1, higher is better.

    None when nothing was and nothing was said.

    Source: van Rijsbergen (1979).

    >>> f1([1, 1, 0, 0], [1, 0, 1, 0], ["a", "b", "c", "d"]).value
    0.5
    """
    truth, said, there = judged_rows(y, predicted)
    yes = said == 1
    rows = np.column_stack([yes & truth, yes & ~truth, ~yes & truth]).astype(np.float64)
    kept = totals(rows, np.asarray(keys, dtype=object)[there], replicates)
    return interval_of(kept, _f1, confidence, low=0.0, high=1.0)


def log_loss(y: Values, score: Values, confidence: float = 0.95) -> Interval3:
    """The mean of −log of the chance given to what came, with Student's interval. 0 is best, no upper limit.

    Scores must lie within 0–1; those within 2e-16 of an end count as that far from it, so that one certain mistake
    costs 36 and not infinity. Source: Good (1952).

    >>> round(log_loss([1, 0], [0.5, 0.5]).value, 6)
    0.693147
    """
    truth, scores, _ = judged_rows(y, score)
    if len(scores) and not (scores.min() >= 0 and scores.max() <= 1):
        raise ValueError("The log loss is of chances, so that every score must lie between 0 and 1.")
    chances = np.clip(scores, EPSILON, 1 - EPSILON)
    mean = mean_interval(-np.log(np.where(truth, chances, 1 - chances)), confidence)
    return mean if mean.low is None else mean._replace(low=max(mean.low, 0.0))


class Ranked(NamedTuple):
    """Rows by score: counts of both outcomes at each distinct score, and bootstrapped counts in 256 bins of them."""

    exact: Numbers
    drawn: Totals


def ranked(y: Values, score: Values, keys: Sequence[Any] | npt.NDArray[Any], replicates: int = REPLICATES) -> Ranked:
    """What the measures of a ranking need, in one pass; shape (n,) each.

    >>> ranked([0, 1], [0.1, 0.9], ["a", "b"]).exact.tolist()
    [0.0, 1.0, 1.0, 0.0]
    """
    truth, scores, there = judged_rows(y, score)
    distinct, place = np.unique(scores, return_inverse=True)
    sides = [np.bincount(place[side], minlength=len(distinct)) for side in (truth, ~truth)]
    edges = _edges(scores, SCORE_BINS)
    column = np.searchsorted(edges, scores, side="right") - 1 + np.where(truth, 0, len(edges))
    shape = (len(scores), 2 * len(edges))
    rows = sparse.csr_array((np.ones(len(scores)), (np.arange(len(scores)), column)), shape=shape)
    drawn = totals(rows, np.asarray(list(keys), dtype=object)[there], replicates)
    return Ranked(np.concatenate(sides).astype(np.float64), drawn)


def average_precision(rows: Ranked, confidence: float = 0.95) -> Interval3:
    """The area under the precision–recall curve, by steps. 0–1, higher is better; guessing gives the event rate.

    The value is of the scores themselves; its interval is bootstrapped from 256 bins of them. None without a positive.

    Source: Manning, Raghavan & Schütze (2008); Davis & Goadrich (2006) for why not by trapezes.

    >>> round(average_precision(ranked([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], "abcd")).value, 4)
    0.8333
    """
    return _of_ranked(rows, _average_precision, confidence)


def ks(rows: Ranked, confidence: float = 0.95) -> Interval3:
    """The greatest difference between the scores' distributions of both outcomes. 0–1, higher is better.

    The value is of the scores themselves; its interval is bootstrapped from 256 bins of them. None unless both occur.

    Source: Kolmogorov (1933), Smirnov (1948).

    >>> ks(ranked([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], "abcd")).value
    0.5
    """
    return _of_ranked(rows, _ks, confidence)


def score_counts(y: Values, score: Values, bins: int = SCORE_BINS) -> ScoreCounts:
    """Scores of both outcomes in about equally filled bins (each score its own bin where there are few).

    ROC and precision–recall curves follow from them.

    >>> score_counts([0, 1, 1], [0.2, 0.2, 0.9]).positives.tolist()
    [1, 1]
    """
    truth, scores, _ = judged_rows(y, score)
    edges = _edges(scores, bins)
    place = np.searchsorted(edges, scores, side="right") - 1
    return ScoreCounts(
        edges=edges,
        positives=np.bincount(place[truth], minlength=len(edges)).astype(np.int64),
        negatives=np.bincount(place[~truth], minlength=len(edges)).astype(np.int64),
    )


def roc_points(counts: ScoreCounts) -> tuple[Numbers, Numbers]:
    """False and true positive share as the threshold falls, from (0, 0) to (1, 1); empty unless both outcomes occur.

    >>> [axis.tolist() for axis in roc_points(score_counts([0, 1], [0.1, 0.9]))]
    [[0.0, 0.0, 1.0], [0.0, 1.0, 1.0]]
    """
    positives, negatives = counts.positives.sum(), counts.negatives.sum()
    if not positives or not negatives:
        return np.empty(0), np.empty(0)
    return _rising(counts.negatives) / negatives, _rising(counts.positives) / positives


def pr_points(counts: ScoreCounts) -> tuple[Numbers, Numbers]:
    """Recall and precision as the threshold falls, without the point where nothing is said; empty without a positive.

    >>> [axis.tolist() for axis in pr_points(score_counts([0, 1], [0.1, 0.9]))]
    [[1.0, 1.0], [1.0, 0.5]]
    """
    if not counts.positives.sum():
        return np.empty(0), np.empty(0)
    hits, said = _rising(counts.positives)[1:], _rising(counts.positives + counts.negatives)[1:]
    return hits / hits[-1], hits / np.maximum(said, 1)


def calibration_curve(y: Values, score: Values, bins: int = 10, confidence: float = 0.95) -> list[CalibrationBin]:
    """Rows in about `bins` equally filled bins of scores: what was said, and how often it happened.

    On the diagonal the scores can be read as chances. Bins hold whole scores: rows that tie stay together.

    Source: DeGroot & Fienberg (1983); Bröcker & Smith (2007) for bins of equal filling.

    >>> [(one.n, one.happened.value) for one in calibration_curve([0, 1, 1, 1], [0.1, 0.1, 0.9, 0.9], bins=2)]
    [(2, 0.5), (2, 1.0)]
    """
    truth, scores, _ = judged_rows(y, score)
    edges = _edges(scores, bins)
    place = np.searchsorted(edges, scores, side="right") - 1
    n = np.bincount(place, minlength=len(edges))
    hits = np.bincount(place[truth], minlength=len(edges))
    means = np.bincount(place, weights=scores, minlength=len(edges)) / np.maximum(n, 1)
    return [
        CalibrationBin(int(of), float(mean), wilson(int(hit), int(of), confidence))
        for of, mean, hit in zip(n, means, hits, strict=True)
        if of
    ]


def _edges(scores: Numbers, bins: int) -> Numbers:
    distinct = np.unique(scores)
    if len(distinct) <= bins:
        return distinct
    places = np.linspace(0, len(scores), bins + 1)[:-1].astype(np.int64)
    return np.unique(np.partition(scores, places)[places])


def _of_ranked(rows: Ranked, measure: Measure, confidence: float) -> Interval3:
    """A measure of the exact scores, with its spread over replicates of their bins."""
    if not rows.drawn.n:
        return UNKNOWN
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(measure(rows.exact))
    told = interval_of(rows.drawn, measure, confidence)
    if not np.isfinite(value):
        return UNKNOWN
    if told.variance is None or told.value is None or told.low is None or told.high is None:
        return Interval3(value, None, None, None)
    moved = value - told.value
    return Interval3(value, max(told.low + moved, 0.0), min(told.high + moved, 1.0), told.variance)


def _average_precision(sums: Numbers) -> Numbers:
    positives, negatives = _falling(sums)
    said = positives + negatives
    steps = np.diff(positives, axis=-1, prepend=0.0)
    precisions = np.divide(positives, said, out=np.zeros_like(positives), where=said > 0)
    area: Numbers = (steps * precisions).sum(axis=-1) / positives[..., -1]
    return area


def _ks(sums: Numbers) -> Numbers:
    positives, negatives = _falling(sums)
    apart: Numbers = np.abs(positives / positives[..., -1:] - negatives / negatives[..., -1:]).max(axis=-1)
    return apart


def _falling(sums: Numbers) -> tuple[Numbers, Numbers]:
    """Both outcomes' counts at or above each threshold, from the highest score down."""
    bins = sums.shape[-1] // 2
    return np.cumsum(sums[..., :bins][..., ::-1], axis=-1), np.cumsum(sums[..., bins:][..., ::-1], axis=-1)


def _rising(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(counts[::-1])]).astype(np.int64)


def _f1(sums: Numbers) -> Numbers:
    hits = 2 * sums[..., TRUE_POSITIVE]
    told: Numbers = hits / (hits + sums[..., FALSE_POSITIVE] + sums[..., FALSE_NEGATIVE])
    return told
