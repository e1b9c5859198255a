"""Latencies as counts in buckets whose width grows with the latency: percentiles of any period, by adding.

A bucket is at most 1/64 of its least latency wide, so a percentile is told to 0.8 %, from a microsecond to centuries.
Buckets follow from an integer's leading bits, with no logarithm: the same on every machine.

Source: Tene, "HdrHistogram"; Masson, Rim & Lee (2019), "DDSketch" (VLDB 12(12)), for the guarantee.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tenure.stats.histograms import Integers
from tenure.stats.latency_percentiles import SHARES, LatencyCounts

_BITS = 6


def bucket_of(latency_us: npt.ArrayLike) -> Integers:
    """The buckets of latencies in whole microseconds, at least 0, shape (n,); they are ordered as the latencies are.

    Below 128 µs each microsecond is a bucket of its own.

    >>> bucket_of([0, 1, 127, 128, 129, 130, 1_000_000]).tolist()
    [0, 1, 127, 128, 128, 129, 954]
    """
    latencies = np.maximum(np.asarray(latency_us, np.int64), 0)
    octave = np.maximum(np.frexp(latencies.astype(np.float64))[1].astype(np.int64) - (_BITS + 1), 0)
    return np.asarray(octave * SHARES + (latencies >> octave), np.int64)


def count_latencies(latency_us: npt.ArrayLike) -> LatencyCounts:
    """Latencies in whole microseconds, shape (n,), n >= 0, counted; negative ones are left out.

    >>> count_latencies([5, 5, 300])
    {5: 2, 203: 1}
    """
    latencies = np.asarray(latency_us, np.int64).reshape(-1)
    found, counts = np.unique(bucket_of(latencies[latencies >= 0]), return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))
