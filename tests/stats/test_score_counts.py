"""What is told from counts, held against scikit-learn and against the rows themselves."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk

from tenure.stats import accuracy, score_counts
from tenure.stats.histograms import count_numeric, in_order, merge_numeric, quantile_edges
from tenure.stats.score_counts import ScoreMoments, confusion_at, place_of


class Scored:
    """Scores with ties and a point mass, whole and as counts that were added up from parts."""

    def __init__(self, n: int = 6000) -> None:
        rng = np.random.default_rng(4)
        self.score = np.where(rng.random(n) < 0.1, 0.5, rng.beta(2, 4, n))
        self.y = (rng.random(n) < self.score).astype(int)
        self.edges, self.points = quantile_edges(self.score, 64)
        self.sides = [self.merged(self.score[self.y == side]) for side in (1, 0)]
        self.positives, self.negatives = (in_order(one, self.edges, self.points) for one in self.sides)

    def merged(self, values: np.ndarray):
        return merge_numeric([count_numeric(part, self.edges, self.points) for part in np.array_split(values, 7)])


@pytest.fixture(scope="module")
def scored() -> Scored:
    return Scored()


def test_the_confusion_matrix_at_every_edge_is_that_of_the_rows(scored: Scored) -> None:
    for threshold in [-1.0, *score_counts.ordered_edges(scored.edges, scored.points).tolist(), 2.0]:
        place = place_of(threshold, scored.edges, scored.points) if threshold > 0 else 0
        told = confusion_at(scored.positives, scored.negatives, place)
        [[tn, fp], [fn, tp]] = sk.confusion_matrix(scored.y, scored.score >= threshold, labels=[0, 1])
        assert told == (tp, fp, fn, tn)


def test_auc_and_separation_are_those_of_scores_that_are_rounded_to_their_bins(scored: Scored) -> None:
    binned = np.searchsorted(score_counts.ordered_edges(scored.edges, scored.points), scored.score, side="right")
    told = accuracy.roc_auc_of_counts(scored.positives, scored.negatives).value
    assert told == pytest.approx(sk.roc_auc_score(scored.y, binned), abs=1e-12)
    assert told == pytest.approx(sk.roc_auc_score(scored.y, scored.score), abs=1e-3)
    fpr, tpr, _ = sk.roc_curve(scored.y, binned)
    assert score_counts.separation(scored.positives, scored.negatives) == pytest.approx(np.max(tpr - fpr), abs=1e-12)


def test_a_profit_curve_is_the_sum_over_rows_at_every_threshold(scored: Scored) -> None:
    worth = {"tp": 40.0, "fp": -7.5, "fn": -2.0, "tn": 0.25}
    curve = score_counts.profit_curve(scored.positives, scored.negatives, **worth)
    cuts = [-np.inf, *score_counts.ordered_edges(scored.edges, scored.points), np.inf]
    for threshold, height in zip(cuts, curve, strict=True):
        yes = scored.score >= threshold
        rows = np.where(yes, np.where(scored.y, 40.0, -7.5), np.where(scored.y, -2.0, 0.25))
        assert height == pytest.approx(rows.sum(), abs=1e-6)
    best = score_counts.best_of(curve)
    assert best.value == curve.max()


def test_brier_and_calibration_in_the_large_follow_exactly_from_moments(scored: Scored) -> None:
    positives, negatives = (ScoreMoments(side.n, side.mean, side.m2) for side in scored.sides)
    brier = sk.brier_score_loss(scored.y, scored.score)
    assert score_counts.brier_of_moments(positives, negatives) == pytest.approx(brier, abs=1e-12)
    gap = accuracy.calibration_gap(scored.y, scored.score).value
    assert score_counts.gap_of_moments(positives, negatives) == pytest.approx(gap, abs=1e-12)


def test_a_calibration_curve_counts_every_row_once_and_rises_with_honest_scores(scored: Scored) -> None:
    curve = score_counts.calibration_curve(scored.positives, scored.negatives)
    assert sum(one.n for one in curve) == len(scored.y)
    assert sum(round(one.n * one.happened.value) for one in curve) == scored.y.sum()
    told = [one.happened.value for one in curve]
    assert told == sorted(told)
    edges = score_counts.ordered_edges(scored.edges, scored.points)
    for one in curve:
        binned = np.searchsorted(edges, scored.score, side="right")
        mean = scored.score[(binned >= one.first) & (binned < one.last)].mean()
        assert one.happened.low - 0.02 < mean < one.happened.high + 0.02


def test_a_regression_s_figures_follow_from_merged_moments() -> None:
    rng = np.random.default_rng(5)
    y = rng.gamma(2, 10, 3000)
    predicted = y + rng.normal(1, 4, 3000)
    error = predicted - y

    def moments(values: np.ndarray) -> ScoreMoments:
        edges, points = quantile_edges(values)
        merged = merge_numeric([count_numeric(part, edges, points) for part in np.array_split(values, 5)])
        return ScoreMoments(merged.n, merged.mean, merged.m2)

    told = score_counts.regression_of_moments(moments(error), moments(np.abs(error)), moments(y))
    assert told.mae == pytest.approx(sk.mean_absolute_error(y, predicted), rel=1e-12)
    assert told.rmse == pytest.approx(sk.root_mean_squared_error(y, predicted), rel=1e-12)
    assert told.r2 == pytest.approx(sk.r2_score(y, predicted), rel=1e-12)
    assert told.bias == pytest.approx(error.mean(), rel=1e-12)


def test_nothing_is_told_of_nothing() -> None:
    none = ScoreMoments(0, 0.0, 0.0)
    assert score_counts.separation([0, 0], [1, 2]) is None
    assert score_counts.brier_of_moments(none, none) is None
    assert score_counts.gap_of_moments(none, none) is None
    assert score_counts.regression_of_moments(none, none, none) is None
    assert score_counts.regression_of_moments(*[ScoreMoments(1, 1.0, 0.0)] * 3).r2 is None
    assert score_counts.calibration_curve([0], [0]) == []
    with pytest.raises(ValueError, match="same bins"):
        confusion_at([1], [1, 2], 0)
