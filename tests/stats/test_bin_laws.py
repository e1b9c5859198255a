"""Rank statistics on bins: equal to scipy's where no values are tied, and with the right law where they are."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.references import scholz_stephens
from tenure.stats import bin_laws

COUNTS = st.integers(1, 60).flatmap(
    lambda bins: st.tuples(*[st.lists(st.integers(0, 10_000), min_size=bins, max_size=bins)] * 2)
)


def each_in_its_bin(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values = np.unique(np.concatenate((a, b)))
    return tuple(
        (np.searchsorted(side, values, "right") - np.searchsorted(side, values)).astype(float)
        for side in (np.sort(a), np.sort(b))
    )  # type: ignore[return-value]  # two sides


def test_without_ties_the_statistics_are_scipys():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=300), rng.normal(0.2, 1.2, size=450)
    found = bin_laws.rank_statistics(*each_in_its_bin(a, b))
    assert found.ks == pytest.approx(scipy.stats.ks_2samp(a, b).statistic, rel=1e-9)
    assert found.cramer_von_mises == pytest.approx(scipy.stats.cramervonmises_2samp(a, b).statistic, rel=1e-9)
    a, b = rng.normal(size=300), rng.normal(0.1, 1, size=450)
    found = bin_laws.rank_statistics(*each_in_its_bin(a, b))
    told = 1 + scipy.stats.anderson_ksamp([a, b], variant="right").statistic * scholz_stephens(300, 450)
    assert found.anderson_darling == pytest.approx(told, rel=1e-9)


def test_p_values_of_many_bins_are_those_of_continuous_values():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=4_000), rng.normal(0.02, 1, size=4_000)
    found = bin_laws.rank_statistics(*each_in_its_bin(a, b))
    assert found.ks_p == pytest.approx(scipy.stats.ks_2samp(a, b, method="asymp").pvalue, rel=0.05)
    assert found.cramer_von_mises_p == pytest.approx(scipy.stats.cramervonmises_2samp(a, b).pvalue, rel=0.02)


@pytest.mark.parametrize(("value", "share"), [(1.248, 0.25), (1.933, 0.1), (2.492, 0.05), (3.857, 0.01)])
def test_the_law_of_anderson_and_darling_agrees_with_their_table(value, share):
    k = np.arange(1, 20_000)
    assert bin_laws.quadratic_form_sf(value, 1 / (k * (k + 1.0))) == pytest.approx(share, rel=0.03)


@given(value=st.floats(0.001, 300), dof=st.integers(1, 20))
def test_equal_weights_are_chi_squared(value, dof):
    expected = scipy.stats.chi2.sf(value, dof)
    assert bin_laws.quadratic_form_sf(value, np.ones(dof)) == pytest.approx(expected, rel=1e-8)


def test_two_unequal_weights_agree_with_a_numerical_integral():
    weights, value = np.array([1.0, 0.3]), 2.5
    law = scipy.stats.chi2(1)
    beyond, _ = scipy.integrate.quad(
        lambda z: law.sf((value - z * z) / 0.3) * 2 * scipy.stats.norm.pdf(z), 0, value**0.5
    )
    assert bin_laws.quadratic_form_sf(value, weights) == pytest.approx(beyond + law.sf(value), rel=1e-6)


@pytest.mark.parametrize("bins", [2, 3, 7, 60])
def test_the_laws_on_bins_agree_with_a_simulated_bridge(bins):
    rng = np.random.default_rng(bins)
    steps = rng.dirichlet(np.full(bins, 2.0))
    motion = np.cumsum(rng.normal(size=(40_000, bins)) * np.sqrt(steps), axis=1)
    at = np.cumsum(steps)[:-1]
    bridge = motion[:, :-1] - motion[:, -1:] * at
    weights = (steps[:-1] + steps[1:]) / 2
    for tilted in (weights, weights / (at * (1 - at))):
        value = float(np.quantile(bridge**2 @ tilted, 0.95))
        assert bin_laws.quadratic_form_sf(value, bin_laws.bridge_eigenvalues(steps, tilted)) == pytest.approx(
            0.05, abs=0.004
        )


@settings(max_examples=60)
@given(pair=COUNTS)
def test_every_answer_is_finite_symmetric_and_indifferent_to_direction(pair):
    p, q = (np.array(side, float) for side in pair)
    found = bin_laws.rank_statistics(p, q)
    assert all(math.isfinite(one) and one >= 0 for one in found)
    assert max(found.ks_p, found.cramer_von_mises_p, found.anderson_darling_p) <= 1
    assert bin_laws.rank_statistics(q, p) == pytest.approx(found, rel=1e-6, abs=1e-9)
    assert bin_laws.rank_statistics(p[::-1], q[::-1]) == pytest.approx(found, rel=1e-6, abs=1e-9)
    assert bin_laws.rank_statistics(p, p)[::2] == (0.0, 0.0, 0.0)


def test_far_tails_stay_above_zero_or_are_zero_but_never_wrong():
    p, q = np.full(50, 1e6), np.concatenate((np.full(25, 2e6), np.zeros(25)))
    found = bin_laws.rank_statistics(p, q)
    assert (found.ks_p, found.cramer_von_mises_p, found.anderson_darling_p) == (0.0, 0.0, 0.0)
    assert bin_laws.rank_statistics(np.zeros(3), q[:3]) == bin_laws.NOTHING
    assert bin_laws.rank_statistics(np.array([5.0, 0.0]), np.array([9.0, 0.0])) == bin_laws.NOTHING
