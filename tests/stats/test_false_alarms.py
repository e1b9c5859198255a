"""A short run of `benchmarks.false_alarms`: a nominal 5 % is 5 %, on continuous values, on ties and on levels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks import false_alarms
from tenure.stats import bin_laws, drift_table
from tenure.stats.histograms import quantile_edges

TRIALS = 500
ERROR = math.sqrt(0.05 * 0.95 / TRIALS)


@pytest.mark.parametrize(
    ("shape", "n"),
    [
        ("continuous", 10_000),
        ("skewed, rounded to cents", 1_000),
        ("tied, 5 values", 1_000),
        ("half zeros", 1_000),
        ("categorical, 2 levels", 1_000),
    ],
)
def test_without_drift_every_test_keeps_its_level(shape, n):
    made = false_alarms.cell(shape, n, n, false_alarms.ROWS.get(shape), TRIALS)
    known = [share for share in made.shares.values() if share is not None]
    assert len(known) == (6 if "levels" in shape else 9)
    assert all(abs(share - 0.05) <= 4 * ERROR for share in known)


def test_the_short_cut_for_continuous_columns_is_the_whole_way_from_rows():
    """What lies between order statistics follows a Dirichlet law: PSI has the same mean and spread either way."""
    rng = np.random.default_rng(3)
    short = [false_alarms.continuous(rng, 300, 500).short[0] for _ in range(800)]
    rows = [false_alarms.of_rows(rng, 300, 500, lambda dice, n: dice.normal(size=n)).short[0] for _ in range(800)]
    made = [np.array([drift_table.distances.psi(*one) for one in side]) for side in (short, rows)]
    error = math.sqrt(sum(float(side.var()) / len(side) for side in made))
    assert abs(made[0].mean() - made[1].mean()) < 4 * error
    assert made[0].std() == pytest.approx(made[1].std(), rel=0.15)


def test_what_is_decided_without_a_p_value_is_decided_alike():
    rng = np.random.default_rng(5)
    for values in (rng.normal(size=500), rng.integers(0, 3, 500) * 1.0, rng.integers(0, 30, 500) * 1.0):
        edges, _ = quantile_edges(values)
        for _ in range(60):
            sides = [
                np.diff(np.searchsorted(np.sort(rng.choice(values, 400)), [-np.inf, *edges, np.inf])) for _ in "ab"
            ]
            p_values = bin_laws.rank_statistics(*sides)
            told = false_alarms.rank_alarms(*sides)
            assert told == {name: getattr(p_values, f"{name}_p") <= 0.05 for name in drift_table.ON_RANKS}
