"""Outcomes: what really happened, told later."""

from __future__ import annotations

from tenure.records.base import Record


class Outcome(Record, forbid_unknown_fields=True):
    """What became of one prediction, named by `prediction_id` (with `:row`) or by the caller's `reference`."""

    value: float | bool
    prediction_id: str | None = None
    reference: str | None = None
    event_time: str | int | None = None


class OutcomeBatch(Record, forbid_unknown_fields=True):
    outcomes: list[Outcome]


class OutcomesAccepted(Record):
    """`accepted` outcomes are on disk; whether each finds its prediction shows in the endpoint's progress."""

    accepted: int
