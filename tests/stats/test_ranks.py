"""Rank measures agree with SciPy, say when nothing can be told, and call as little as they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tenure.stats.ranks import kruskal_wallis, spearman

PAIRS = st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=5, max_size=40)


@given(PAIRS)
def test_spearman_agrees_with_scipy(pairs: list[tuple[int, int]]) -> None:
    x, y = np.array(pairs, float).T
    found = spearman(x, y)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert found.value is None
        return
    expected = stats.spearmanr(x, y)
    assert found.value == pytest.approx(expected.statistic, abs=1e-9)
    if abs(found.value) < 1:
        assert found.p_value == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)
        assert found.low <= found.value <= found.high


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(-5, 5)), min_size=6, max_size=40))
def test_kruskal_wallis_agrees_with_scipy(pairs: list[tuple[str, int]]) -> None:
    groups = {name: [value for key, value in pairs if key == name] for name in "abc"}
    large = [values for values in groups.values() if len(values) > 1]
    found = kruskal_wallis([key for key, _ in pairs], [value for _, value in pairs])
    if len(large) < 2 or len({value for values in large for value in values}) < 2:
        assert found.effect is None
        return
    assert found.p_value == pytest.approx(stats.kruskal(*large).pvalue, rel=1e-6, abs=1e-12)
    assert 0 <= found.effect <= 1
    assert (found.n, found.groups) == (sum(map(len, large)), len(large))


def test_what_is_not_finite_is_left_out_and_too_little_tells_nothing() -> None:
    assert spearman([1, 2, 3, np.nan], [1, 2, 3, 4]) == (None, None, None, None, 3)
    assert kruskal_wallis([], []).effect is None
    perfect = spearman([1, 2, 3, 4], [4, 3, 2, 1])
    assert (perfect.value, perfect.low, perfect.p_value) == (-1.0, None, pytest.approx(2 / 24))


def test_the_interval_covers_and_noise_is_rarely_called() -> None:
    dice = np.random.default_rng(5)
    called = covered = 0
    for _ in range(400):
        x = dice.normal(size=30)
        called += (spearman(x, dice.normal(size=30)).p_value or 1) < 0.05
        found = spearman(x, x + dice.normal(size=30))
        covered += found.low <= 0.69 <= found.high  # 6/π·asin(ρ/2) of ρ = 1/√2
    assert called / 400 < 0.08
    assert covered / 400 > 0.91
