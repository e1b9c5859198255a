"""Measures of a choice between several classes, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from tenure.stats import multiclass

metrics = pytest.importorskip("sklearn.metrics")


def drawn(n: int, classes: int = 4, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.choice(classes, n, p=np.arange(1, classes + 1) / np.arange(1, classes + 1).sum())
    raw = np.exp(rng.normal(size=(n, classes)) + 1.5 * np.eye(classes)[y])
    chances = raw / raw.sum(axis=1, keepdims=True)
    return y, chances, chances.argmax(axis=1)


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize("share", ["precision", "recall", "f1"])
def test_averages_are_scikit_learns(share: str, average: str) -> None:
    y, _, said = drawn(2_000)
    kept = multiclass.of_rows(y, said, 4, [f"id-{row}" for row in range(2_000)])
    found = multiclass.averaged(kept, share, average)
    told = getattr(metrics, f"{share}_score")(y, said, average=average)
    assert found.value == pytest.approx(told, abs=1e-9)
    assert found.low < found.value < found.high


def test_the_rest_is_scikit_learns() -> None:
    y, chances, said = drawn(2_000)
    counts = multiclass.confusion(y, said, 4)
    assert counts.tolist() == metrics.confusion_matrix(y, said).tolist()
    assert multiclass.accuracy(y, said).value == pytest.approx(metrics.accuracy_score(y, said), abs=1e-9)
    auc = multiclass.one_against_rest_auc(y, chances)
    assert auc.value == pytest.approx(metrics.roc_auc_score(y, chances, multi_class="ovr"), abs=1e-9)
    assert multiclass.log_loss(y, chances).value == pytest.approx(metrics.log_loss(y, chances), abs=1e-9)
    kept = multiclass.of_rows(y, said, 4, range(2_000))
    for share in ("precision", "recall", "f1"):
        told = getattr(metrics, f"{share}_score")(y, said, average=None)
        assert [multiclass.of_class(kept, share, one).value for one in range(4)] == pytest.approx(list(told), abs=1e-9)


def test_a_class_that_never_came_counts_as_in_scikit_learn() -> None:
    y, said = np.array([0, 0, 1, 1]), np.array([0, 2, 1, 1])
    kept = multiclass.of_rows(y, said, 4, range(4))
    for share in ("precision", "recall", "f1"):
        told = getattr(metrics, f"{share}_score")(y, said, average="macro", zero_division=0)
        assert multiclass.averaged(kept, share, "macro").value == pytest.approx(told, abs=1e-9)


def test_the_mean_auc_has_an_interval_that_covers() -> None:
    truth = multiclass.one_against_rest_auc(*drawn(200_000, seed=999)[:2]).value
    covered = 0
    for seed in range(200):
        told = multiclass.one_against_rest_auc(*drawn(300, seed=seed)[:2])
        covered += told.low <= truth <= told.high
    assert 182 <= covered <= 199


def test_two_classes_have_the_interval_of_delong() -> None:
    from tenure.stats.accuracy import roc_auc_interval

    y, chances, _ = drawn(500, classes=2)
    both = multiclass.one_against_rest_auc(y, chances)
    assert both.variance == pytest.approx(roc_auc_interval(y, chances[:, 1]).variance, rel=1e-9)


def test_the_most_frequent_mistakes_come_first() -> None:
    counts = np.array([[90, 3, 7], [0, 50, 0], [20, 0, 20]])
    found = multiclass.top_confusions(counts, 2)
    assert [(one.came, one.said, one.rows, one.share) for one in found] == [(2, 0, 20, 0.5), (0, 2, 7, 0.07)]


def test_no_rows_say_none() -> None:
    none = np.empty(0, np.int64)
    assert multiclass.accuracy(none, none).value is None
    assert multiclass.one_against_rest_auc(none, np.empty((0, 3))).value is None
    assert multiclass.averaged(multiclass.of_rows(none, none, 3, []), "f1", "macro").value is None
