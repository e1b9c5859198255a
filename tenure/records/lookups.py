"""Features that are filled from a table at scoring: as the routing table carries them, and as they are journaled."""

from __future__ import annotations

from typing import Any, Literal

from tenure.records.base import Record

Otherwise = Literal["reject", "null", "default"]
Found = Literal["fresh", "stale", "missing", "sent", "unavailable"]
"""How a value came: fresh enough, or not; not in the table; brought by the request; or the table did not answer."""


class LookupRule(Record):
    """How one feature is filled: `column` of `table` at the configured `source`, in the row whose `key` the request
    names. `as_of` is the column that says when the row was written; `fresh_us` how old that may be."""

    feature: str
    source: str
    table: str
    key: str
    column: str
    as_of: str | None = None
    fresh_us: int | None = None
    missing: Otherwise = "reject"
    stale: Otherwise = "reject"
    default: float | str | bool | None = None
    override: Literal["refuse", "allow"] = "refuse"
    cache_us: int = 0


class LookedUp(Record):
    """What was looked up for one column of a request, row by row; the values stand in the frame's columns.

    `as_of[k]`: when the table's row was written, None where that is not known; `at`: when it was asked.
    """

    source: str
    table: str
    at: int
    found: list[Found]
    as_of: list[int | None]


Row = tuple[Any, ...]
"""The values of the wanted columns, in their order."""
