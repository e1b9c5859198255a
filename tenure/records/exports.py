"""An endpoint's export: which of its requests and answers leave for another system, and how that went."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from tenure.records.base import Record
from tenure.records.changes import Reason

Exported = Literal["request", "response"]
BOTH: tuple[Exported, ...] = ("request", "response")
Share = Annotated[float, Meta(gt=0, le=1)]


class SetExport(Record, forbid_unknown_fields=True):
    """What an endpoint exports from now on, and why. Without a `url` nothing any more.

    `share`: the fraction of the requests, 0–1, chosen by a hash of their id. `secret` signs every event and is never
    shown again; None keeps the one that is set, an empty one takes the signature away.
    """

    reason: Reason
    url: str | None = None
    what: Annotated[list[Exported], Meta(min_length=1, max_length=2)] = field(default_factory=lambda: list(BOTH))
    share: Share = 1.0
    secret: str | None = None


class Export(Record):
    """An export as anybody may see it. Every event that was chosen since it began is in one of the four counts.

    `dropped`: it waited for too long, when the server ended, or when the export was set anew. `failed`: the receiver
    refused it. `problem`: why the newest attempt failed, None when it did not. Instants are microseconds UTC.
    """

    endpoint: str
    url: str
    what: list[Exported]
    share: float
    signed: bool
    set_at: int
    waiting: int = 0
    sent: int = 0
    failed: int = 0
    dropped: int = 0
    problem: str | None = None
    tried_at: int | None = None
