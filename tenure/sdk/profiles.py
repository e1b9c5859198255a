"""Columns counted into profiles, and profiles as the counts that `stats` works on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tenure.records.profiles import CategoricalProfile, ColumnProfile, NumericProfile

if TYPE_CHECKING:
    from tenure.stats.histograms import CategoricalCounts, NumericCounts


def count_numeric(values: Any, edges: Sequence[float], points: Sequence[float]) -> NumericProfile:
    """A numeric column counted in bins that were cut before."""
    from tenure.stats import histograms

    return numeric_of(histograms.count_numeric(values, edges, points), edges, points)


def count_categorical(values: Any, levels: Sequence[str], other_levels: Sequence[str]) -> CategoricalProfile:
    """A categorical column counted over a frozen vocabulary."""
    from tenure.stats import histograms

    return categorical_of(histograms.count_categorical(values, levels, other_levels), levels, other_levels)


def count_like(column: ColumnProfile, values: Any) -> ColumnProfile:
    """Other rows of a column, counted in the bins of its profile, so that the two can be compared and merged."""
    if isinstance(column, NumericProfile):
        return count_numeric(values, column.edges, column.points)
    return count_categorical(values, column.levels, column.other_levels)


def numeric_counts(column: NumericProfile) -> NumericCounts:
    import numpy as np

    from tenure.stats.histograms import NumericCounts

    return NumericCounts(
        counts=np.array(column.counts, np.int64),
        point_counts=np.array(column.point_counts, np.int64),
        null_count=column.null_count,
        pos_inf=column.positive_infinity_count,
        neg_inf=column.negative_infinity_count,
        n=column.n,
        mean=column.mean,
        m2=column.m2,
        min=column.min,
        max=column.max,
    )


def categorical_counts(column: CategoricalProfile) -> CategoricalCounts:
    import numpy as np

    from tenure.stats.histograms import CategoricalCounts

    return CategoricalCounts(
        np.array(column.counts, np.int64), column.other_count, column.new_count, column.null_count, column.n
    )


def numeric_of(counted: NumericCounts, edges: Sequence[float], points: Sequence[float]) -> NumericProfile:
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


def categorical_of(
    counted: CategoricalCounts, levels: Sequence[str], other_levels: Sequence[str]
) -> CategoricalProfile:
    return CategoricalProfile(
        levels=list(levels),
        counts=counted.counts.tolist(),
        other_levels=list(other_levels),
        other_count=counted.other_count,
        new_count=counted.new_count,
        null_count=counted.null_count,
        n=counted.n,
    )


def merged(parts: Sequence[ColumnProfile]) -> ColumnProfile:
    """Profiles of the same column in the same bins (at least one) as one; raises ValueError when bins differ."""
    from tenure.stats import histograms

    first = parts[0]
    if isinstance(first, NumericProfile):
        numeric = [part for part in parts if isinstance(part, NumericProfile) and _same_numeric(part, first)]
        if len(numeric) == len(parts):
            counted = histograms.merge_numeric([numeric_counts(part) for part in numeric])
            return numeric_of(counted, first.edges, first.points)
    else:
        named = [part for part in parts if isinstance(part, CategoricalProfile) and _same_levels(part, first)]
        if len(named) == len(parts):
            together = histograms.merge_categorical([categorical_counts(part) for part in named])
            return categorical_of(together, first.levels, first.other_levels)
    raise ValueError("Profiles can be merged only when they were counted in the same bins.")


def _same_numeric(one: NumericProfile, other: NumericProfile) -> bool:
    return one.edges == other.edges and one.points == other.points


def _same_levels(one: CategoricalProfile, other: CategoricalProfile) -> bool:
    return one.levels == other.levels and one.other_levels == other.other_levels
