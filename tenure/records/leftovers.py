"""What was made for versions that nobody needs any more: compiled forms and environments."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from tenure.records.base import Record

LeftoverKind = Literal["form", "environment"]


class Leftover(Record):
    """A form or an environment, by its digest. `versions` it was made for; none when no row tells of it any more."""

    kind: LeftoverKind
    digest: str
    versions: list[str]
    why: str
    files: int
    bytes: int
    changed_at: int


class Leftovers(Record):
    """What may go. `later`: what nobody needs either, but not for long enough."""

    items: list[Leftover]
    later: int = 0


class Clearing(Record, forbid_unknown_fields=True):
    """Which of them are to be removed now, by digest."""

    digests: Annotated[list[str], Meta(max_length=200)]
    older_than_s: Annotated[float, Meta(ge=0, le=3.2e9)] | None = None


class Cleared(Record):
    """What a request removed, and what that freed."""

    forms: int
    environments: int
    files: int
    bytes: int
