from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tenure.stats.histograms import (
    CHUNK,
    CategoricalCounts,
    NumericCounts,
    coarsen,
    count_categorical,
    count_numeric,
    in_order,
    merge_categorical,
    merge_numeric,
    quantile_edges,
    vocabulary,
)

_LARGEST = sys.float_info.max
ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True, width=64)
TIED_FLOAT = st.sampled_from([0.0, -0.0, 1.0, 1.0, 2.5, -3.0, 7.0, math.nan, math.inf, -math.inf])


def columns(elements: st.SearchStrategy[float] = ANY_FLOAT) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(np.float64, st.integers(0, 200), elements=elements)


def exact_part(counts: NumericCounts) -> tuple[object, ...]:
    return (
        counts.counts.tobytes(),
        counts.point_counts.tobytes(),
        counts[2:6],
        np.array([counts.min, counts.max, counts.mean, counts.m2], dtype=np.float64).tobytes(),
        counts.sums,
        (counts.wrong_type, counts.outside),
    )


def plainly_counted(values: np.ndarray, edges: np.ndarray, points: np.ndarray) -> list[int]:
    """The definition, one value after the other."""
    counts = [0] * (len(edges) + 1)
    for value in values[np.isfinite(values)]:
        if value not in points:
            counts[sum(edge <= value for edge in edges)] += 1
    return counts


@given(values=columns() | columns(TIED_FLOAT), cut_on=columns() | columns(TIED_FLOAT))
def test_counts_follow_their_definition_for_any_values(values, cut_on):
    edges, points = quantile_edges(cut_on, bins=8)
    counted = count_numeric(values, edges, points)
    assert counted.counts.tolist() == plainly_counted(values, edges, points)
    assert counted.point_counts.tolist() == [int(np.sum(values == point)) for point in points]
    assert counted.null_count == np.isnan(values).sum()
    assert (counted.pos_inf, counted.neg_inf) == (np.sum(values == np.inf), np.sum(values == -np.inf))
    assert counted.n == counted.counts.sum() + counted.point_counts.sum() == np.isfinite(values).sum()
    assert math.isfinite(counted.mean)
    assert math.isfinite(counted.m2)


@given(values=columns() | columns(TIED_FLOAT), data=st.data())
def test_merging_is_byte_identical_under_any_split_and_order(values, data):
    edges, points = quantile_edges(values, bins=16)
    whole = count_numeric(values, edges, points)
    places = sorted(data.draw(st.lists(st.integers(0, len(values)), max_size=6)))
    parts = [count_numeric(part, edges, points) for part in np.split(values, places)]
    shuffled = data.draw(st.permutations(parts))
    merged = merge_numeric(shuffled)
    assert exact_part(merged) == exact_part(whole)


@given(values=columns(st.floats(-1e6, 1e6)), data=st.data())
def test_moments_are_those_of_numpy_and_of_parts_without_sums(values, data):
    place = data.draw(st.integers(0, len(values)))
    whole = count_numeric(values, [0.0])
    stored = [count_numeric(part, [0.0])._replace(sums=None) for part in (values[:place], values[place:])]
    merged = merge_numeric(stored)
    assert merged.sums is None
    assert merged.mean == pytest.approx(whole.mean, rel=1e-9, abs=1e-9)
    assert merged.m2 == pytest.approx(whole.m2, rel=1e-9, abs=1e-6)
    if len(values):
        assert whole.mean == pytest.approx(np.mean(values), rel=1e-9, abs=1e-9)
        assert whole.m2 == pytest.approx(np.var(values) * len(values), rel=1e-9, abs=1e-6)


@given(values=columns() | columns(TIED_FLOAT), bins=st.integers(2, 40))
def test_edges_ascend_and_every_point_is_one(values, bins):
    edges, points = quantile_edges(values, bins)
    assert len(points) <= 16
    assert len(edges) <= bins - 1 + len(points)
    assert np.all(np.diff(edges) > 0)
    assert np.all(np.diff(points) > 0)
    assert np.isin(points, edges).all()
    counted = count_numeric(values, edges, points)
    assert len(points) or len(edges) == 0 or counted.counts.min() > 0


@given(values=columns(TIED_FLOAT) | columns(st.integers(0, 30).map(float)))
def test_points_and_bins_in_order_are_the_cumulative_distribution(values):
    edges, points = quantile_edges(values, bins=8)
    row = in_order(count_numeric(values, edges, points), edges, points)
    finite = values[np.isfinite(values)]
    sums = np.cumsum(row)
    expected = {int(np.sum(finite < edge)) for edge in edges} | {int(np.sum(finite <= point)) for point in points}
    assert expected <= set(sums.tolist()) | {0}
    assert row.sum() == len(finite)


@given(
    values=st.lists(st.sampled_from(["a", "b", "", "z", None, True, 3, 3.0, math.nan])),
    data=st.data(),
)
def test_levels_merge_byte_identically_under_any_split(values, data):
    levels, others = vocabulary(values, top=2)
    place = data.draw(st.integers(0, len(values)))
    whole = count_categorical(values, levels, others)
    merged = merge_categorical([count_categorical(part, levels, others) for part in (values[place:], values[:place])])
    assert merged.counts.tobytes() == whole.counts.tobytes()
    assert merged[1:] == whole[1:]
    assert whole.new_count == 0
    assert whole.n + whole.null_count == len(values)


def test_quantile_bins_hold_about_equal_mass():
    values = np.random.default_rng(1).lognormal(0, 1.5, 100_000)
    edges, points = quantile_edges(values)
    counted = count_numeric(values, edges, points)
    assert len(points) == 0
    assert len(counted.counts) == 256
    assert counted.counts.min() >= 390
    assert counted.counts.max() <= 391


def test_a_chunk_and_many_chunks_count_alike_in_both_widths():
    values = np.random.default_rng(2).normal(size=CHUNK * 2 + 17).astype(np.float32)
    edges, points = quantile_edges(values)
    whole = count_numeric(values, edges, points)
    wide = count_numeric(values.astype(np.float64), edges, points)
    expected = np.histogram(values.astype(np.float64), np.concatenate(([-np.inf], edges, [np.inf])))[0]
    assert whole.counts.tolist() == wide.counts.tolist() == expected.tolist()


def test_point_masses_get_bins_of_their_own():
    rng = np.random.default_rng(3)
    values = np.concatenate((np.zeros(5000), np.full(300, 99.0), rng.normal(50, 10, 4700)))
    edges, points = quantile_edges(values)
    counted = count_numeric(values, edges, points)
    assert points.tolist() == [0.0, 99.0]
    assert counted.point_counts.tolist() == [5000, 300]
    assert counted.counts.sum() == 4700
    assert len(edges) == 257


def test_more_than_sixteen_point_masses_keep_the_heaviest_and_bin_the_rest():
    values = np.repeat(np.arange(30.0), np.arange(100, 130))
    edges, points = quantile_edges(values)
    assert points.tolist() == list(range(14, 30))
    counted = count_numeric(values, edges, points)
    assert counted.counts.sum() == sum(range(100, 114))
    assert len(counted.counts) == 14 + 16


@pytest.mark.parametrize(
    ("values", "edges", "points", "nulls"),
    [
        ([], 0, 0, 0),
        ([None, None], 0, 0, 2),
        ([math.nan] * 3, 0, 0, 3),
        ([5.0], 0, 0, 0),
        ([5.0] * 1000, 1, 1, 0),
        ([math.inf, -math.inf], 0, 0, 0),
        (["a", 1.0, None], 0, 0, 2),
        ([True, False] * 50, 2, 2, 0),
    ],
)
def test_columns_with_little_in_them_are_counted(values, edges, points, nulls):
    cut_edges, cut_points = quantile_edges(values)
    counted = count_numeric(values, cut_edges, cut_points)
    assert (len(cut_edges), len(cut_points), counted.null_count) == (edges, points, nulls)
    total = counted.n + counted.null_count + counted.pos_inf + counted.neg_inf
    assert total == len(values)


def test_huge_values_do_not_overflow_into_infinity():
    values = np.array([1.7e308, -1.7e308, 1.7e308, 1e-300])
    counted = merge_numeric([count_numeric(values, [0.0]), count_numeric(values, [0.0])])
    assert math.isfinite(counted.mean)
    assert math.isfinite(counted.m2)
    assert (counted.min, counted.max) == (-1.7e308, 1.7e308)


def test_the_largest_float_may_be_a_point():
    counted = count_numeric([_LARGEST, 1.0], [_LARGEST], [_LARGEST])
    assert (counted.counts.tolist(), counted.point_counts.tolist()) == ([1, 0], [1])


def test_integers_too_large_for_a_float_are_counted_as_infinite():
    assert count_numeric([10**400, -(10**400), 1], [0.0]).pos_inf == 1


def test_histograms_of_different_bins_do_not_merge():
    with pytest.raises(ValueError, match="same bins"):
        merge_numeric([count_numeric([1.0], [0.0]), count_numeric([1.0], [])])


def test_a_vocabulary_ranks_levels_and_counts_what_it_never_saw_as_new():
    levels, others = vocabulary(["b"] * 3 + ["a"] * 2 + ["c", None], top=2)
    assert (levels, others) == (["b", "a"], ["c"])
    assert count_categorical(["a", "c", "d", "d", None], levels, others) == CategoricalCounts(
        counts=pytest.approx([0, 1]), other_count=1, new_count=2, null_count=1, n=4
    )


def test_a_level_keeps_its_name_through_json_and_floats():
    levels, _ = vocabulary(np.array([True, False, True]))
    assert levels == ["true", "false"]
    assert vocabulary([3.0, 3.0, float("nan")])[0] == vocabulary(np.array([3, 3]))[0] == ["3"]


@given(counts=hnp.arrays(np.int64, st.integers(1, 300), elements=st.integers(0, 1000)), bins=st.integers(1, 40))
@settings(max_examples=50)
def test_coarsening_loses_no_row_and_commutes_with_merging(counts, bins):
    coarse = coarsen(counts, bins)
    assert coarse.sum() == counts.sum()
    assert len(coarse) == min(bins, len(counts))
    assert (coarsen(counts + counts, bins) == 2 * coarse).all()
    alike = coarsen(counts, bins, like=counts)
    assert alike.sum() == counts.sum()
    assert len(alike) <= min(bins, len(counts))


def test_bins_coarsen_into_groups_of_the_baselines_mass():
    baseline = np.array([0, 500, 0, 100, 100, 100, 100, 100])
    assert coarsen(baseline, 2, like=baseline).tolist() == [500, 500]
    assert coarsen(np.arange(8), 2, like=baseline).tolist() == [1, 27]


def test_256_quantile_bins_coarsen_into_ten_of_about_equal_mass():
    coarse = coarsen(np.full(256, 100), 10)
    assert coarse.min() >= 2500
    assert coarse.max() <= 2600


def test_what_lies_outside_and_what_is_no_number_is_counted_apart():
    counted = count_numeric([1.0, "x", None, 9.0, -2.0, math.inf, "7"], [5.0], within=(0.0, 5.0))
    assert (counted.outside, counted.wrong_type, counted.null_count, counted.n) == (2, 2, 3, 3)
