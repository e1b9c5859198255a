"""Columns counted into profiles: at training by the sdk, and in every window by the monitor, in the same bins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tenure.records.profiles import CategoricalProfile, NumericProfile


def count_numeric(values: Any, edges: Sequence[float], points: Sequence[float]) -> NumericProfile:
    """A numeric column counted in bins that were cut before."""
    from tenure.stats import histograms

    counted = histograms.count_numeric(values, edges, points)
    return NumericProfile(
        edges=list(edges),
        counts=counted.counts.tolist(),
        points=list(points),
        point_counts=counted.point_counts.tolist(),
        null_count=counted.null_count,
        positive_infinity_count=counted.pos_inf,
        negative_infinity_count=counted.neg_inf,
        n=counted.n,
        mean=counted.mean,
        m2=counted.m2,
        min=counted.min,
        max=counted.max,
    )


def count_categorical(values: Any, levels: Sequence[str], other_levels: Sequence[str]) -> CategoricalProfile:
    """A categorical column counted over a frozen vocabulary."""
    from tenure.stats import histograms

    counted = histograms.count_categorical(values, levels, other_levels)
    return CategoricalProfile(
        levels=list(levels),
        counts=counted.counts.tolist(),
        other_levels=list(other_levels),
        other_count=counted.other_count,
        new_count=counted.new_count,
        null_count=counted.null_count,
        n=counted.n,
    )
