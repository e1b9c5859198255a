"""Histogram bars: they sum to one, keep their place, and show whole numbers as whole numbers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure.records.profiles import CategoricalProfile, NumericProfile
from tenure.web import bars, sparklines
from tenure.web.bars import BAR_COUNT

from . import samples


def test_shares_sum_to_one_and_bars_lie_side_by_side() -> None:
    drawn = bars.numeric_bars(samples.make_numeric(10, 3))
    assert sum(bar.share for bar in drawn) == pytest.approx(1)
    assert len(drawn) == BAR_COUNT
    assert all(a.high == pytest.approx(b.low) for a, b in pairwise(drawn))


def test_whole_numbers_have_a_bar_each_around_the_number() -> None:
    profile = NumericProfile(edges=[2.0, 3.0], counts=[10, 30, 60], n=100, min=1.0, max=3.0)
    drawn = bars.numeric_bars(profile)
    assert [(bar.low, bar.high, bar.share) for bar in drawn] == [(0.5, 1.5, 0.1), (1.5, 2.5, 0.3), (2.5, 3.5, 0.6)]


def test_a_point_mass_falls_into_the_bar_that_holds_it() -> None:
    profile = NumericProfile(edges=[0.5], counts=[10, 10], points=[0.25], point_counts=[80], n=100, min=0.0, max=1.0)
    holding = next(bar for bar in bars.numeric_bars(profile, (0.0, 1.0)) if bar.low <= 0.25 < bar.high)
    assert holding.share > 0.8


def test_nothing_counted_gives_no_bars() -> None:
    assert bars.numeric_bars(NumericProfile(edges=[], counts=[0])) == []
    assert bars.level_bars(CategoricalProfile(levels=["a"], counts=[0])) == []


def test_one_value_only_gives_one_tall_bar() -> None:
    profile = NumericProfile(edges=[], counts=[0], points=[7.5], point_counts=[42], n=42, min=7.5, max=7.5)
    drawn = bars.numeric_bars(profile)
    assert max(bar.share for bar in drawn) == 1


def test_levels_are_ordered_and_the_rest_is_summed() -> None:
    levels = [f"l{index}" for index in range(12)]
    profile = CategoricalProfile(
        levels=levels, counts=list(range(1, 13)), other_count=2, new_count=3, null_count=1, n=84
    )
    drawn = bars.level_bars(profile)
    assert drawn[0].level == "l11"
    assert [bar.level for bar in drawn[-3:]] == ["others", "new", "missing"]
    assert sum(bar.share for bar in drawn) == pytest.approx(1)


@settings(max_examples=60, deadline=None)
@given(
    edges=st.lists(st.floats(-1e6, 1e6), min_size=0, max_size=20, unique=True).map(sorted),
    data=st.data(),
)
def test_whatever_was_counted_is_drawn_whole(edges: list[float], data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(0, 1000), min_size=len(edges) + 1, max_size=len(edges) + 1))
    lowest = edges[0] - 1 if edges else 0.0
    highest = edges[-1] + 1 if edges else 1.0
    profile = NumericProfile(edges=edges, counts=counts, n=sum(counts), min=lowest, max=highest)
    drawn = bars.numeric_bars(profile)
    assert sum(bar.share for bar in drawn) == pytest.approx(1 if sum(counts) else 0)
    assert all(bar.share >= 0 for bar in drawn)


def test_a_curve_needs_two_points_and_spans_its_box() -> None:
    assert sparklines.curve([samples.interval(0.7, 0.01)]) is None
    drawn = sparklines.curve([samples.interval(0.7, 0.01), samples.interval(0.6, 0.01)], baseline=0.72)
    assert drawn is not None
    assert drawn.line.startswith("M0.0 ")
    assert drawn.rule == sparklines.INSET
    columns = sparklines.columns([1.0, None, -1.0])
    assert [column.loss for column in columns] == [False, True]
