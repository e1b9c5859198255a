"""The kill switch: what is stopped at an endpoint, and what is answered instead."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from tenure.records.base import Record
from tenure.records.changes import Reason

Value = str | int | float | bool


class Constant(Record, forbid_unknown_fields=True, tag_field="kind", tag="constant"):
    """The same answer for every row: any JSON value."""

    answer: Any


class OtherVersion(Record, forbid_unknown_fields=True, tag_field="kind", tag="version"):
    """Another version of the model answers. It is loaded and kept warm from the moment it is named."""

    version: Annotated[int, Meta(ge=1)]


class Case(Record, forbid_unknown_fields=True):
    """`answer` for a row whose column compares so with a value (`in`: with one of several). Null never compares."""

    column: Annotated[str, Meta(min_length=1, max_length=500)]
    op: Literal["==", "!=", "<", "<=", ">", ">=", "in"]
    values: Annotated[list[Value], Meta(min_length=1, max_length=1000)]
    answer: Any

    def __post_init__(self) -> None:
        if self.op != "in" and len(self.values) != 1:
            raise ValueError(f"'{self.op}' compares with one of 'values'; got {len(self.values)}")


class Rule(Record, forbid_unknown_fields=True, tag_field="kind", tag="rule"):
    """The answer of the first case that a row meets, and `otherwise` for a row that meets none."""

    cases: Annotated[list[Case], Meta(min_length=1, max_length=100)]
    otherwise: Any


Fallback = Constant | OtherVersion | Rule


class SetFallback(Record, forbid_unknown_fields=True):
    """What is answered instead of a killed version; without a fallback, 503."""

    reason: Reason
    fallback: Fallback | None = None


class NewKill(Record, forbid_unknown_fields=True):
    """Stop one version at an endpoint, or, without a version, whatever answers there."""

    reason: Reason
    version: Annotated[int, Meta(ge=1)] | None = None


class Lift(Record, forbid_unknown_fields=True):
    reason: Reason


class Kill(Record):
    """A kill as it stands or stood. `version` is None when the whole endpoint was stopped."""

    kill_id: str
    endpoint: str
    version: int | None
    reason: str
    killed_by: str
    killed_at: int
    lifted_by: str | None = None
    lifted_at: int | None = None
    lift_reason: str | None = None


class Taken(Record):
    """A kill or its end, and which gateways route by it already; `waiting` names those that had not said so in time."""

    kill: Kill
    epoch: int
    acknowledged: list[str]
    waiting: list[str]


class Stopped(Record):
    """A kill, as it travels in the routing table."""

    version: int | None
    reason: str


def fallback_from(text: str | None) -> Fallback | None:
    """A fallback as it is stored."""
    return msgspec.json.decode(text, type=Fallback) if text else None
