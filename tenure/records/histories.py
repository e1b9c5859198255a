"""How a model stood at an instant: which versions answered, who approved them, and on what evidence."""

from __future__ import annotations

from tenure.records.base import Record
from tenure.records.changes import Change, GateEvaluation
from tenure.records.endpoints import ReleaseInfo


class RevisionThen(Record):
    """A revision of a model's file or of a version's card."""

    revision: int
    digest: str
    by: str
    at: int
    event: int
    """The event that tells of it, by its number in the audit log."""


class ProfileThen(Record):
    """A version's baseline profile."""

    digest: str
    by: str
    at: int
    event: int


class VersionThen(Record):
    """A version as it stood. Changes and gate evaluations are all that there were until then, newest first."""

    version: int
    state: str
    state_since_at: int
    digest: str | None
    """Of its files, as they were pinned."""
    run_id: str | None
    registered_by: str
    registered_at: int
    aliases: list[str]
    card: RevisionThen | None
    profile: ProfileThen | None
    changes: list[Change]
    gates: list[GateEvaluation]


class PersonThen(Record):
    person: str
    printed_name: str
    roles: list[str]


class AsOf(Record):
    """How a model stood at an instant.

    `name` is what it was called then, `names` are all that it ever had. `versions` are those that were in service, had
    an alias, or were asked for; `states` tells of every one.
    """

    asked: str
    at: int
    name: str
    names: list[str]
    model_file: RevisionThen | None
    releases: list[ReleaseInfo]
    aliases: dict[str, int]
    states: dict[int, str]
    versions: list[VersionThen]
    people: list[PersonThen]
    event: int
    """The last event about the model until then, by its number in the audit log; 0 where there is none."""
    revisions: list[Change] = []
    """Change requests about the model's file, newest first."""


class Rows(Record):
    """What is stored with its dates and never changed: releases, changes with signatures, gate evaluations.

    Of all names that the model ever had.
    """

    releases: list[ReleaseInfo]
    changes: list[Change]
    gates: list[GateEvaluation]
