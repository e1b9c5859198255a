"""Groups of rows in which a model is weaker than elsewhere."""

from __future__ import annotations

from typing import Literal

from tenure.records.base import Record

Loss = Literal["brier", "misordered", "wrong", "absolute_error"]
LOSSES: dict[Loss, str] = {
    "brier": "mean squared error of the chance",
    "misordered": "share of pairs in the wrong order",
    "wrong": "share that was wrong",
    "absolute_error": "mean absolute error",
}


class GroupCondition(Record):
    """A level of a column, or numbers from `low` (included) to `high` (excluded); None is an open end."""

    column: str
    level: str | None = None
    low: float | None = None
    high: float | None = None


class WeakSegment(Record):
    """A group whose mean loss is proven to be above that of all other rows; judged by no monitor.

    It was proposed by one half of the rows and tested on the other: `tested` rows of `rows`. All figures are of that
    other half, so they were not chosen for being bad; `low` and `high` are the interval of `excess`. `q_value` is
    corrected for every group that was tested.
    """

    conditions: list[GroupCondition]
    said: str
    loss_kind: Loss
    rows: int
    tested: int
    loss: float
    loss_of_others: float
    excess: float
    low: float
    high: float
    q_value: float
