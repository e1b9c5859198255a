"""Rare things are counted exactly."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from tenure.stats import novelty
from tenure.stats.frequent import FrequentLevels
from tenure.stats.intervals import clopper_pearson


@given(n=st.integers(1, 400), m=st.integers(1, 400), shares=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_a_difference_of_shares_is_fishers_with_the_smaller_tail_doubled(n, m, shares):
    count, other = round(n * shares[0]), round(m * shares[1])
    table = [[count, n - count], [other, m - other]]
    tails = [scipy.stats.fisher_exact(table, side).pvalue for side in ("less", "greater")]
    assert novelty.share_difference_p(count, n, other, m) == pytest.approx(min(1, 2 * min(tails)), rel=1e-6)


@pytest.mark.parametrize(
    ("count", "n", "other", "m"),
    [(3, 1_000, 9_000, 800_000), (48_001, 611_254, 1_718, 14_806), (0, 500_000, 30, 500_000), (9, 9, 400_000, 900_000)],
)
def test_the_exact_law_of_many_rows_is_that_of_scipy(count, n, other, m):
    law = scipy.stats.hypergeom(n + m, count + other, n)
    tails = law.cdf(count), law.sf(count - 1)
    assert novelty.share_difference_p(count, n, other, m) == pytest.approx(min(1, 2 * min(tails)), rel=1e-8, abs=0)


def test_large_tables_agree_with_the_exact_law(monkeypatch):
    exact = novelty.share_difference_p(10_300, 999_000, 10_000, 1_000_000)
    monkeypatch.setattr(novelty, "LARGEST_TABLE", 1_000)
    assert novelty.share_difference_p(10_300, 999_000, 10_000, 1_000_000) == pytest.approx(exact, rel=1e-3)
    assert novelty.share_difference_p(0, 0, 5, 10) == 1.0


@given(n=st.integers(1, 500), share=st.floats(0, 1), tolerated=st.floats(0.001, 0.5))
def test_a_share_is_above_what_is_tolerated_when_its_exact_bound_is(n, share, tolerated):
    count = round(n * share)
    expected = scipy.stats.binomtest(count, n, tolerated, alternative="greater").pvalue
    p_value = novelty.share_above_p(count, n, tolerated)
    assert p_value == pytest.approx(expected, rel=1e-6, abs=1e-300)
    low = clopper_pearson(count, n, 0.9).low
    assert low is not None
    if abs(p_value - 0.05) > 1e-6:
        assert (p_value < 0.05) == (low > tolerated)


def test_one_stray_value_is_never_strange():
    assert novelty.share_above_p(1, 1_000_000, 0.01) == pytest.approx(1.0)
    assert novelty.share_above_p(1, 100, 0.01) > 0.5


def test_frequent_names_are_exact_while_few_and_bounded_when_many():
    few = FrequentLevels(most=8)
    few.add(["a"] * 5 + ["b"] * 2)
    assert (few.top(), few.lost, few.n) == ([("a", 5), ("b", 2)], 0, 7)
    rng = np.random.default_rng(4)
    names = [f"level {one}" for one in rng.zipf(1.3, 20_000) % 100_000]
    truth = {name: names.count(name) for name in ("level 1", "level 2", "level 3")}
    parts = [FrequentLevels(), FrequentLevels()]
    for part, half in zip(parts, (names[:7_000], names[7_000:]), strict=True):
        for start in range(0, len(half), 500):
            part.add(half[start : start + 500])
    parts[0].merge(parts[1])
    assert parts[0].n == 20_000
    assert parts[0].lost <= 20_000 / 65
    found = dict(parts[0].top(3))
    assert found.keys() == truth.keys()
    assert all(truth[name] - parts[0].lost <= count <= truth[name] for name, count in found.items())
