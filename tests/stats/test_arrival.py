"""The curve of arrivals is right although young cohorts are cut off, and lateness is told at its level."""

from __future__ import annotations

import numpy as np
import pytest

from tenure.stats import arrival
from tenure.stats.arrival import Cohort


def cohort(rng: np.random.Generator, age_h: float, n: int = 400, ever: float = 0.8, scale: float = 30.0) -> Cohort:
    lags = rng.exponential(scale, n)
    known = (rng.random(n) < ever) & (lags <= age_h)
    return Cohort(n, arrival.lag_counts(lags[known]), age_h)


def test_the_curve_is_that_of_kaplan_and_meier_on_whole_cohorts() -> None:
    rng = np.random.default_rng(1)
    whole = cohort(rng, 9_000.0, n=5_000)
    told = arrival.curve([whole])
    np.testing.assert_allclose(told.share, np.cumsum(whole.counts)[:-1] / 5_000, atol=1e-12)
    assert told.final == pytest.approx(0.8, abs=0.02)


def test_young_cohorts_do_not_bend_the_curve() -> None:
    rng = np.random.default_rng(2)
    told = arrival.curve([cohort(rng, 168.0 * week, n=3_000) for week in range(9)])
    at = [24.0, 72.0, 336.0]
    np.testing.assert_allclose(arrival.share_by(told, at), 0.8 * (1 - np.exp(-np.array(at) / 30)), atol=0.03)
    assert told.final == pytest.approx(0.8, abs=0.02)


def test_while_outcomes_still_come_the_final_share_is_not_told() -> None:
    rng = np.random.default_rng(3)
    assert arrival.curve([cohort(rng, 36.0, n=3_000)]).final is None
    assert arrival.curve([]).final is None
    assert arrival.curve([Cohort(100, arrival.lag_counts([]), 500.0)]).final is None


@pytest.mark.parametrize("ages", [[], [0.0], [-5.0]])
def test_without_cohorts_of_an_age_nothing_is_expected(ages: list[float]) -> None:
    rng = np.random.default_rng(4)
    told = arrival.curve([cohort(rng, age) for age in ages])
    assert arrival.share_by(told, [0.0, 1e9]).tolist() == [0.0, 0.0]


def test_lateness_is_seen_and_its_false_alarms_keep_their_level() -> None:
    alarms, seen, rng = 0, 0, np.random.default_rng(5)
    for _ in range(1_000):
        scales = 30.0 * np.exp(rng.normal(0, 0.1, 13))  # weeks differ by more than sampling gives
        weeks = [cohort(rng, 168.0 * (12 - week), scale=scale) for week, scale in enumerate(scales[:12])]
        usual = arrival.lateness(cohort(rng, 168.0, scale=scales[12]), weeks)
        late = arrival.lateness(cohort(rng, 168.0, scale=scales[12] * 3), weeks)
        assert usual is not None
        assert late is not None
        alarms += usual.p_value < 0.05
        seen += late.p_value < 0.05
    assert 25 <= alarms <= 75
    assert seen >= 950


def test_a_cohort_too_young_or_alone_is_not_told_late() -> None:
    rng = np.random.default_rng(6)
    weeks = [cohort(rng, 168.0 * week) for week in range(1, 8)]
    assert arrival.lateness(cohort(rng, 1.0), weeks) is None
    assert arrival.lateness(cohort(rng, 168.0), weeks[:3]) is None
    empty = Cohort(0, arrival.lag_counts([]), 168.0)
    assert arrival.lateness(empty, weeks) is None
