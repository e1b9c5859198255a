from __future__ import annotations

import hashlib
import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from tenure.stats import accuracy, intervals
from tenure.stats.intervals import UNKNOWN

SHARES = st.integers(0, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(share=SHARES, confidence=st.sampled_from([0.8, 0.95, 0.999]))
def test_shares_have_the_intervals_of_scipy(share, confidence):
    successes, n = share
    if n == 0:
        assert intervals.wilson(0, 0) == intervals.clopper_pearson(0, 0) == (None, 0.0, 1.0, None)
        return
    for ours, method in ((intervals.wilson, "wilson"), (intervals.clopper_pearson, "exact")):
        expected = scipy.stats.binomtest(successes, n).proportion_ci(confidence, method=method)
        measured = ours(successes, n, confidence)
        assert measured.low == pytest.approx(expected.low, rel=1e-9, abs=1e-12)
        assert measured.high == pytest.approx(expected.high, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("successes", "n", "low", "high"), [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)])
def test_wilson_gives_the_published_values_of_newcombe_1998(successes, n, low, high):
    measured = intervals.wilson(successes, n)
    assert (round(measured.low, 4), round(measured.high, 4)) == (low, high)


def test_shares_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="between 0 and n"):
        intervals.wilson(3, 2)
    with pytest.raises(ValueError, match=r"Write 0\.95 for 95 %"):
        intervals.wilson(1, 2, confidence=95)


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50).filter(lambda rows: np.std(rows) > 1e-3))
def test_a_mean_has_students_interval(values):
    expected = scipy.stats.ttest_1samp(values, 0).confidence_interval(0.95)
    measured = intervals.mean_interval(values)
    assert (measured.low, measured.high) == pytest.approx((expected.low, expected.high), rel=1e-6, abs=1e-6)


def test_a_mean_leaves_out_what_is_missing_and_says_when_it_cannot_be_told():
    assert intervals.mean_interval([1.0, None, 3.0, math.nan]).value == 2
    assert intervals.mean_interval([]) == intervals.mean_interval([None]) == UNKNOWN
    assert intervals.mean_interval([1.0, math.inf]) == UNKNOWN
    assert intervals.mean_interval([4.0]) == (4.0, None, None, None)


def test_poisson_weights_are_poisson_and_do_not_hang_together():
    weights = intervals.poisson_weights(range(20_000), 50)
    shares = np.bincount(weights.ravel(), minlength=12)[:6] / weights.size
    np.testing.assert_allclose(shares, scipy.stats.poisson.pmf(range(6), 1), atol=0.002)
    across = np.corrcoef(weights.T)[np.triu_indices(50, 1)]
    assert np.abs(across).max() < 5 / math.sqrt(20_000)
    neighbours = np.corrcoef(weights[:-1].ravel(), weights[1:].ravel())[0, 1]
    assert abs(neighbours) < 0.005


def splitmix64(seed: int, steps: int) -> list[int]:
    """SplitMix64 as published, on plain integers."""
    state, drawn = seed, []
    for _ in range(steps):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        mixed = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB % 2**64
        drawn.append(mixed ^ mixed >> 31)
    return drawn


def test_splitmix64_gives_its_published_values():
    assert splitmix64(1234567, 2) == [6457827717110365317, 3203168211198807973]


def test_poisson_weights_are_the_same_everywhere():
    key = "0190a1b2-0000-7000-8000-000000000000:0"
    seed = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")
    expected = [int(scipy.stats.poisson.ppf(draw / 2**64, 1)) for draw in splitmix64(seed, 200)]
    assert intervals.poisson_weights([key]).tolist() == [expected]


@given(places=st.lists(st.integers(0, 300), max_size=4))
def test_bootstrap_sums_merge_under_any_split(places):
    values = np.arange(300) % 7  # integers, so that sums are exact
    keys = [f"row {row}" for row in range(300)]
    whole = intervals.bootstrap_sums(values, keys, 20)
    cuts = [0, *sorted(places), 300]
    parts = [
        intervals.bootstrap_sums(values[start:end], keys[start:end], 20) for start, end in itertools.pairwise(cuts)
    ]
    merged = intervals.merge_bootstrap(parts)
    assert merged[:2] == whole[:2]
    assert merged.sums.tobytes() == whole.sums.tobytes()
    assert merged.weights.tobytes() == whole.weights.tobytes()


def test_the_bootstrap_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(1)
    covered, runs = 0, 400
    for run in range(runs):
        values = rng.exponential(size=300)
        keys = np.arange(300) + 1000 * run
        interval = intervals.poisson_bootstrap_mean(values, keys)
        covered += interval.low <= 1 <= interval.high
    assert 0.915 <= covered / runs <= 0.975


def test_rows_of_one_key_are_drawn_together_and_widen_the_interval():
    rng = np.random.default_rng(2)
    values = np.repeat(rng.normal(size=100), 20)
    apart = intervals.poisson_bootstrap_mean(values, range(2000))
    together = intervals.poisson_bootstrap_mean(values, np.repeat(np.arange(100), 20))
    assert together.variance > 10 * apart.variance


def test_a_bootstrap_of_nothing_says_so():
    assert intervals.poisson_bootstrap_mean([], []) == UNKNOWN
    assert intervals.poisson_bootstrap_mean([None], ["a"]) == UNKNOWN
    assert intervals.poisson_bootstrap_mean([2.0], ["a"]) == (2.0, None, None, None)
    with pytest.raises(ValueError, match="needs a key"):
        intervals.poisson_bootstrap_mean([1.0], [])


def test_the_paired_bootstrap_agrees_with_delong():
    rng = np.random.default_rng(3)
    y = (rng.random(600) < 0.3).astype(float)
    one, other = rng.normal(size=600) + y, rng.normal(size=600) + 1.3 * y
    drawn = intervals.paired_bootstrap(accuracy.roc_auc, y, one, other, rng=rng, replicates=400)
    delong = accuracy.roc_auc_difference(y, one, other)
    assert drawn.value == pytest.approx(delong.value)
    assert drawn.variance == pytest.approx(delong.variance, rel=0.25)
    assert drawn.low == pytest.approx(delong.low, abs=0.015)


def test_the_paired_bootstrap_is_repeatable_and_needs_enough_replicates():
    y, one, other = [0, 1] * 30, np.linspace(0, 1, 60), np.linspace(1, 0, 60)
    twice = [intervals.paired_bootstrap(accuracy.brier, y, one, other, rng=np.random.default_rng(4)) for _ in range(2)]
    assert twice[0] == twice[1]
    assert intervals.paired_bootstrap(accuracy.roc_auc, [1], [1], [1], rng=np.random.default_rng(4)) == UNKNOWN
    with pytest.raises(ValueError, match="replicates must be at least"):
        intervals.paired_bootstrap(
            accuracy.brier, y, one, other, rng=np.random.default_rng(4), confidence=0.999, replicates=200
        )
