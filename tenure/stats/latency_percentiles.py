"""Percentiles of latencies that were counted in buckets (`stats/latency_counts.py`): plain arithmetic, so that whoever
shows them need not load what counts them.

Source: Tene, "HdrHistogram"; Masson, Rim & Lee (2019), "DDSketch" (VLDB 12(12)), for the guarantee.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

SHARES = 64
"""Buckets between a latency and twice that."""
RELATIVE_ERROR = 1 / (2 * SHARES)

LatencyCounts = dict[int, int]
"""Requests by bucket; buckets without any are left out."""


def bounds_of(bucket: int) -> tuple[int, int]:
    """The latencies [least, end) of a bucket, in microseconds.

    >>> bounds_of(128), bounds_of(954)
    ((128, 130), (999424, 1007616))
    """
    octave = max(bucket // SHARES - 1, 0)
    least = (bucket - octave * SHARES) << octave
    return least, least + (1 << octave)


def merge_latencies(parts: Iterable[Mapping[int, int]]) -> LatencyCounts:
    """All requests of all parts, in the order of the buckets.

    >>> merge_latencies([{5: 2}, {3: 1, 5: 1}])
    {3: 1, 5: 3}
    """
    total: LatencyCounts = {}
    for part in parts:
        for bucket, count in part.items():
            total[bucket] = total.get(bucket, 0) + count
    return dict(sorted(total.items()))


def percentile_of(counts: Mapping[int, int], share: float) -> float | None:
    """The latency in microseconds that this share of requests (0–1) took at most; None without requests.

    It is the middle of a bucket, so within 0.8 % of the least latency with at least that share at or below it.

    >>> percentile_of({latency: 1 for latency in range(1, 101)}, 0.5)
    50.0
    >>> percentile_of({}, 0.99)
    """
    bucket = bucket_at(counts, share)
    if bucket is None:
        return None
    least, end = bounds_of(bucket)
    return (least + end - 1) / 2


def bucket_at(counts: Mapping[int, int], share: float) -> int | None:
    """The bucket in which this share of requests (0–1) was reached, of buckets of any width that are numbered in the
    order of what they hold; None without requests.

    >>> bucket_at({3: 99, 7: 1}, 0.99), bucket_at({3: 99, 7: 1}, 1.0)
    (3, 7)
    """
    if not 0 <= share <= 1:
        raise ValueError(f"The share must be between 0 and 1. Got {share}.")
    total = sum(counts.values())
    wanted, seen = max(math.ceil(share * total - 1e-9), 1), 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= wanted:
            return bucket
    return None
