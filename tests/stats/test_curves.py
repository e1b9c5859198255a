"""Curves: smoothing that is not pulled at its start, thinning that loses no spike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure.stats.curves import smoothed, thinned

VALUES = st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=300)


@given(VALUES, st.integers(4, 60))
def test_a_thinned_curve_keeps_its_ends_and_its_extremes(values: list[float], most: int) -> None:
    places = thinned(values, most)
    finite = np.flatnonzero(np.isfinite(values))
    assert len(places) <= most
    assert list(places) == sorted(set(places.tolist()) & set(finite.tolist()))
    if len(finite):
        kept = np.asarray(values)[places]
        assert (places[0], places[-1]) == (finite[0], finite[-1])
        assert kept.min() == np.asarray(values)[finite].min()
        assert kept.max() == np.asarray(values)[finite].max()


def test_every_spike_that_stands_alone_is_kept() -> None:
    values = np.zeros(10_000)
    spikes = np.arange(37, 10_000, 100)
    values[spikes] = 1.0
    assert set(spikes.tolist()) <= set(thinned(values, 400).tolist())


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.sampled_from([0.0, 0.3, 0.9, 0.999]))
def test_smoothing_is_the_weighted_mean_of_what_came_before(values: list[float], weight: float) -> None:
    found = smoothed(values, weight)
    for place in range(len(values)):
        weights = weight ** np.arange(place, -1, -1.0)
        assert found[place] == pytest.approx(np.average(values[: place + 1], weights=weights), rel=1e-9, abs=1e-6)


def test_a_gap_changes_nothing_that_comes_after_it() -> None:
    with_gap, without = smoothed([1.0, float("nan"), 3.0, float("inf"), 2.0], 0.5), smoothed([1.0, 3.0, 2.0], 0.5)
    assert with_gap[[0, 2, 4]].tolist() == without.tolist()
    assert np.isnan(with_gap[[1, 3]]).all()
    assert len(smoothed([], 0.5)) == 0


@pytest.mark.parametrize("weight", [-0.1, 1.0])
def test_a_weight_outside_its_range_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="weight"):
        smoothed([1.0], weight)
