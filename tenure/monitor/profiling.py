"""Columns counted in the bins of a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from tenure.records.profiles import CategoricalProfile, ColumnProfile, NumericProfile, Profile
from tenure.sdk import profiles
from tenure.stats.columns import Values
from tenure.stats.histograms import CategoricalCounts, NumericCounts, merge_categorical, merge_numeric


def profile_like(baseline: Profile, columns: Mapping[str, Values], score: Values, y: Values) -> Profile:
    """A table's profile in the bins of a baseline. A column that the table lacks counts as missing in every row."""
    scores, outcomes = np.asarray(score, np.float64), np.asarray(y, np.float64)
    counted = {
        name: column_like(like, columns.get(name, [None] * len(scores))) for name, like in baseline.columns.items()
    }
    known: list[NumericProfile | None] = [None, None, None]
    if baseline.score is not None:
        edges, points = baseline.score.edges, baseline.score.points
        parts = (scores, scores[outcomes == 1], scores[outcomes == 0])
        known = [profiles.count_numeric(part, edges, points) for part in parts]
    return Profile(
        rows=len(scores), columns=counted, score=known[0], score_of_positives=known[1], score_of_negatives=known[2]
    )


def column_like(like: ColumnProfile, values: Values) -> ColumnProfile:
    """One column in the bins of another's profile."""
    if isinstance(like, NumericProfile):
        return profiles.count_numeric(values, like.edges, like.points)
    return profiles.count_categorical(values, like.levels, like.other_levels)


def merged(parts: Sequence[Profile]) -> Profile:
    """Profiles of several tables (at least one) as one: integers added up. All were counted in the same bins."""
    scores = [one.score for one in parts if one.score is not None]
    return Profile(
        rows=sum(one.rows for one in parts),
        columns={name: merged_columns([one.columns[name] for one in parts]) for name in parts[0].columns},
        score=_merged_numeric(scores) if scores else None,
    )


def merged_columns(parts: Sequence[ColumnProfile]) -> ColumnProfile:
    """One column's profiles as one."""
    numeric = [one for one in parts if isinstance(one, NumericProfile)]
    if numeric:
        return _merged_numeric(numeric)
    levels = [one for one in parts if isinstance(one, CategoricalProfile)]
    counts = merge_categorical([categorical_counts(one) for one in levels])
    return msgspec.structs.replace(
        levels[0],
        counts=counts.counts.tolist(),
        other_count=counts.other_count,
        new_count=counts.new_count,
        null_count=counts.null_count,
        n=counts.n,
    )


def _merged_numeric(parts: Sequence[NumericProfile]) -> NumericProfile:
    counts = merge_numeric([numeric_counts(one) for one in parts])
    return msgspec.structs.replace(
        parts[0],
        counts=counts.counts.tolist(),
        point_counts=counts.point_counts.tolist(),
        null_count=counts.null_count,
        positive_infinity_count=counts.pos_inf,
        negative_infinity_count=counts.neg_inf,
        n=counts.n,
        mean=counts.mean,
        m2=counts.m2,
        min=counts.min,
        max=counts.max,
    )


def numeric_counts(profile: NumericProfile) -> NumericCounts:
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
    )


def categorical_counts(profile: CategoricalProfile) -> CategoricalCounts:
    counts = np.array(profile.counts, np.int64)
    return CategoricalCounts(counts, profile.other_count, profile.new_count, profile.null_count, profile.n)
