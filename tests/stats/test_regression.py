"""Measures of predicted numbers, against scikit-learn; and what their intervals cover."""

from __future__ import annotations

import numpy as np
import pytest

from tenure.stats import regression, resampling

metrics = pytest.importorskip("sklearn.metrics")


def drawn(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.lognormal(3, 1, n)
    return y, y * 0.9 + rng.normal(0, 5, n)


@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_every_measure_is_scikit_learns(shift: float) -> None:
    y, said = (column + shift for column in drawn(3_000))
    kept = regression.of_rows(y, said, range(3_000))
    told = {
        "mae": metrics.mean_absolute_error(y, said),
        "rmse": metrics.root_mean_squared_error(y, said),
        "mape": metrics.mean_absolute_percentage_error(y, said),
        "r_squared": metrics.r2_score(y, said),
        "bias": float(np.mean(said - y)),
        "wape": metrics.mean_absolute_error(y, said) / np.mean(np.abs(y)),
        "smape": float(np.mean(2 * np.abs(said - y) / (np.abs(said) + np.abs(y)))),
    }
    assert set(told) == set(regression.MEASURES)
    for name, measure in regression.MEASURES.items():
        found = measure(kept)
        assert found.value == pytest.approx(told[name], abs=1e-9, rel=1e-9), name
        assert found.low < found.value < found.high


def test_mape_leaves_zeros_out_and_wape_counts_them() -> None:
    kept = regression.of_rows([0.0, 10.0], [5.0, 11.0], ["a", "b"])
    assert regression.mape(kept).value == pytest.approx(0.1)
    assert regression.wape(kept).value == pytest.approx(0.6)
    only = regression.of_rows([0.0, 0.0], [1.0, 2.0], ["a", "b"])
    assert (regression.mape(only).value, regression.wape(only).value) == (None, None)
    assert regression.smape(only).value == 2.0


@pytest.mark.parametrize(
    ("y", "said"),
    [([], []), ([1.0], [2.0]), ([np.nan, None], [1.0, 2.0]), ([np.inf], [1.0]), ([3.0, 3.0], [3.0, 4.0])],
)
def test_too_little_says_none_and_never_nan(y: list[float], said: list[float]) -> None:
    kept = regression.of_rows(y, said, range(len(y)))
    for measure in regression.MEASURES.values():
        assert all(one is None or np.isfinite(one) for one in measure(kept))
    assert regression.r_squared(kept).value is None
    regression.residuals(y, said)


def test_parts_add_up_to_the_whole_and_the_same_rows_give_the_same_interval() -> None:
    rng = np.random.default_rng(2)
    rows, keys = rng.random((500, 3)), [f"id-{row}" for row in range(500)]
    whole = resampling.totals(rows, keys)
    parts = resampling.merged([resampling.totals(rows[:123], keys[:123]), resampling.totals(rows[123:], keys[123:])])
    np.testing.assert_allclose(whole.drawn, parts.drawn, rtol=1e-12)
    order = rng.permutation(500)
    again = resampling.totals(rows[order], [keys[row] for row in order])
    np.testing.assert_allclose(whole.drawn, again.drawn, rtol=1e-12)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        error = rng.normal(1, 2, 300)
        kept = regression.of_rows(np.zeros(300), error, [f"{seed}-{row}" for row in range(300)])
        told = regression.rmse(kept)
        covered += told.low <= np.sqrt(5) <= told.high
    assert 180 <= covered <= 198


def test_coverage_counts_what_lies_within_the_models_own_interval() -> None:
    told = regression.coverage([1.0, 2.0, 3.0, np.nan], [0.0, 3.0, 3.0, 0.0], [1.0, 4.0, 5.0, 9.0])
    assert told.value == pytest.approx(2 / 3)


def test_a_stray_value_does_not_fill_the_histogram_of_residuals() -> None:
    rng = np.random.default_rng(3)
    said = rng.normal(size=10_000)
    said[0] = 1e9
    found = regression.residuals(np.zeros(10_000), said)
    assert found.counts.sum() == 10_000
    assert found.edges[-1] < 5
