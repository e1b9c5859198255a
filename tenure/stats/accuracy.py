"""How good scores of a yes/no outcome are, with intervals.

`y` is 0 or 1 (or False/True), `score` grows with the chance of 1. A row in which either is missing is left out:
its outcome is not known yet, or nothing was scored.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from tenure.stats.columns import Numbers, Values, numbers_of
from tenure.stats.intervals import UNKNOWN, Interval3, mean_interval, z_of


class ConfusionCounts(NamedTuple):
    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int


def roc_auc(y: Values, score: Values) -> float | None:
    """The chance that a random positive is scored above a random negative; ties count half.

    0–1, higher is better, 0.5 is guessing. None unless both outcomes occur.

    Source: Hanley & McNeil (1982); Mann & Whitney (1947).

    >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    return roc_auc_interval(y, score).value


def roc_auc_interval(y: Values, score: Values, confidence: float = 0.95) -> Interval3:
    """ROC AUC with DeLong's variance, in O(n log n), and an interval on the logit scale.

    The logit keeps the interval within 0–1 and its coverage near nominal when the AUC is close to 1.
    Where DeLong's variance is 0 although the AUC is only estimated (every positive above every negative, or below),
    the interval is the exact one of the min(positives, negatives) pairs that share no row: each is ordered right.

    Source: DeLong, DeLong & Clarke-Pearson (1988); Sun & Xu (2014) for the midranks; Pepe (2003) for the logit;
    Clopper & Pearson (1934) for perfect separation.

    Examples
    --------
    >>> auc = roc_auc_interval([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> auc.value, auc.variance
    (0.75, 0.125)
    """
    truth, scores = _judged(y, score)
    _, at = np.unique(scores, return_inverse=True)
    values = int(at.max(initial=-1)) + 1
    positives = np.bincount(at[truth], minlength=values)
    negatives = np.bincount(at[~truth], minlength=values)
    return roc_auc_of_counts(positives, negatives, confidence)


def roc_auc_of_counts(positives: npt.ArrayLike, negatives: npt.ArrayLike, confidence: float = 0.95) -> Interval3:
    """ROC AUC from two histograms of scores over the same ascending bins; scores in one bin are ties.

    So it can be told for any period whose histograms are kept. With 256 quantile bins it is within about 0.001 of
    the one on raw scores.

    Parameters
    ----------
    positives, negatives
        Counts, shape (n_bins,).

    Examples
    --------
    >>> roc_auc_of_counts([0, 10], [10, 0]).value
    1.0
    """
    z = z_of(confidence)
    p, q = np.asarray(positives, np.float64), np.asarray(negatives, np.float64)
    if p.shape != q.shape or p.ndim != 1:
        raise ValueError(f"Both histograms must have the same bins. Got shapes {p.shape} and {q.shape}.")
    n_positive, n_negative = float(p.sum()), float(q.sum())
    if not n_positive or not n_negative:
        return UNKNOWN
    below = (np.cumsum(q) - q / 2) / n_negative
    above = (n_positive - np.cumsum(p) + p / 2) / n_positive
    area = float(np.sum(p * below)) / n_positive
    area = min(max(area, 0.0), 1.0)
    if min(n_positive, n_negative) < 2:
        return Interval3(area, 0.0, 1.0, None)
    if area in (0.0, 1.0):
        return _separated(area, min(n_positive, n_negative), confidence)
    variance = float(np.sum(p * (below - area) ** 2)) / (n_positive - 1) / n_positive
    variance += float(np.sum(q * (above - area) ** 2)) / (n_negative - 1) / n_negative
    return Interval3(area, *_on_logit_scale(area, variance, z), variance)


def roc_auc_within(y: Values, score: Values, stratum: Values, confidence: float = 0.95) -> Interval3:
    """ROC AUC of rows that several models scored: only pairs scored by the same model are compared.

    Two models' scores are on scales of their own, so a pooled AUC can be far below either's (Simpson's paradox).
    This one is the mean of the strata's AUCs, each with the weight of its pairs. Strata are independent, so the
    variances add up. 0–1, higher is better; None unless a stratum has both outcomes; no interval unless each such
    stratum has one.

    Source: Janes & Pepe (2008), adjusting for covariates in studies of diagnostic markers.

    Examples
    --------
    >>> roc_auc_within([0, 1, 0, 1], [0.1, 0.2, 0.8, 0.9], [1, 1, 2, 2]).value
    1.0
    >>> roc_auc([0, 1, 0, 1], [0.1, 0.2, 0.8, 0.9])
    0.75
    """
    outcomes, scores, strata = numbers_of(y), numbers_of(score), np.asarray(stratum)
    parts: list[tuple[float, Interval3]] = []
    for one in np.unique(strata):
        mine = strata == one
        truth, _ = _judged(outcomes[mine], scores[mine])
        compared = float(np.count_nonzero(truth)) * float(np.count_nonzero(~truth))
        if compared:
            parts.append((compared, roc_auc_interval(outcomes[mine], scores[mine], confidence)))
    if len(parts) < 2:
        return parts[0][1] if parts else UNKNOWN
    pairs = np.array([count for count, _ in parts])
    area = float(np.sum(pairs * [auc.value or 0.0 for _, auc in parts]) / pairs.sum())  # exactly 1 where every one is
    weights = pairs / pairs.sum()
    variances = [auc.variance for _, auc in parts]
    if None in variances or not 0 < area < 1:
        return Interval3(area, 0.0, 1.0, None)
    variance = float(sum(weight**2 * (one or 0.0) for weight, one in zip(weights, variances, strict=True)))
    if any(auc.value in (0.0, 1.0) for _, auc in parts):  # whose variance is a width; on a logit's scale it is endless
        reach = z_of(confidence) * math.sqrt(variance)
        return Interval3(area, max(area - reach, 0.0), min(area + reach, 1.0), variance)
    return Interval3(area, *_on_logit_scale(area, variance, z_of(confidence)), variance)


def _on_logit_scale(area: float, variance: float, z: float) -> tuple[float, float]:
    reach = z * math.sqrt(variance) / (area * (1 - area))
    middle = math.log(area / (1 - area))
    return float(special.expit(middle - reach)), float(special.expit(middle + reach))


def _separated(area: float, pairs: float, confidence: float) -> Interval3:
    """The interval when every pair is ordered alike; its width stands in for the variance, which is not 0."""
    width = 1 - ((1 - confidence) / 2) ** (1 / pairs)
    variance = (width / z_of(confidence)) ** 2
    return Interval3(area, area - width, 1.0, variance) if area else Interval3(area, 0.0, width, variance)


def roc_auc_difference(y: Values, score_a: Values, score_b: Values, confidence: float = 0.95) -> Interval3:
    """ROC AUC of b minus that of a on the same rows, with DeLong's interval for paired scores.

    −1 to 1; above 0 means b ranks better. What both get right or wrong together cancels, so the interval is much
    narrower than the two intervals suggest. A row with any of the three missing is left out.
    None unless both outcomes occur; no interval with fewer than 2 of either.

    Source: DeLong, DeLong & Clarke-Pearson (1988).

    Examples
    --------
    >>> same = roc_auc_difference([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], [0.1, 0.4, 0.35, 0.8])
    >>> same.value, same.low, same.high
    (0.0, 0.0, 0.0)
    """
    z = z_of(confidence)
    scores = np.stack([numbers_of(score).astype(np.float64) for score in (score_a, score_b)])
    truth, rows = _judged(y, np.where(np.isnan(scores).any(axis=0), np.nan, np.arange(scores.shape[1])))
    if not truth.any() or truth.all():
        return UNKNOWN
    placements = [_placements(truth, kept) for kept in scores[:, rows.astype(np.int64)]]
    of_positives = placements[1][0] - placements[0][0]
    of_negatives = placements[1][1] - placements[0][1]
    value = float(np.mean(of_positives))
    if min(len(of_positives), len(of_negatives)) < 2:
        return Interval3(value, None, None, None)
    variance = float(np.var(of_positives, ddof=1)) / len(of_positives)
    variance += float(np.var(of_negatives, ddof=1)) / len(of_negatives)
    reach = z * math.sqrt(variance)
    return Interval3(value, max(value - reach, -1.0), min(value + reach, 1.0), variance)


def _placements(truth: npt.NDArray[np.bool_], scores: Numbers) -> tuple[Numbers, Numbers]:
    """For each positive the share of negatives below it, for each negative the share of positives above it."""
    _, at = np.unique(scores, return_inverse=True)
    values = int(at.max()) + 1
    p = np.bincount(at[truth], minlength=values)
    q = np.bincount(at[~truth], minlength=values)
    below = (np.cumsum(q) - q / 2) / q.sum()
    above = (p.sum() - np.cumsum(p) + p / 2) / p.sum()
    return below[at[truth]], above[at[~truth]]


def brier(y: Values, score: Values) -> float | None:
    """The mean squared difference of score and outcome. 0–1 for scores of 0–1, lower is better; None without rows.

    Source: Brier (1950).

    >>> brier([0, 1], [0.5, 1.0])
    0.125
    """
    truth, scores = _judged(y, score)
    return float(np.mean((scores - truth) ** 2)) if len(truth) else None


def brier_interval(y: Values, score: Values, confidence: float = 0.95) -> Interval3:
    """The Brier score with Student's interval over rows, cut at 0.

    >>> brier_interval([0, 1, 1], [0.5, 1.0, 0.5]).low
    0.0
    """
    truth, scores = _judged(y, score)
    mean = mean_interval((scores - truth) ** 2, confidence)
    return mean if mean.low is None else mean._replace(low=max(mean.low, 0.0))


def calibration_gap(y: Values, score: Values, confidence: float = 0.95) -> Interval3:
    """The mean score minus the share of positives, with Student's interval over rows (calibration-in-the-large).

    Above 0: the scores promise more positives than come; below 0: fewer. 0 is best. −1 to 1 for scores of 0–1.

    Source: Cox (1958); Van Calster et al. (2019), "Calibration: the Achilles heel of predictive analytics".

    >>> calibration_gap([0, 0, 1, 1], [0.5, 0.5, 0.5, 1.0]).value
    0.125
    """
    truth, scores = _judged(y, score)
    return mean_interval(scores - truth, confidence)


def confusion(y: Values, predicted: Values) -> ConfusionCounts:
    """How often yes and no were said, and were right. Rows with either missing are left out.

    >>> confusion([1, 0, 1, 0], [True, True, False, False])
    ConfusionCounts(true_positive=1, false_positive=1, false_negative=1, true_negative=1)
    """
    truth, said = _judged(y, predicted)
    _check_outcomes(said, "predicted")
    yes = said == 1
    return ConfusionCounts(
        true_positive=int(np.count_nonzero(yes & truth)),
        false_positive=int(np.count_nonzero(yes & ~truth)),
        false_negative=int(np.count_nonzero(~yes & truth)),
        true_negative=int(np.count_nonzero(~yes & ~truth)),
    )


def _judged(y: Values, score: Values) -> tuple[npt.NDArray[np.bool_], Numbers]:
    return judged_rows(y, score)[:2]


def judged_rows(y: Values, score: Values) -> tuple[npt.NDArray[np.bool_], Numbers, npt.NDArray[np.bool_]]:
    """The rows in which nothing is missing: outcomes as booleans, scores as floats; and which rows they are.

    Raises ValueError for an outcome that is neither 0 nor 1.

    >>> [column.tolist() for column in judged_rows([1, None], [0.5, 0.5])]
    [[True], [0.5], [True, False]]
    """
    columns = [numbers_of(column).astype(np.float64) for column in (y, score)]
    if len(columns[0]) != len(columns[1]):
        raise ValueError(f"Every row needs an outcome and a score. Got {len(columns[0])} and {len(columns[1])}.")
    there = ~(np.isnan(columns[0]) | np.isnan(columns[1]))
    _check_outcomes(columns[0][there], "y")
    return columns[0][there] == 1, columns[1][there], there


def _check_outcomes(values: Numbers, name: str) -> None:
    other = values[(values != 0) & (values != 1)]
    if len(other):
        raise ValueError(f"{name} must be 0 or 1. Got {len(other)} other values, the first {other[0]:g}.")
