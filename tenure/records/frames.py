"""What is journaled: one frame per scoring request and role, one per refusal, one per batch of outcomes
or overrides; as msgpack."""

from __future__ import annotations

from typing import Any

from tenure.records.admission import Admitted, Reason
from tenure.records.base import Record, id_of_reference
from tenure.records.lookups import LookedUp
from tenure.records.routing import RoutedRole

BY_REFERENCE = "ref:"
"""What a key begins with that is the caller's reference."""


class Packed(Record):
    """Numbers as the bytes they came in, which costs neither gateway nor journal a look at each.

    `dtype` is NumPy's name of their type, little-endian: `<f8`, `<f4`, `<i8`, `<i4` or `|b1`. NaN stands for what is
    missing. `width` numbers make a row, 0 when a row is the number itself.
    """

    dtype: str
    values: bytes
    width: int = 0


class PredictionFrame(Record, tag_field="frame", tag="prediction"):
    """A request that was answered (or scored in the shadow), columns as they came, row k of `columns[name][k]`.

    A shadow frame has the request's id, its own release and no columns: they stand in the champion's frame.
    `looked_up`: of which columns the values were read from a table, and how old they were; None without any.
    `admitted` is None when the model's file asks nothing of requests. `propensity`: the probability with which this arm
    answered; `sampled`: the fraction of requests that the endpoint journaled then. Estimates need both. `idempotent`:
    each row is a prediction of its own, whose id follows from its reference, so that a row that is sent again is the
    same prediction.
    """

    prediction_id: str
    at: int
    endpoint: str
    release_id: str
    model: str
    version: int
    role: RoutedRole
    rows: int
    event_at: list[int]
    reference: list[str] | None
    columns: dict[str, list[Any] | Packed]
    output: list[Any] | Packed
    score: list[float | None] | Packed
    latency_us: int
    caller: str = ""
    admitted: Admitted | None = None
    propensity: float = 1.0
    sampled: float = 1.0
    idempotent: bool = False
    looked_up: dict[str, LookedUp] | None = None

    @property
    def row_ids(self) -> list[str]:
        """The id of each row's prediction."""
        if self.idempotent and self.reference:
            rows = zip(self.reference, self.event_at, strict=True)
            return [f"{id_of_reference(self.endpoint, reference, event_at)}:0" for reference, event_at in rows]
        return [f"{self.prediction_id}:{row}" for row in range(self.rows)]


class RefusalFrame(Record, tag_field="frame", tag="refusal"):
    """A request that the model's file did not admit: why, and nothing of what it held but the names of its columns.

    `where`: the columns whose values were refused.
    """

    refusal_id: str
    at: int
    endpoint: str
    model: str
    revision: int
    reason: Reason
    rows: int
    where: list[str] = []
    jurisdiction: str = ""
    purpose: str = ""
    channel: str = ""
    caller: str = ""


class OutcomeFrame(Record, tag_field="frame", tag="outcome"):
    """Outcomes as accepted. `key[k]` is a prediction id with its row, or `ref:` and the caller's reference."""

    at: int
    endpoint: str
    key: list[str]
    value: list[float]
    event_at: list[int]
    caller: str = ""


class OverrideFrame(Record, tag_field="frame", tag="override"):
    """What people decided instead of the model: `value[k]` for `key[k]`, why and by whom. Never an outcome."""

    at: int
    endpoint: str
    key: list[str]
    value: list[float]
    event_at: list[int]
    reason: list[str]
    decided_by: list[str]
    caller: str = ""


Frame = PredictionFrame | OutcomeFrame | RefusalFrame | OverrideFrame
