"""Columns counted into profiles: at training by the sdk, and in every window by the monitor, in the same bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from tenure.records.profiles import CategoricalProfile, ColumnProfile, Measure, NumericProfile

if TYPE_CHECKING:
    from tenure.stats.histograms import CategoricalCounts, NumericCounts

Either = TypeVar("Either", NumericProfile, CategoricalProfile)


def count_numeric(
    values: Any,
    edges: Sequence[float],
    points: Sequence[float],
    within: tuple[float, float] | None = None,
) -> NumericProfile:
    """A numeric column counted in bins that were cut before, and how many values lie outside of `within`."""
    from tenure.stats import histograms

    return numeric_profile(histograms.count_numeric(values, edges, points, within), edges, points)


def cut(values: Any) -> NumericProfile:
    """A numeric column, counted in bins that are cut at its own quantiles."""
    from tenure.stats import histograms

    edges, points = histograms.quantile_edges(values)
    return count_numeric(values, edges.tolist(), points.tolist())


def count_categorical(values: Any, levels: Sequence[str], other_levels: Sequence[str]) -> CategoricalProfile:
    """A categorical column counted over a frozen vocabulary."""
    from tenure.stats import histograms

    counted = histograms.count_categorical(values, levels, other_levels)
    return categorical_profile(counted, levels, other_levels)


def count_like(like: ColumnProfile, values: Any) -> ColumnProfile:
    """One column in the bins of another's profile. `values` are those of the measure, where it is one's."""
    if isinstance(like, NumericProfile):
        return numbers_like(like, values)
    return measured(count_categorical(values, like.levels, like.other_levels), like.of, like.measure)


def numbers_like(like: NumericProfile, values: Any) -> NumericProfile:
    """A numeric column in the bins of another's profile, and how many of its values lie beyond that one's."""
    within = None if like.min is None or like.max is None else (like.min, like.max)
    return measured(count_numeric(values, like.edges, like.points, within), like.of, like.measure)


def free_text(name: str, values: Any) -> dict[str, ColumnProfile]:
    """Free texts as what can be told of them without reading them."""
    from tenure.stats import measures

    found = measures.text_measures(values)
    return {name_of(name, measure): measured(cut(column), name, measure) for measure, column in found.items()}


def moments(name: str, values: Any) -> dict[str, ColumnProfile]:
    """Moments by themselves, in microseconds UTC, and by their hour of the week."""
    from tenure.stats import histograms, measures

    told = measures.moment_measures(values)
    hours = told["hour of week"]
    counted = count_categorical(hours, *histograms.vocabulary(hours))
    return {
        name_of(name, "moment"): measured(cut(told["moment"]), name, "moment"),
        name_of(name, "hour of week"): measured(counted, name, "hour of week"),
    }


def values_of(like: ColumnProfile, column: str, columns: Mapping[str, Any], measured_before: dict[str, Any]) -> Any:
    """What is to be counted for a profile's column, out of a table's; None when the table lacks it.

    `measured_before` keeps what was measured of a column, for its other measures.
    """
    source = like.of or column
    if source not in columns:
        return None
    if like.measure is None:
        return columns[source]
    from tenure.stats.measures import MEASURES

    tell = MEASURES[like.measure]
    key = f"{tell.__name__} {source}"
    if key not in measured_before:
        measured_before[key] = tell(columns[source])
    return measured_before[key][like.measure]


def name_of(column: str, measure: str) -> str:
    """What a measure of a column is called among the columns.

    >>> name_of("comment", "length")
    'comment · length'
    """
    return f"{column} · {measure}"


def measured(profile: Either, of: str, measure: Measure | str | None) -> Either:
    """A profile, marked as that of a measure of a column."""
    import msgspec

    marked: Either = msgspec.structs.replace(profile, of=of, measure=measure) if measure else profile
    return marked


def numeric_profile(counted: NumericCounts, edges: Sequence[float], points: Sequence[float]) -> NumericProfile:
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
        wrong_type_count=counted.wrong_type,
        outside_count=counted.outside,
        distances=f"{counted.sums.distances:x}" if counted.sums else "",
        squares=f"{counted.sums.squares:x}" if counted.sums else "",
    )


def categorical_profile(
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
