"""Columns counted in the bins of a baseline."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tenure.records.profiles import CategoricalProfile, ColumnProfile, NumericProfile, Profile
from tenure.stats.columns import Values
from tenure.stats.histograms import CategoricalCounts, NumericCounts, count_categorical, count_numeric


def profile_like(baseline: Profile, columns: Mapping[str, Values], score: Values, y: Values) -> Profile:
    """A table's profile in the bins of a baseline. A column that the table lacks counts as missing in every row."""
    scores, outcomes = np.asarray(score, np.float64), np.asarray(y, np.float64)
    counted = {
        name: column_like(like, columns.get(name, [None] * len(scores))) for name, like in baseline.columns.items()
    }
    known: list[NumericProfile | None] = [None, None, None]
    if baseline.score is not None:
        known = [_numeric_like(baseline.score, part) for part in (scores, scores[outcomes == 1], scores[outcomes == 0])]
    return Profile(
        rows=len(scores), columns=counted, score=known[0], score_of_positives=known[1], score_of_negatives=known[2]
    )


def column_like(like: ColumnProfile, values: Values) -> ColumnProfile:
    """One column in the bins of another's profile."""
    return _numeric_like(like, values) if isinstance(like, NumericProfile) else _categorical_like(like, values)


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


def _numeric_like(like: NumericProfile, values: Values) -> NumericProfile:
    counted = count_numeric(values, like.edges, like.points)
    return NumericProfile(
        edges=like.edges,
        counts=counted.counts.tolist(),
        points=like.points,
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


def _categorical_like(like: CategoricalProfile, values: Values) -> CategoricalProfile:
    counted = count_categorical(values, like.levels, like.other_levels)
    return CategoricalProfile(
        levels=like.levels,
        counts=counted.counts.tolist(),
        other_levels=like.other_levels,
        other_count=counted.other_count,
        new_count=counted.new_count,
        null_count=counted.null_count,
        n=counted.n,
    )
