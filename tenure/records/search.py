"""A search, as parsed: comparisons that must all hold, and the order of what is found."""

from __future__ import annotations

from typing import Literal

from tenure.records.base import Record

Entity = Literal["attribute", "metric", "param", "tag", "dataset"]
Value = str | int | float | list[str] | None


class Comparison(Record):
    """`entity.key op value`. Operators are upper-case: = != < <= > >= LIKE ILIKE IN NOT IN IS NULL IS NOT NULL."""

    entity: Entity
    key: str
    op: str
    value: Value = None


class Ordering(Record):
    """`dataset_name` and `dataset_digest` restrict which metrics of a logged model count."""

    entity: Entity
    key: str
    ascending: bool = True
    dataset_name: str | None = None
    dataset_digest: str | None = None


class Position(Record):
    """Where a page begins: after the run that is ordered by `values`, or before it when looking `back`.

    Without values it is the beginning, looking back the end. `seen`: how many runs come before, if known.
    """

    values: list[str | int | float | None] = []
    back: bool = False
    seen: int | None = 0
