from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure.stats.latency_counts import bucket_of, count_latencies
from tenure.stats.latency_percentiles import RELATIVE_ERROR, bounds_of, merge_latencies, percentile_of

latencies = st.lists(st.integers(0, 2**50), max_size=60)


@given(latencies)
def test_every_latency_lies_in_its_bucket_and_buckets_are_narrow(values: list[int]) -> None:
    for value, bucket in zip(values, bucket_of(values).tolist(), strict=True):
        least, end = bounds_of(bucket)
        assert least <= value < end
        assert end - least <= max(1, least / 64)
        assert bounds_of(bucket + 1)[0] == end


@given(latencies, st.data())
def test_merging_is_adding_whatever_the_split(values: list[int], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(values)))
    parts = [count_latencies(part) for part in (values[place:], values[:place])]
    assert merge_latencies(parts) == count_latencies(values)
    assert list(merge_latencies(parts)) == sorted(merge_latencies(parts))


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99, 0.999, 1.0])
def test_percentiles_are_within_the_promised_error(share: float) -> None:
    took = np.random.default_rng(3).lognormal(8, 1.2, 20_000).astype(np.int64)
    exact = np.quantile(took, share, method="inverted_cdf")
    told = percentile_of(count_latencies(took), share)
    assert abs(told / exact - 1) <= RELATIVE_ERROR < 0.01


def test_of_nothing_nothing_is_told_and_what_nobody_waited_for_is_left_out() -> None:
    assert percentile_of({}, 0.5) is None
    assert count_latencies([-1, -1]) == {}
    assert percentile_of(count_latencies([-1, 7]), 0.99) == 7.0
    with pytest.raises(ValueError, match="between 0 and 1"):
        percentile_of({1: 1}, 99)
