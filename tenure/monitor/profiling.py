"""Columns counted in the bins of a baseline."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tenure.records.profiles import CategoricalProfile, ColumnProfile, NumericProfile, Profile
from tenure.sdk import profiles
from tenure.stats.columns import Values
from tenure.stats.histograms import CategoricalCounts, NumericCounts


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
