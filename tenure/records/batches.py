"""Batch scoring: what opens a batch, what it is scored with, and what is known of it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from tenure.records.admission import Admitted, ColumnRule
from tenure.records.base import Record
from tenure.records.environments import Environment
from tenure.records.routing import Release

MOST_ROWS = 1_000_000_000
"""A prediction's id holds its row's number in up to nine digits."""
BatchState = Literal["open", "done", "abandoned"]
Said = Annotated[str, Meta(max_length=64)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class NewBatch(Record, forbid_unknown_fields=True):
    """Where, what for and by which way is asked, as far as the model's file wants to know; `rows` when it is known.

    `dry_run`: say what a batch would be scored with, and open none.
    """

    jurisdiction: Said | None = None
    purpose: Said | None = None
    channel: Said | None = None
    rows: Annotated[int, Meta(ge=0, le=MOST_ROWS)] | None = None
    source: Annotated[str, Meta(max_length=200)] = ""
    dry_run: bool = False


class BatchEnd(Record, forbid_unknown_fields=True):
    """What came of a batch: rows that were read, how many of them were rejected, and digests of both files."""

    rows: Annotated[int, Meta(ge=0, le=MOST_ROWS)]
    rejected: Annotated[int, Meta(ge=0, le=MOST_ROWS)]
    input_sha256: Sha256
    output_sha256: Sha256


class BatchInfo(Record):
    """A batch: one version, from its first row to its last. `rows` counts what was read, also what was rejected.

    `source` is the name of the file or table as the caller said it; `champion` is the version that answers at the
    endpoint now, which may be another one by now.
    """

    batch_id: str
    endpoint: str
    model: str
    version: int
    release_id: str
    state: BatchState
    source: str
    rows: int
    rejected: int
    opened_by: str
    opened_at: int
    changed_at: int
    input_sha256: str | None = None
    output_sha256: str | None = None
    admitted: Admitted | None = None
    champion: int | None = None


class BatchOrder(Record):
    """All that is needed to score a batch as the gateway would: the release, and what is asked of its columns.

    `environment` is what was decided for the version's bytes, with the lock of packages of its own; None when nothing
    was.
    """

    batch: BatchInfo
    release: Release
    columns: list[ColumnRule]
    admitted: Admitted | None
    most_part_bytes: int
    environment: Environment | None = None


class PartPlace(Record):
    """Where a part belongs: `rows` of the rows from `first_row` on, before `until_row`."""

    first_row: int
    until_row: int
    rows: int


class BatchPart(PartPlace):
    """Predictions of such rows, as they were journaled."""

    sha256: str
    size_bytes: int


FEATURE_PREFIX = "f_"
"""Of a column of the lake that holds a feature."""
PART_COLUMNS: dict[str, str] = {
    "prediction_id": "string",
    "at": "timestamp[us, tz=UTC]",
    "event_at": "timestamp[us, tz=UTC]",
    "release_id": "string",
    "model": "string",
    "version": "int32",
    "role": "string",
    "score": "double",
    "latency_us": "int64",
    "output": "string",
    "reference": "string",
    "caller": "string",
    "file_revision": "int32",
    "jurisdiction": "string",
    "purpose": "string",
    "channel": "string",
    "flagged": "string",
    "clipped": "string",
    "batch": "string",
}
"""What a part holds beside the features, as the lake keeps predictions; `latency_us` is null, since nobody waited for a
row, and `output` is null where `score` says all of it."""
FEATURE_TYPES = frozenset({"bool", "int64", "double", "string"})


class PartAsked(Record):
    """A file, and the rows that it may be about: their numbers lie in [first_row, until_row)."""

    path: str
    first_row: int
    until_row: int
    rows: int


class PartsAsked(Record):
    """Files of one batch, and what each of their rows must say: `said` by column."""

    batch_id: str
    parts: list[PartAsked]
    said: dict[str, str | int | None]


class PartSeen(Record):
    """What a file holds: event times, least and greatest id, hours by where they begin; or what is wrong with it."""

    first_event_at: int = 0
    last_event_at: int = 0
    first_id: str = ""
    last_id: str = ""
    hours: list[int] = []
    problem: str = ""
