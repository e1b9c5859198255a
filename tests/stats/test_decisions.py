"""Decisions, chances and curves of yes/no models, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from tenure.stats import accuracy, decisions

metrics = pytest.importorskip("sklearn.metrics")


def drawn(n: int, seed: int = 1, tied: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.2).astype(float)
    score = 1 / (1 + np.exp(-(rng.normal(size=n) + y - 1.5)))
    return y, np.round(score, 2) if tied else score


@pytest.mark.parametrize("tied", [False, True])
def test_every_measure_is_scikit_learns(tied: bool) -> None:
    y, score = drawn(4_000, tied=tied)
    keys = [f"id-{row}" for row in range(4_000)]
    said = score >= 0.4
    counts = accuracy.confusion(y, said)
    recall_of_no = metrics.recall_score(y, said, pos_label=0)
    fpr, tpr, _ = metrics.roc_curve(y, score)
    for found, told in (
        (decisions.accuracy(counts), metrics.accuracy_score(y, said)),
        (decisions.precision(counts), metrics.precision_score(y, said)),
        (decisions.recall(counts), metrics.recall_score(y, said)),
        (decisions.specificity(counts), recall_of_no),
        (decisions.f1(y, said, keys), metrics.f1_score(y, said)),
        (decisions.log_loss(y, score), metrics.log_loss(y, score)),
        (decisions.average_precision(decisions.ranked(y, score, keys)), metrics.average_precision_score(y, score)),
        (decisions.ks(decisions.ranked(y, score, keys)), float(np.max(tpr - fpr))),
    ):
        assert found.value == pytest.approx(told, abs=1e-9)
        assert found.low < found.value < found.high


def test_the_log_loss_of_a_certain_mistake_is_scikit_learns() -> None:
    y, score = [0.0, 1.0, 1.0], [1.0, 0.0, 1.0]
    assert decisions.log_loss(y, score).value == pytest.approx(metrics.log_loss(y, score), abs=1e-9)


def test_curves_from_counts_are_scikit_learns_when_every_score_has_its_bin() -> None:
    y, score = drawn(2_000, tied=True)
    counts = decisions.score_counts(y, score)
    fpr, tpr, _ = metrics.roc_curve(y, score, drop_intermediate=False)
    np.testing.assert_allclose(decisions.roc_points(counts), (fpr, tpr), atol=1e-12)
    precision, recall, _ = metrics.precision_recall_curve(y, score)
    np.testing.assert_allclose(decisions.pr_points(counts), (recall[:-1][::-1], precision[:-1][::-1]), atol=1e-12)
    assert accuracy.roc_auc_of_counts(counts.positives, counts.negatives).value == pytest.approx(
        metrics.roc_auc_score(y, score), abs=1e-9
    )


def test_a_calibration_curve_is_that_of_its_bins() -> None:
    from sklearn.calibration import calibration_curve

    y, score = drawn(10_000)
    found = decisions.calibration_curve(y, score)
    happened, said = calibration_curve(y, score, n_bins=10, strategy="quantile")
    np.testing.assert_allclose([one.mean_score for one in found], said, atol=1e-3)
    np.testing.assert_allclose([one.happened.value for one in found], happened, atol=2e-3)
    assert sum(one.n for one in found) == 10_000


@pytest.mark.parametrize(("y", "score"), [([], []), ([1.0], [0.5]), ([1.0, 1.0], [0.5, 0.5]), ([None], [None])])
def test_too_little_says_none_and_never_nan(y: list[float], score: list[float]) -> None:
    keys = range(len(y))
    found = [
        decisions.average_precision(decisions.ranked(y, score, keys)),
        decisions.ks(decisions.ranked(y, score, keys)),
        decisions.log_loss(y, score),
    ]
    found += [decisions.f1(y, score, keys)] if 0.5 not in score else []
    for told in found:
        assert all(one is None or np.isfinite(one) for one in told)
    decisions.calibration_curve(y, score)
    decisions.roc_points(decisions.score_counts(y, score))


def test_intervals_of_the_area_cover_the_truth_about_as_often_as_they_say() -> None:
    truth = metrics.average_precision_score(*drawn(400_000, 99))
    covered = 0
    for seed in range(100):
        y, score = drawn(800, seed)
        told = decisions.average_precision(decisions.ranked(y, score, [f"{seed}-{row}" for row in range(800)]))
        covered += told.low <= truth <= told.high
    assert 87 <= covered <= 100
