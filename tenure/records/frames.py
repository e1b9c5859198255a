"""What is journaled: one frame per scoring request and role, one per batch of outcomes. The wire form is msgpack."""

from __future__ import annotations

from typing import Any

from tenure.records.base import Record
from tenure.records.routing import ReleaseRole

BY_REFERENCE = "ref:"
"""What a key begins with that is the caller's reference."""


class PredictionFrame(Record, tag_field="frame", tag="prediction"):
    """A request that was answered (or scored in the shadow), columns as they came, row k of `columns[name][k]`.

    A shadow frame has the request's id, its own release and no columns: they stand in the champion's frame.
    """

    prediction_id: str
    at: int
    endpoint: str
    release_id: str
    model: str
    version: int
    role: ReleaseRole
    rows: int
    event_at: list[int]
    reference: list[str] | None
    columns: dict[str, list[Any]]
    output: list[Any]
    score: list[float | None]
    latency_us: int
    caller: str = ""


class OutcomeFrame(Record, tag_field="frame", tag="outcome"):
    """Outcomes as accepted. `key[k]` is a prediction id with its row, or `ref:` and the caller's reference."""

    at: int
    endpoint: str
    key: list[str]
    value: list[float]
    event_at: list[int]
    caller: str = ""


Frame = PredictionFrame | OutcomeFrame
