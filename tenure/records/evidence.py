"""Everything that stands for a version, in one file that is verified without the server."""

from __future__ import annotations

from typing import Any

from tenure.records.base import Record
from tenure.records.cards import CardInfo
from tenure.records.changes import Change, Comment, GateEvaluation
from tenure.records.model_files import AppliedFile
from tenure.records.registry import ModelVersionInfo
from tenure.records.routing import PinnedFile

EVIDENCE = "tenure-evidence@1"


class PublicKey(Record):
    """`key_id` is the SHA-256 of the raw Ed25519 key, in hex: what envelopes name as `keyid`."""

    key_id: str
    public_key: str
    current: bool


class Evidence(Record):
    """A version with all that was found, said and signed about it. `envelopes`: DSSE, by change.

    `revisions` are the changes by which others let rules of the model's file be loosened.
    """

    format: str
    made_at: str
    version: ModelVersionInfo
    manifest: list[PinnedFile]
    card: CardInfo
    model_file: AppliedFile | None
    gate_evaluations: list[GateEvaluation]
    changes: list[Change]
    comments: list[Comment]
    envelopes: dict[str, list[dict[str, Any]]]
    public_keys: list[PublicKey]
    revisions: list[Change] = []


class Finding(Record):
    """One thing that was looked at without the server, and whether it holds."""

    what: str
    holds: bool
    says: str


class Verified(Record):
    """What an offline verification found. `statements` are those whose signature holds, part by part, in words."""

    holds: bool
    statements: list[list[tuple[str, str]]]
    findings: list[Finding]
