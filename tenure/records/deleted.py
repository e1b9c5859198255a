"""What was deleted and is to be removed for good, and what keeps some of it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from tenure.records.base import Record

DeletedKind = Literal["run", "logged_model", "experiment"]


class Removable(Record):
    """Something deleted whose retention is over. `reached` is false where its files lie beyond this server."""

    kind: DeletedKind
    id: str
    name: str
    experiment_id: str
    deleted_at: int
    points: int = 0
    files: int = 0
    bytes: int = 0
    location: str = ""
    reached: bool = True
    unfinished: bool = False


class Held(Record):
    """Something that stays, and why."""

    kind: DeletedKind
    id: str
    name: str
    why: str


class Removables(Record):
    """A page; `after` is where the next begins, None at the end. `later`: deleted, but not long enough ago."""

    items: list[Removable]
    held: list[Held]
    after: str | None = None
    later: int = 0


class Removal(Record, forbid_unknown_fields=True):
    """Which deleted things of one kind are to be removed now."""

    kind: DeletedKind
    ids: Annotated[list[str], Meta(max_length=200)]
    older_than_s: Annotated[float, Meta(ge=0, le=3.2e9)] | None = None


class Removed(Record):
    """What a request removed. `unfinished` ones are marked and no longer seen; asking again goes on with them."""

    done: list[str]
    unfinished: list[str]
    held: list[Held]
    points: int = 0
    files: int = 0
    bytes: int = 0


class Orphan(Record):
    """A folder of files that belongs to nothing any more."""

    folder: str
    files: int
    bytes: int
    changed_at: int


class Orphans(Record):
    """A page of such folders. `young`: folders that nothing owns, but that changed less than a day ago."""

    items: list[Orphan]
    young: int = 0
    after: str | None = None


class Sweep(Record, forbid_unknown_fields=True):
    folders: Annotated[list[str], Meta(max_length=200)]


class Swept(Record):
    folders: int
    files: int
    bytes: int
