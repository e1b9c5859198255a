"""The greatest gap of two cumulative distributions on bins: its law at every level, however uneven the bins are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import special

from tenure.stats import distances, gaps


@pytest.mark.parametrize("evenness", [0.3, 2.0])
@pytest.mark.parametrize("bins", [2, 3, 7, 60])
def test_the_law_agrees_with_a_simulated_bridge(bins, evenness):
    rng = np.random.default_rng([bins, int(10 * evenness)])
    steps = rng.dirichlet(np.full(bins, evenness))
    motion = np.cumsum(rng.normal(size=(40_000, bins)) * np.sqrt(steps), axis=1)
    at = np.cumsum(steps)[:-1]
    greatest = np.abs(motion[:, :-1] - motion[:, -1:] * at).max(axis=1)
    for share in (0.5, 0.2, 0.05, 0.01):
        gap = float(np.quantile(greatest, 1 - share))
        assert gaps.greatest_gap_sf(gap, at) == pytest.approx(share, rel=0.04, abs=0.003)


def test_a_grid_of_times_changes_the_law_of_the_greatest_gap_little():
    """256 equal steps: the correction of Siegmund (1985) for looking now and then, known to be good to 1e-4."""
    at = np.arange(1, 256) / 256
    for gap in (1.0, 1.3581, 1.6):
        corrected = special.kolmogorov(gap + 0.5826 / 16)
        assert gaps.greatest_gap_sf(gap, at) == pytest.approx(corrected, rel=5e-4)


@given(st.lists(st.integers(1, 10_000), min_size=4, max_size=4))
def test_of_two_values_the_greatest_gap_is_the_test_of_two_shares(counts):
    """However lopsided they are; the law of a whole bridge would tell 0.54 where this is 0.008."""
    p, q = np.array(counts[:2], float), np.array(counts[2:], float)
    share = (p + q)[0] / (p + q).sum()
    assume(2e-3 < share < 1 - 2e-3)
    told = distances.chi_squared(p, q).p_value
    found = distances.ks(p, q).p_value
    assert found == pytest.approx(told, rel=1e-6, abs=1e-6)


def test_a_value_that_holds_most_rows_does_not_hide_a_gap():
    """Nine tenths zeros, the rest spread: as often as rows that are dealt out anew lie as far apart."""
    rng = np.random.default_rng(7)
    whole = np.array([90_000, *[500] * 20])
    dealt = rng.multivariate_hypergeometric(whole, 50_000, size=20_000)
    seen = np.abs(np.cumsum(2 * dealt - whole, axis=1)).max(axis=1) / 50_000
    for gap in (0.002, 0.003, 0.004):
        law = gaps.greatest_gap_sf(gap * math.sqrt(25_000), np.cumsum(whole)[:-1] / 100_000)
        assert law == pytest.approx(np.mean(seen >= gap), abs=0.015)


def test_where_no_bin_is_large_the_law_of_the_whole_bridge_is_near():
    """With steps of 1/128 it is told instead above 0.5; here with a little larger ones, which are computed."""
    for gap in (0.3, 0.5, 0.65, 0.82):
        told = gaps.greatest_gap_sf(gap, np.arange(1, 128) / 128)
        assert told == special.kolmogorov(gap)
        assert told - 0.1 <= gaps.greatest_gap_sf(gap, np.arange(1, 127) / 127) < told
