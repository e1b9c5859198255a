"""Outcomes: what really happened, told later; and overrides: what a person decided instead of the model."""

from __future__ import annotations

from typing import Literal

from tenure.records.base import Record

Accept = Literal["all", "valid"]
"""What becomes of a batch with rows that do not fit: nothing of it is stored, or the rows that fit are."""


class Outcome(Record, forbid_unknown_fields=True):
    """What became of one prediction, named by `prediction_id` (with `:row`) or by the caller's `reference`: a number,
    true or false, or the name of a class."""

    value: float | bool | str
    prediction_id: str | None = None
    reference: str | None = None
    event_time: str | int | None = None


class OutcomeBatch(Record, forbid_unknown_fields=True):
    outcomes: list[Outcome]


class Override(Record, forbid_unknown_fields=True):
    """What a person decided instead of the model: `value`, why, who (the caller, when nobody is named) and when."""

    value: float | bool | str
    reason: str
    prediction_id: str | None = None
    reference: str | None = None
    decided_by: str | None = None
    event_time: str | int | None = None


class OverrideBatch(Record, forbid_unknown_fields=True):
    overrides: list[Override]


class RowProblem(Record):
    """A row that does not fit: its number from 0 on, where in what was sent, and what must be there."""

    row: int
    where: str
    message: str


class OutcomesAccepted(Record):
    """`accepted` rows are on disk; whether each finds its prediction shows in the endpoint's progress.

    `refused` rows were left out, which only happens with `accept=valid`; `problems` tells of the first 20 of them.
    """

    accepted: int
    refused: int = 0
    problems: list[RowProblem] = []
