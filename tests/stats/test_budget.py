from __future__ import annotations

import math

import numpy as np
import pytest

from tenure.stats.budget import GREATEST_LEVEL, level_per_test, proven_above, proven_below


def test_a_year_without_change_keeps_the_budget_on_average_even_for_dependent_monitors():
    budget, weeks, monitors, years = 4, 52, 6, 4000
    level = level_per_test(budget, weeks, monitors)
    rng = np.random.default_rng(1)
    shared = rng.normal(size=(years, weeks, 1))
    own = rng.normal(size=(years, weeks, monitors))
    values = math.sqrt(0.7) * shared + math.sqrt(0.3) * own  # standard normal each, strongly dependent
    alerts = 0
    for value in values.ravel()[: 200 * weeks * monitors]:
        alerts += proven_below(float(value), 1.0, 0.0, level).proven
    assert alerts / 200 == pytest.approx(budget, rel=0.35)
    assert math.isclose(level * weeks * monitors, budget)


def test_the_level_is_capped():
    assert level_per_test(1e9, 1, 1) == GREATEST_LEVEL


@pytest.mark.parametrize("given", [(0, 52, 1), (4, 0, 1), (4, 52, 0), (math.nan, 52, 1), (4, math.inf, 1)])
def test_a_budget_of_nothing_is_refused(given):
    with pytest.raises(ValueError, match="above 0"):
        level_per_test(*given)


def test_only_what_lies_wholly_beyond_the_threshold_is_proven():
    assert not proven_below(0.64, 0.01**2, 0.65, 0.01).proven
    assert proven_below(0.62, 0.01**2, 0.65, 0.01).proven
    assert not proven_above(0.62, 0.01**2, 0.65, 0.01).proven


def test_the_proof_and_its_p_value_agree():
    for value in np.linspace(0.5, 0.7, 41):
        proof = proven_below(float(value), 0.02**2, 0.65, 0.01)
        assert proof.proven == (proof.p_value < 0.01)
        assert proof.proven == (proof.bound < 0.65)


def test_an_estimated_threshold_needs_more_proof():
    assert proven_below(0.62, 0.01**2, 0.65, 0.01).p_value < proven_below(0.62, 0.01**2, 0.65, 0.01, 0.01**2).p_value


@pytest.mark.parametrize(("value", "variance"), [(None, None), (0.5, None), (math.nan, 1.0), (0.5, math.inf)])
def test_what_cannot_be_told_proves_nothing(value, variance):
    assert proven_below(value, variance, 0.65, 0.01) == (False, 1.0, None)
    assert proven_above(value, variance, 0.65, 0.01) == (False, 1.0, None)


def test_an_estimate_without_error_is_compared_as_it_is():
    assert proven_below(0.5, 0.0, 0.62, 0.001) == (True, 0.0, 0.5)
    assert not proven_below(0.62, 0.0, 0.62, 0.001).proven
