"""How far a window's columns and answers lie from a reference, column by column. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tenure.monitor.rows import Array, Mask, Rows
from tenure.records.model_files import Feature
from tenure.records.profiles import CategoricalProfile, ColumnProfile, NumericProfile, Profile
from tenure.records.windows import DriftOfColumn, State
from tenure.sdk.class_scores import said_of
from tenure.sdk.profiles import name_of
from tenure.stats import distances, drift_table
from tenure.stats.columns import numbers_of
from tenure.stats.multiplicity import benjamini_hochberg

SCORE = "score"
PREDICTED = "predicted class"
Pair = tuple[ColumnProfile, ColumnProfile]


class Asked(NamedTuple):
    """The level of one test, and the least effect that matters (PSI)."""

    level: float
    floor: float


def pairs_of(reference: Profile, profile: Profile) -> dict[str, Pair]:
    """Columns that both have, by name: of the table, then of the answers: score, of several classes the chance of each
    and which was said. Moments are not compared, since time moves on. A column's name comes before an answer's."""
    pairs: dict[str, Pair] = {
        name: (like, profile.columns[name])
        for name, like in reference.columns.items()
        if name in profile.columns and like.measure != "moment"
    }
    if reference.score is not None and profile.score is not None:
        pairs.setdefault(SCORE, (reference.score, profile.score))
    for like, seen in zip(reference.classes, profile.classes, strict=False):  # an earlier release counted none
        pairs.setdefault(name_of(SCORE, like.name), (like.score, seen.score))
    said = (said_of(reference), profile.said)
    if said[0] is not None and said[1] is not None and said[0].levels == said[1].levels:
        pairs.setdefault(PREDICTED, (said[0], said[1]))
    return pairs


def is_of_answers(name: str) -> bool:
    """
    >>> is_of_answers("score · red"), is_of_answers("temp")
    (True, False)
    """
    return name in (SCORE, PREDICTED) or name.startswith(name_of(SCORE, ""))


def drift_of(
    rows: Rows, baseline: Profile, profile: Profile, asked: Asked, features: Mapping[str, Feature]
) -> list[DriftOfColumn]:
    """Every column's distance from the baseline, that of the answers too, judged together."""
    pairs = [(name, *pair) for name, pair in pairs_of(baseline, profile).items()]
    tests = [distances.psi_test(*drift_table.bins_of(expected, seen)) for _, expected, seen in pairs]
    q_values = benjamini_hochberg([test.p_value for test in tests])
    found = []
    for (name, expected, seen), test, q_value in zip(pairs, tests, q_values.tolist(), strict=True):
        moved = q_value < asked.level and test.excess > asked.floor
        found.append(
            DriftOfColumn(
                column=name,
                psi=test.psi,
                psi_excess=test.excess,
                p_value=test.p_value,
                q_value=q_value,
                floor=asked.floor,
                n_baseline=test.n_expected,
                n_window=test.n_observed,
                new_level_share=_new_level_share(seen),
                out_of_range_share=_out_of_range_share(
                    expected, rows.columns.get(name), features.get(name), rows.clipped.get(name)
                ),
                null_share=seen.null_count / max(test.n_observed, 1),
                state="not_enough_data" if not test.enough else "breach" if moved else "ok",
            )
        )
    return found


def _new_level_share(seen: ColumnProfile) -> float | None:
    return seen.new_count / max(seen.n, 1) if isinstance(seen, CategoricalProfile) else None


def _out_of_range_share(
    expected: ColumnProfile, values: Array | None, feature: Feature | None, clipped: Mask | None
) -> float | None:
    """The share of a numeric column's values that were sent outside its declared range, else outside what the baseline
    saw."""
    if not isinstance(expected, NumericProfile) or values is None:
        return None
    low, high = feature.range if feature and feature.range else (expected.min, expected.max)
    if low is None or high is None:
        return None
    numbers = numbers_of(values)
    there = ~np.isnan(numbers)
    outside = (numbers < low) | (numbers > high) | (clipped if clipped is not None else False)
    return float(np.mean(outside[there])) if there.any() else 0.0


def state_of(drift: Sequence[DriftOfColumn]) -> State:
    states = {column.state for column in drift}
    return "breach" if "breach" in states else "ok" if "ok" in states else "not_enough_data"
