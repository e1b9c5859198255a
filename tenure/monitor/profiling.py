"""Columns counted in the bins of a baseline, and profiles that are added up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tenure.errors import InvalidInput
from tenure.records.profiles import (
    CategoricalProfile,
    ClassProfile,
    ColumnProfile,
    ErrorProfile,
    NumericProfile,
    Profile,
)
from tenure.sdk import profiles, scores
from tenure.sdk.class_scores import Chosen
from tenure.stats.columns import Values
from tenure.stats.exact_sums import ExactSums, grid_of
from tenure.stats.histograms import CategoricalCounts, NumericCounts, merge_categorical, merge_numeric
from tenure.stats.score_counts import ScoreMoments


def profile_like(
    baseline: Profile, columns: Mapping[str, Values], score: Values, y: Values, chosen: Chosen | None = None
) -> Profile:
    """A table's profile in the bins of a baseline. A column that the table lacks counts as missing in every row.

    Scores are told apart by outcome as the baseline's were. Of several classes their chances and which was
    said are `chosen`.
    """
    values, outcomes = np.asarray(score, np.float64), np.asarray(y, np.float64)
    told = scores.like(baseline, values, outcomes, chosen)
    return Profile(rows=len(values), columns=columns_like(baseline.columns, columns, len(values)), **told)


def columns_like(
    baseline: Mapping[str, ColumnProfile], columns: Mapping[str, Values], rows: int
) -> dict[str, ColumnProfile]:
    """Columns in the bins of a baseline's; all missing where the table lacks one."""
    measured: dict[str, Values] = {}
    found = {}
    for name, like in baseline.items():
        values = profiles.values_of(like, name, columns, measured)
        found[name] = profiles.count_like(like, [None] * rows if values is None else values)
    return found


def column_like(like: ColumnProfile, values: Values) -> ColumnProfile:
    """One column in the bins of another's profile."""
    return profiles.count_like(like, values)


def merge(parts: Sequence[Profile]) -> Profile:
    """The profile of all rows together, from parts (at least one) that were counted in the bins of one baseline.

    The same to the last byte however the rows are split and in whatever order the parts come, except for what was
    judged, which is left out. Raises InvalidInput for parts that were not counted alike.
    """
    first = parts[0]
    if any(part.columns.keys() != first.columns.keys() or part.outcome != first.outcome for part in parts):
        raise InvalidInput("Profiles can be merged only when they have the same columns and kind of outcome.")
    return Profile(
        rows=sum(part.rows for part in parts),
        columns={name: merge_columns([part.columns[name] for part in parts]) for name in first.columns},
        score=_merged([part.score for part in parts]),
        score_of_positives=_merged([part.score_of_positives for part in parts]),
        score_of_negatives=_merged([part.score_of_negatives for part in parts]),
        outcome=first.outcome,
        errors=_merged_errors([part.errors for part in parts]),
        classes=_merged_classes([part.classes for part in parts]),
        reference=first.reference,
        class_names=first.class_names,
        said=_merged_said([part.said for part in parts]),
    )


def merge_columns(parts: Sequence[ColumnProfile]) -> ColumnProfile:
    """One column of all rows together. Raises InvalidInput unless all were counted in the same bins."""
    numeric = [part for part in parts if isinstance(part, NumericProfile)]
    categorical = [part for part in parts if isinstance(part, CategoricalProfile)]
    bins = {(tuple(part.edges), tuple(part.points)) for part in numeric}
    levels = {(tuple(part.levels), tuple(part.other_levels)) for part in categorical}
    if len(bins) + len(levels) != 1:
        raise InvalidInput("Profiles can be merged only when they were counted in the same bins.")
    first = parts[0]
    if isinstance(first, NumericProfile):
        merged = merge_numeric([numeric_counts(part) for part in numeric])
        made = profiles.numeric_profile(merged, first.edges, first.points)
        return profiles.measured(made, first.of, first.measure)
    counts = merge_categorical([categorical_counts(part) for part in categorical])
    listed = profiles.categorical_profile(counts, first.levels, first.other_levels)
    return profiles.measured(listed, first.of, first.measure)


def _merged(parts: Sequence[NumericProfile | None]) -> NumericProfile | None:
    known = [part for part in parts if part is not None]
    merged = merge_columns(known) if known else None
    return merged if isinstance(merged, NumericProfile) else None


def _whole(parts: Sequence[NumericProfile]) -> NumericProfile:
    merged = merge_columns(parts)
    assert isinstance(merged, NumericProfile)
    return merged


def _merged_errors(parts: Sequence[ErrorProfile | None]) -> ErrorProfile | None:
    known = [part for part in parts if part is not None]
    if not known:
        return None
    return ErrorProfile(
        outcome=_whole([part.outcome for part in known]),
        error=_whole([part.error for part in known]),
        size=_whole([part.size for part in known]),
    )


def _merged_classes(parts: Sequence[Sequence[ClassProfile]]) -> list[ClassProfile]:
    """None when a part was counted before windows counted classes: what is known of some rows is not of all."""
    if not all(parts):
        return []
    return [_merged_class(same) for same in zip(*parts, strict=True)]


def _merged_said(parts: Sequence[CategoricalProfile | None]) -> CategoricalProfile | None:
    known = [part for part in parts if part is not None]
    merged = merge_columns(known) if len(known) == len(parts) else None
    return merged if isinstance(merged, CategoricalProfile) else None


def _merged_class(parts: Sequence[ClassProfile]) -> ClassProfile:
    if len({part.name for part in parts}) > 1:
        raise InvalidInput("Profiles can be merged only when they have the same classes, in the same order.")
    return ClassProfile(
        name=parts[0].name,
        score=_whole([part.score for part in parts]),
        score_where_true=_whole([part.score_where_true for part in parts]),
        said=sum(part.said for part in parts),
        said_where=[sum(counts) for counts in zip(*(part.said_where for part in parts), strict=True)],
    )


def numeric_counts(profile: NumericProfile) -> NumericCounts:
    kept = bool(profile.distances)
    marks = np.union1d(np.array(profile.edges, np.float64), np.array(profile.points, np.float64))
    sums = ExactSums(profile.n, int(profile.distances, 16), int(profile.squares, 16)) if kept else None
    return NumericCounts(
        counts=np.array(profile.counts, np.int64),
        point_counts=np.array(profile.point_counts, np.int64),
        null_count=profile.null_count,
        pos_inf=profile.positive_infinity_count,
        neg_inf=profile.negative_infinity_count,
        n=profile.n,
        mean=profile.mean,
        m2=profile.m2,
        min=profile.min,
        max=profile.max,
        wrong_type=profile.wrong_type_count,
        outside=profile.outside_count,
        sums=sums,
        grid=grid_of(marks) if kept else None,
    )


def categorical_counts(profile: CategoricalProfile) -> CategoricalCounts:
    counts = np.array(profile.counts, np.int64)
    return CategoricalCounts(counts, profile.other_count, profile.new_count, profile.null_count, profile.n)


def moments_of(profile: NumericProfile) -> ScoreMoments:
    """What `stats/score_counts.py` tells figures of scores from."""
    return ScoreMoments(profile.n, profile.mean, profile.m2)
