"""Distances along the axis: scipy's where every value is a point mass, close to it where values are spread in bins."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from tenure.records.profiles import NumericProfile
from tenure.sdk.profiles import count_numeric
from tenure.stats import shapes
from tenure.stats.histograms import quantile_edges

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=0, max_size=40)


def pair(a: np.ndarray, b: np.ndarray, bins: int = 256) -> tuple[NumericProfile, NumericProfile]:
    edges, points = (one.tolist() for one in quantile_edges(a, bins))
    return count_numeric(a, edges, points), count_numeric(b, edges, points)


def test_of_point_masses_both_distances_are_scipys():
    rng = np.random.default_rng(1)
    a, b = rng.poisson(3, 3_000) * 1.0, rng.poisson(3.4, 2_000) * 1.0
    points = sorted({*a.tolist(), *b.tolist()})
    sides = [count_numeric(one, points, points) for one in (a, b)]
    found = shapes.axis_distances(*sides)
    assert found.scale == pytest.approx(scipy.stats.iqr(a) / 1.349)
    assert found.wasserstein == pytest.approx(scipy.stats.wasserstein_distance(a, b) / found.scale, rel=1e-9)
    assert found.energy == pytest.approx(scipy.stats.energy_distance(a, b) / math.sqrt(found.scale), rel=1e-9)


@pytest.mark.parametrize(("shift", "spread", "cut_at", "near"), [(0.3, 2.1, "reference", 0.05), (1, 3, "both", 0.025)])
def test_of_bins_both_distances_are_close_to_scipys(shift, spread, cut_at, near):
    """Close for shifts that leave few values in the outer bins, or when the bins cover both."""
    rng = np.random.default_rng(2)
    a, b = rng.normal(10, 2, 20_000), rng.normal(10 + shift, spread, 20_000)
    edges = quantile_edges(a if cut_at == "reference" else np.concatenate((a, b)), 256)[0].tolist()
    found = shapes.axis_distances(count_numeric(a, edges, []), count_numeric(b, edges, []))
    assert found.scale == pytest.approx(scipy.stats.iqr(a) / 1.349, rel=0.01)
    assert found.wasserstein * found.scale == pytest.approx(scipy.stats.wasserstein_distance(a, b), rel=near)
    assert found.energy * math.sqrt(found.scale) == pytest.approx(scipy.stats.energy_distance(a, b), rel=near)


@pytest.mark.parametrize("unit", [1e-9, 1e-3, 1e6, 1e150])
def test_the_unit_changes_nothing(unit):
    rng = np.random.default_rng(3)
    a, b = rng.gamma(2, size=2_000), rng.gamma(2.5, size=2_000)
    one, other = shapes.axis_distances(*pair(a, b)), shapes.axis_distances(*pair(a * unit, b * unit))
    assert one[:2] == pytest.approx(other[:2], rel=1e-6)
    assert one.wasserstein > 0


@given(a=VALUES, b=VALUES)
def test_no_input_gives_anything_but_a_finite_distance(a, b):
    found = shapes.axis_distances(*pair(np.array(a), np.array(b)))
    assert all(math.isfinite(one) and one >= 0 for one in found)
    assert found.scale > 0
    same = shapes.axis_distances(*pair(np.array(a), np.array(a)))
    assert same[:2] == pytest.approx((0, 0), abs=1e-9)


def test_extreme_constant_and_empty_columns_have_defined_answers():
    extreme = pair(np.array([-1e308, 0.0, 1e308] * 40), np.array([1e308] * 5))
    assert math.isfinite(shapes.axis_distances(*extreme).wasserstein)
    constant = pair(np.full(50, 7.0), np.full(50, 9.0))
    assert shapes.axis_distances(*constant) == shapes.Distances(2.0, 2.0, 1.0)
    empty = pair(np.array([1.0, 2.0]), np.array([np.nan, np.inf]))
    assert shapes.axis_distances(*empty)[:2] == (0.0, 0.0)
