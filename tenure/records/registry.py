"""Registered models, their versions and aliases."""

from __future__ import annotations

from tenure.records.base import Record
from tenure.records.changes import VersionState
from tenure.records.routing import InputColumn, PinnedFile
from tenure.records.tracking import KeyValue


class AliasInfo(Record):
    alias: str
    version: int


class RegisteredModelInfo(Record):
    """A model of the registry; instants are microseconds UTC."""

    name: str
    description: str | None
    created_at: int
    updated_at: int
    tags: list[KeyValue]
    aliases: list[AliasInfo]


class Pinned(Record):
    """What a version's folder held when it was registered.

    `digest`: "sha256:" and the SHA-256 of the manifest, which is one line `<sha256>  <size>  <path>` a file, by path.
    `signature`: MLflow's input and output schema as JSON; None when the model has none.
    """

    files: list[PinnedFile]
    digest: str
    signature: str | None


class NewVersion(Record):
    """What a client tells when it registers a version. `storage_location` is where its files lie."""

    name: str
    source: str
    storage_location: str
    run_id: str | None = None
    run_link: str | None = None
    model_id: str | None = None
    description: str | None = None
    tags: list[KeyValue] = []


OUT_OF_SERVICE: tuple[VersionState, ...] = ("suspended", "retired", "rejected")
"""States in which a version answers nowhere."""


class ModelVersionInfo(Record):
    """A version; instants are microseconds UTC.

    `files` and `digest` were pinned when it was registered. `digest` is None and `files` empty when the files lie
    where this server cannot read them; `storage_location` says where.
    """

    name: str
    version: int
    state: VersionState
    digest: str | None
    storage_location: str
    run_id: str | None
    model_id: str | None
    files: list[PinnedFile]
    inputs: list[InputColumn]
    signature: str | None
    source: str | None
    description: str | None
    user_id: str
    current_stage: str
    run_link: str | None
    status: str
    status_message: str | None
    created_at: int
    updated_at: int
    tags: list[KeyValue]
    aliases: list[str]
