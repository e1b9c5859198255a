"""Models and versions as a whole, for who looks at them: what several rooms know, put side by side."""

from __future__ import annotations

from tenure.records.base import Record
from tenure.records.cards import CardInfo
from tenure.records.changes import Change, SignatureBlock
from tenure.records.registry import ModelVersionInfo


class ModelSummary(Record):
    """A model in one line. `versions` counts its versions by state."""

    name: str
    governed: bool
    purpose: str
    owner: str
    champion: int | None
    challenger: int | None
    versions: dict[str, int]
    endpoints: list[str]


class ModelDetail(Record):
    """A model with its versions (newest first, without their files) and its open change requests."""

    summary: ModelSummary
    file_revision: int | None
    versions: list[ModelVersionInfo]
    open_changes: list[Change]


class VersionDetail(Record):
    """A version with its card and changes. `baseline_digest` is None when no profile was recorded."""

    version: ModelVersionInfo
    governed: bool
    card: CardInfo
    baseline_digest: str | None
    changes: list[Change]
    signatures: list[SignatureBlock]
