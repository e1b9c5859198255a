"""The weakest segments of a window: groups of its rows, found by search, in which answers are worse than elsewhere."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tenure.monitor.answers import Answers
from tenure.monitor.rows import Floats, Rows
from tenure.records.weaknesses import GroupCondition, Loss, WeakSegment
from tenure.stats import weakness
from tenure.stats.intervals import key_hashes
from tenure.stats.weakness import Condition, Weak

SHOWN = 5
MOST_ROWS = 100_000
"""Of a larger window so many are searched, chosen by the hashes of their ids."""


def weak_segments(rows: Rows, answers: Answers) -> list[WeakSegment]:
    """At most five groups of the rows that were judged, the greatest excess first; often none."""
    if not len(answers) or not rows.columns:
        return []
    loss, kind = loss_of(answers)
    chosen = _chosen(answers)
    columns = {name: values[answers.place[chosen]] for name, values in rows.columns.items()}
    found = weakness.weakest(loss[chosen], columns, answers.key[chosen])
    return [_told(one, kind) for one in found[:SHOWN]]


def loss_of(answers: Answers) -> tuple[Floats, Loss]:
    """How bad each answer was, shape (n,): 0 is perfect."""
    if answers.task == "regression":
        return np.abs(answers.score - answers.y), "absolute_error"
    if answers.task == "multiclass":
        assert answers.said is not None
        return (answers.said != answers.y).astype(np.float64), "wrong"
    if answers.task == "binary":
        return (answers.score - answers.y) ** 2, "brier"
    return _misordered(answers), "misordered"


def condition_of(one: GroupCondition) -> Condition:
    """A condition as the search has it."""
    low = -math.inf if one.low is None else one.low
    return Condition(one.column, one.level, low, math.inf if one.high is None else one.high)


def _misordered(answers: Answers) -> Floats:
    """Of all rows of the other outcome, the share that stands on the wrong side of each; ties count half."""
    truth = answers.y == 1
    if truth.all() or not truth.any():
        return np.zeros(len(answers))
    positives, negatives = np.sort(answers.score[truth]), np.sort(answers.score[~truth])

    def below(among: Floats, scores: Floats) -> Floats:
        sides = [np.searchsorted(among, scores, side=side) for side in ("left", "right")]
        shares: Floats = (sides[0] + sides[1]) / 2 / len(among)
        return shares

    return np.where(truth, 1 - below(negatives, answers.score), below(positives, answers.score))


def _chosen(answers: Answers) -> Any:
    """The rows that are searched, as an index."""
    if len(answers) <= MOST_ROWS:
        return slice(None)
    return np.sort(np.argsort(key_hashes(answers.key), kind="stable")[:MOST_ROWS])


def _told(found: Weak, kind: Loss) -> WeakSegment:
    return WeakSegment(
        conditions=[_condition(one) for one in found.conditions],
        said=" and ".join(_said(one) for one in found.conditions),
        loss_kind=kind,
        rows=found.rows,
        tested=found.tested,
        loss=found.loss,
        loss_of_others=found.loss_of_others,
        excess=found.excess,
        low=found.low,
        high=found.high,
        q_value=found.q_value,
    )


def _condition(one: Condition) -> GroupCondition:
    low, high = (None if math.isinf(end) else end for end in (one.low, one.high))
    return GroupCondition(column=one.column, level=one.level, low=low, high=high)


def _said(one: Condition) -> str:
    if one.level is not None:
        return f"{one.column} is missing" if one.level == weakness.MISSING else f"{one.column} is {one.level}"
    if math.isinf(one.low) and math.isinf(one.high):
        return f"{one.column} is any number"
    if math.isinf(one.low):
        return f"{one.column} is below {one.high:,.6g}"
    if math.isinf(one.high):
        return f"{one.column} is {one.low:,.6g} or more"
    return f"{one.column} is from {one.low:,.6g} to below {one.high:,.6g}"
