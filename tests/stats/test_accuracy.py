from __future__ import annotations

import math

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from tenure.stats import accuracy
from tenure.stats.histograms import count_numeric, in_order, quantile_edges
from tenure.stats.intervals import UNKNOWN


def judged(seed: int, n: int = 300, positives: float = 0.3, shift: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < positives).astype(float)
    return y, np.round(rng.normal(size=n) + shift * y, 1)  # rounding makes ties


def placements_one_by_one(y: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """DeLong's components by their definition, O(n²)."""
    positive, negative = score[y == 1], score[y == 0]
    kernel = (positive[:, None] > negative[None, :]) + 0.5 * (positive[:, None] == negative[None, :])
    return kernel.mean(axis=1), kernel.mean(axis=0)


@pytest.mark.parametrize("seed", range(5))
def test_auc_and_its_variance_follow_delongs_definition(seed):
    y, score = judged(seed)
    of_positives, of_negatives = placements_one_by_one(y, score)
    variance = np.var(of_positives, ddof=1) / len(of_positives) + np.var(of_negatives, ddof=1) / len(of_negatives)
    measured = accuracy.roc_auc_interval(y, score)
    assert measured.value == pytest.approx(sklearn.metrics.roc_auc_score(y, score), abs=1e-12)
    assert measured.variance == pytest.approx(variance, rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_paired_variance_follows_delongs_definition(seed):
    y, one = judged(seed)
    other = np.round(one + np.random.default_rng(seed + 100).normal(0, 0.5, len(y)), 1)
    first, second = placements_one_by_one(y, one), placements_one_by_one(y, other)
    covariances = [np.cov(np.stack((first[side], second[side]))) / len(first[side]) for side in (0, 1)]
    contrast = np.array([-1.0, 1.0])
    variance = contrast @ (covariances[0] + covariances[1]) @ contrast
    measured = accuracy.roc_auc_difference(y, one, other)
    gap = sklearn.metrics.roc_auc_score(y, other) - sklearn.metrics.roc_auc_score(y, one)
    assert measured.value == pytest.approx(gap, abs=1e-12)
    assert measured.variance == pytest.approx(variance, rel=1e-9)


def test_a_paired_difference_is_the_same_backwards():
    y, one = judged(1)
    _, other = judged(2)
    forth, back = accuracy.roc_auc_difference(y, one, other), accuracy.roc_auc_difference(y, other, one)
    assert forth.value == pytest.approx(-back.value)
    assert forth.low == pytest.approx(-back.high)


@pytest.mark.parametrize(("positives", "negatives", "shift"), [(60, 200, 0.5), (30, 100, 2.0), (500, 1500, 1.0)])
def test_the_auc_interval_covers_as_often_as_it_says(positives, negatives, shift):
    rng = np.random.default_rng([positives, negatives])
    truth = 0.5 * (1 + math.erf(shift / 2))  # of two unit normals that lie `shift` apart
    y = np.repeat([1.0, 0.0], [positives, negatives])
    covered, runs = 0, 1500
    for _ in range(runs):
        interval = accuracy.roc_auc_interval(y, rng.normal(size=len(y)) + shift * y, 0.95)
        covered += interval.low <= truth <= interval.high
    assert 0.935 <= covered / runs <= 0.975


def test_the_paired_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(11)
    y = np.repeat([1.0, 0.0], [100, 300])
    truth = 0.5 * (1 + math.erf(1.0 / 2)) - 0.5 * (1 + math.erf(0.8 / 2))
    covered, runs = 0, 1500
    for _ in range(runs):
        shared = rng.normal(size=len(y))
        one = 0.8 * y + 0.8 * shared + 0.6 * rng.normal(size=len(y))
        other = 1.0 * y + 0.8 * shared + 0.6 * rng.normal(size=len(y))
        interval = accuracy.roc_auc_difference(y, one, other)
        covered += interval.low <= truth <= interval.high
    assert 0.935 <= covered / runs <= 0.965


def test_perfect_separation_still_has_an_interval_with_width():
    interval = accuracy.roc_auc_interval([0] * 20 + [1] * 10, list(range(30)))
    assert interval.value == 1
    assert interval.low == pytest.approx(0.025 ** (1 / 10))
    assert interval.high == 1
    assert interval.variance > 0
    worst = accuracy.roc_auc_interval([1] * 10 + [0] * 20, list(range(30)))
    assert (worst.value, worst.low) == (0, 0)
    assert worst.high == pytest.approx(1 - interval.low)


def test_a_constant_score_is_guessing():
    interval = accuracy.roc_auc_interval([0, 1] * 50, [0.3] * 100)
    assert (interval.value, interval.low, interval.high) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("y", [[], [1, 1, 1], [0, 0], [None, 1]])
def test_one_outcome_alone_tells_no_auc(y):
    score = np.linspace(0, 1, len(y))
    assert accuracy.roc_auc(y, score) is None
    assert accuracy.roc_auc_interval(y, score) == UNKNOWN
    assert accuracy.roc_auc_difference(y, score, score) == UNKNOWN


def test_a_single_positive_has_an_auc_that_may_be_anything():
    interval = accuracy.roc_auc_interval([1, 0, 0], [0.9, 0.1, 0.2])
    assert interval == (1.0, 0.0, 1.0, None)


def test_rows_in_which_something_is_missing_are_left_out():
    y, score = judged(3)
    gaps_y, gaps_score = np.append(y, [np.nan, 1.0]), np.append(score, [0.5, np.nan])
    assert accuracy.roc_auc_interval(gaps_y, gaps_score) == accuracy.roc_auc_interval(y, score)
    assert accuracy.brier(gaps_y, gaps_score) == accuracy.brier(y, score)
    pair = accuracy.roc_auc_difference(gaps_y, gaps_score, np.append(score, [0.1, 0.2]))
    assert pair == accuracy.roc_auc_difference(y, score, score)


def test_infinite_scores_have_a_rank():
    assert accuracy.roc_auc([0, 0, 1, 1], [-math.inf, 0.0, 0.0, math.inf]) == 0.875


@pytest.mark.parametrize("scores", ["smooth", "of a small tree", "mostly zero"])
def test_auc_from_stored_histograms_is_close_to_the_one_from_rows(scores):
    rng = np.random.default_rng(5)
    chance = rng.beta(2, 5, 20_000)
    y = (rng.random(20_000) < chance).astype(float)
    score = {
        "smooth": chance,
        "of a small tree": np.round(chance * 30) / 30,
        "mostly zero": np.where(rng.random(20_000) < 0.6, 0.0, chance),
    }[scores]
    edges, points = quantile_edges(score)
    rows = [in_order(count_numeric(score[y == side], edges, points), edges, points) for side in (1, 0)]
    binned, exact = accuracy.roc_auc_of_counts(*rows), accuracy.roc_auc_interval(y, score)
    assert binned.value == pytest.approx(exact.value, abs=1e-4)
    assert binned.variance == pytest.approx(exact.variance, rel=0.01)


def test_brier_equals_scikit_learns():
    y, _ = judged(6)
    score = np.random.default_rng(6).random(len(y))
    assert accuracy.brier(y, score) == pytest.approx(sklearn.metrics.brier_score_loss(y, score))
    interval = accuracy.brier_interval(y, score)
    assert interval.low < accuracy.brier(y, score) < interval.high
    assert accuracy.brier([], []) is None


def test_the_calibration_gap_is_covered_and_has_a_direction():
    rng = np.random.default_rng(7)
    covered, runs = 0, 1500
    for _ in range(runs):
        chance = rng.beta(2, 5, 400)
        y = (rng.random(400) < chance).astype(float)
        gap = accuracy.calibration_gap(y, chance + 0.03)
        covered += gap.low <= 0.03 <= gap.high
    assert 0.935 <= covered / runs <= 0.965
    assert accuracy.calibration_gap([0, 0, 1], [0.9, 0.9, 0.9]).value > 0


@given(rows=st.lists(st.tuples(st.booleans(), st.booleans())))
def test_confusion_counts_equal_scikit_learns(rows):
    y, said = [row[0] for row in rows], [row[1] for row in rows]
    counts = accuracy.confusion(y, said)
    assert sum(counts) == len(rows)
    if rows:
        expected = sklearn.metrics.confusion_matrix(y, said, labels=[False, True]).ravel().tolist()
        assert [counts.true_negative, counts.false_positive, counts.false_negative, counts.true_positive] == expected


@pytest.mark.parametrize(
    ("y", "score", "said"),
    [([0, 2], [0.1, 0.2], "y must be 0 or 1"), ([0, 1, 1], [0.1, 0.2], "Every row needs an outcome and a score")],
)
def test_what_is_no_outcome_is_refused(y, score, said):
    with pytest.raises(ValueError, match=said):
        accuracy.roc_auc_interval(y, score)


def test_within_one_stratum_it_is_the_plain_area():
    rng = np.random.default_rng(5)
    y = rng.integers(0, 2, 500)
    score = rng.normal(y, 1.5)
    assert accuracy.roc_auc_within(y, score, np.zeros(500)) == accuracy.roc_auc_interval(y, score)


def test_models_on_scales_of_their_own_are_not_mixed():
    """The second model's scores are all higher, and its rows rarer positive: pooled, both look worse than they are."""
    rng = np.random.default_rng(6)
    first, second = rng.random(4000) < 0.5, rng.random(4000) < 0.1
    y = np.concatenate([first, second]).astype(float)
    score = np.concatenate([rng.normal(first * 1.0, 1), 5 + rng.normal(second * 1.0, 1)])
    stratum = np.repeat([1, 2], 4000)
    within = accuracy.roc_auc_within(y, score, stratum)
    assert within.value is not None
    assert within.low is not None
    assert within.high is not None
    assert abs(within.value - 0.7602) < 0.02  # Φ(1/√2), the area of two normals one deviation apart
    assert (accuracy.roc_auc(y, score) or 0.0) < 0.5
    assert within.low < within.value < within.high


def test_the_interval_within_strata_covers_at_its_level():
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(400):
        y = np.concatenate([rng.random(150) < 0.5, rng.random(150) < 0.3]).astype(float)
        score = rng.normal(y, 1) + np.repeat([0.0, 3.0], 150)
        found = accuracy.roc_auc_within(y, score, np.repeat([1, 2], 150))
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.76025 <= found.high
    assert 0.92 <= covered / 400 <= 0.98


@given(st.lists(st.integers(60, 400), min_size=2, max_size=7))
def test_what_every_stratum_separates_is_separated_exactly(sizes):
    """A share that is rounded below 1 would have an interval of all of 0–1."""
    stratum = np.repeat(np.arange(len(sizes)), sizes)
    y = np.arange(len(stratum)) % 3 == 0
    assert accuracy.roc_auc_within(y.astype(float), y.astype(float), stratum).value == 1.0


def test_a_single_pair_that_is_out_of_order_does_not_tear_the_interval_apart():
    stratum = np.repeat(np.arange(5), 160)
    y = np.tile([0.0, 1.0], 400)
    score = y + np.linspace(0, 0.1, 800)
    score[0], score[1] = 1.05, 0.95  # of the first stratum
    found = accuracy.roc_auc_within(y, score, stratum)
    assert 0.99 < found.value < 1
    assert 0.95 < found.low < found.value < found.high <= 1
