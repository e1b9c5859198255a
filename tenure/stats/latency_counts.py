"""Latencies as counts in buckets whose width grows with the latency: percentiles of any period, by adding.

A bucket is at most 1/64 of its least latency wide, so a percentile is told to 0.8 %, from a microsecond to centuries.
Buckets follow from an integer's leading bits, with no logarithm: the same on every machine.

Source: Tene, "HdrHistogram"; Masson, Rim & Lee (2019), "DDSketch" (VLDB 12(12)), for the guarantee.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from tenure.stats.histograms import Integers

SHARES = 64
"""Buckets between a latency and twice that."""
RELATIVE_ERROR = 1 / (2 * SHARES)
_BITS = 6

LatencyCounts = dict[int, int]
"""Requests by bucket; buckets without any are left out."""


def bucket_of(latency_us: npt.ArrayLike) -> Integers:
    """The buckets of latencies in whole microseconds, at least 0, shape (n,); they are ordered as the latencies are.

    Below 128 µs each microsecond is a bucket of its own.

    >>> bucket_of([0, 1, 127, 128, 129, 130, 1_000_000]).tolist()
    [0, 1, 127, 128, 128, 129, 954]
    """
    latencies = np.maximum(np.asarray(latency_us, np.int64), 0)
    octave = np.maximum(np.frexp(latencies.astype(np.float64))[1].astype(np.int64) - (_BITS + 1), 0)
    return np.asarray(octave * SHARES + (latencies >> octave), np.int64)


def bounds_of(bucket: int) -> tuple[int, int]:
    """The latencies [least, end) of a bucket, in microseconds.

    >>> bounds_of(128), bounds_of(954)
    ((128, 130), (999424, 1007616))
    """
    octave = max(bucket // SHARES - 1, 0)
    least = (bucket - octave * SHARES) << octave
    return least, least + (1 << octave)


def count_latencies(latency_us: npt.ArrayLike) -> LatencyCounts:
    """Latencies in whole microseconds, shape (n,), n >= 0, counted; negative ones are left out.

    >>> count_latencies([5, 5, 300])
    {5: 2, 203: 1}
    """
    latencies = np.asarray(latency_us, np.int64).reshape(-1)
    found, counts = np.unique(bucket_of(latencies[latencies >= 0]), return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


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

    >>> percentile_of(count_latencies(range(1, 101)), 0.5)
    50.0
    >>> percentile_of({}, 0.99)
    """
    if not 0 <= share <= 1:
        raise ValueError(f"The share must be between 0 and 1. Got {share}.")
    total = sum(counts.values())
    if not total:
        return None
    wanted, seen, bucket = max(math.ceil(share * total - 1e-9), 1), 0, 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= wanted:
            break
    least, end = bounds_of(bucket)
    return (least + end - 1) / 2
