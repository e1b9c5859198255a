"""Error budgets against the tables of the Site Reliability Workbook."""

from __future__ import annotations

import pytest

from tenure.stats import error_budget


@pytest.mark.parametrize(("share", "hours", "rate"), [(0.02, 1, 14.4), (0.05, 6, 6.0), (0.10, 72, 1.0)])
def test_factors_are_those_of_the_workbook(share: float, hours: float, rate: float) -> None:
    """Table 5-6: which burn rate spends which share of a budget of 30 days within a window."""
    assert error_budget.factor(share, hours, 30) == pytest.approx(rate)


@pytest.mark.parametrize(("rate", "days"), [(1.0, 30), (2.0, 15), (10.0, 3), (1000.0, 43.2 / 1440)])
def test_a_whole_budget_is_gone_when_the_workbook_says(rate: float, days: float) -> None:
    """Table 5-4: burn rates and time to exhaustion of a budget of 30 days."""
    assert error_budget.hours_left(1.0, rate, 30) == pytest.approx(days * 24)


def test_no_factor_is_below_what_lasts() -> None:
    assert error_budget.factor(0.1, 72, 7) == 1.0


def test_remaining_and_hours_left_agree() -> None:
    """What burns at a rate for as long as the rest lasts leaves nothing."""
    left = error_budget.remaining(50, 100_000, 0.001, 1.0)
    hours = error_budget.hours_left(left, 5.0, 30)
    assert left == pytest.approx(0.5)
    assert hours == pytest.approx(0.5 * 30 * 24 / 5)


def test_a_young_service_spends_by_the_part_of_the_period_that_was_seen() -> None:
    assert error_budget.remaining(1, 3, 0.001, 1 / 720) == pytest.approx(1 - 1000 / 3 / 720)
    assert error_budget.remaining(0, 0, 0.001, 1 / 720) == 1.0


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="seen_share"):
        error_budget.remaining(1, 3, 0.001, 0.0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        error_budget.burn_rate(1, 3, 1.0)
