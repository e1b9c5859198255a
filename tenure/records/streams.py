"""What flows: messages that are to be scored, answers, and messages that cannot be."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tenure.records.base import Record

LONGEST_KEY = 512
"""Characters of what a message is known by: its key becomes the prediction's `reference`."""


class Stream(Record, forbid_unknown_fields=True):
    """A stream's file: whose rows are scored, from where, to where. Places are explained in docs/streams.md."""

    endpoint: str
    source: str
    sink: str
    dead: str = ""
    group: str = "tenure"
    consumer: str = ""
    batch: Annotated[int, Meta(ge=1, le=10_000)] = 256
    poll_ms: Annotated[int, Meta(ge=1, le=60_000)] = 200
    claim_after_s: Annotated[float, Meta(gt=0, le=86_400)] = 60.0
    remember_hours: Annotated[float, Meta(gt=0, le=8_784)] = 168.0
    stop_after_dead: Annotated[int, Meta(ge=1)] = 1_000
    metrics: str = ""


class Taken(Record):
    """A message as its source holds it: `mark` is the source's own handle, `at` when it was put there (µs UTC)."""

    mark: Any
    key: str
    payload: bytes
    at: int


class Said(Record, forbid_unknown_fields=True):
    """What a message says, as JSON."""

    row: dict[str, Any]
    event_time: str | int | None = None
    routing_key: str | None = None
    jurisdiction: str | None = None
    purpose: str | None = None
    channel: str | None = None


class Message(Record):
    """A message that can be read: a row and what goes with it."""

    key: str
    said: Said
    event_at: int


class Answered(Record):
    """What was predicted for a message."""

    key: str
    endpoint: str
    prediction: Any
    prediction_id: str
    model_version: int
    event_at: int


class Dead(Record):
    """A message that cannot be scored, and why. The reason never repeats a value; the payload stands beside it."""

    key: str
    endpoint: str
    code: str
    reason: str
    where: str
    payload: bytes


class Settled(Record):
    """What became of a batch."""

    answers: list[Answered] = []
    dead: list[Dead] = []


class Counts(msgspec.Struct):
    """What a consumer has done since its start."""

    taken: int = 0
    scored: int = 0
    known: int = 0
    dead: int = 0
    batches: int = 0
    requests: int = 0
    waits: int = 0
