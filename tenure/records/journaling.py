"""How an endpoint's answers are journaled."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tenure.records.base import Record
from tenure.records.changes import Reason

Mode = Literal["audit", "sample", "drop-and-count"]


class JournalMode(Record, forbid_unknown_fields=True):
    """`audit`: what is not journaled is not answered. `sample`: a fraction of the requests is journaled, chosen by a
    hash of their prediction id. `drop-and-count`: what cannot be journaled is answered all the same, and counted."""

    mode: Mode = "audit"
    fraction: Annotated[float, Meta(gt=0, le=1)] = 1.0

    def __post_init__(self) -> None:
        if self.mode != "sample" and self.fraction != 1.0:
            raise ValueError(f"'fraction' is for the mode sample; got {self.fraction} with {self.mode}")


class SetJournal(Record, forbid_unknown_fields=True):
    """How an endpoint journals from now on, and why."""

    reason: Reason
    journal: JournalMode = JournalMode()


AUDIT = JournalMode()


def journal_from(text: str | None) -> JournalMode:
    """A mode as it is stored; an endpoint that says nothing journals everything."""
    return msgspec.json.decode(text, type=JournalMode) if text else AUDIT
