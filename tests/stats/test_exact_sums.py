"""Sums that do not depend on how rows are split: held against exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tenure.stats.exact_sums import BLOCK, ExactSums, Grid, exact_sums, grid_of, mean_of, squared_deviations_of

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)
columns = hnp.arrays(np.float64, st.integers(0, 60), elements=FINITE | st.floats(-10, 10))
grids = st.lists(FINITE | st.floats(-10, 10), max_size=4).map(lambda marks: grid_of(np.unique(np.array(marks, float))))


@given(values=columns, grid=grids, data=st.data())
def test_any_split_in_any_order_gives_the_same_sums(values: np.ndarray, grid: Grid, data: st.DataObject) -> None:
    places = sorted(data.draw(st.lists(st.integers(0, len(values)), max_size=5)))
    parts = data.draw(st.permutations(np.split(data.draw(st.permutations(values)), places)))
    total = ExactSums()
    for part in parts:
        total = total.plus(exact_sums(np.array(part), grid))
    assert total == exact_sums(values, grid)


@given(values=hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e3, 1e3)))
def test_mean_and_deviations_are_those_of_exact_fractions(values: np.ndarray) -> None:
    grid = grid_of(np.array([-8.0, 8.0]))
    sums = exact_sums(values, grid)
    exact = [Fraction(value) for value in values.tolist()]
    mean = sum(exact) / len(exact)
    spread = sum((value - mean) ** 2 for value in exact)
    unit = Fraction(2) ** grid.exponent
    assert abs(Fraction(mean_of(sums, grid)) - mean) <= unit + abs(mean) * Fraction(2) ** -53
    reach = max(abs(value - mean) for value in exact)
    assert (
        abs(Fraction(squared_deviations_of(sums, grid)) - spread)
        <= 4 * len(exact) * unit * (reach + unit) + spread * Fraction(2) ** -52
    )


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e3, 1e6])
@pytest.mark.parametrize("centre", [0.0, 1e6])
def test_large_columns_agree_with_numpy_to_its_own_rounding(scale: float, centre: float) -> None:
    values = np.random.default_rng(1).normal(centre, scale, BLOCK * 3 + 11)
    grid = grid_of(np.quantile(values, [0.004, 0.996]))
    sums = exact_sums(values, grid)
    assert mean_of(sums, grid) == pytest.approx(math.fsum(values) / len(values), rel=1e-14, abs=1e-14 * scale)
    assert squared_deviations_of(sums, grid) == pytest.approx(np.var(values) * len(values), rel=1e-9)


def test_a_column_in_another_unit_keeps_ten_digits() -> None:
    values = np.random.default_rng(2).normal(3, 1, 5000)
    grid = grid_of(np.array([0.5, 5.5]))
    for factor in (1e3, 1e9, 1e-9):
        sums = exact_sums(values * factor, grid)
        exact = math.fsum(values * factor) / len(values)
        assert mean_of(sums, grid) == pytest.approx(exact, rel=1e-10, abs=1e-15)


def test_a_constant_has_its_value_as_mean_and_no_spread() -> None:
    for value in (0.1, 1e300, -7.0, 5e-324):
        grid = grid_of(np.array([value]))
        sums = exact_sums(np.full(1000, value), grid)
        assert mean_of(sums, grid) == value or abs(value) < 1e-300
        assert squared_deviations_of(sums, grid) == 0.0


@settings(max_examples=30)
@given(values=hnp.arrays(np.float64, st.integers(0, 40), elements=FINITE))
def test_nothing_ever_becomes_infinite_or_nan(values: np.ndarray) -> None:
    for marks in (np.empty(0), np.array([0.0]), np.array([-1.7e308, 1.7e308]), np.array([5e-324])):
        grid = grid_of(marks)
        sums = exact_sums(values, grid)
        assert math.isfinite(mean_of(sums, grid))
        assert math.isfinite(squared_deviations_of(sums, grid))
        assert squared_deviations_of(sums, grid) >= 0
