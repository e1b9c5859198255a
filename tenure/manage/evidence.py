"""A version's evidence in one file: what an auditor takes away and verifies without the server."""

from __future__ import annotations

import json

from tenure.build import model_versions
from tenure.manage import cards, keys
from tenure.records.base import Instant, iso
from tenure.records.changes import SignatureBlock
from tenure.records.evidence import EVIDENCE, Evidence
from tenure.store import changes, comments, gates, model_files, signatures
from tenure.store.database import Transaction
from tenure.store.keys import SigningKey


def of_version(tx: Transaction, model: str, version: int, key: SigningKey, *, now: Instant) -> Evidence:
    """Everything that stands for a version now, oldest first. Raises NotFound."""
    info = model_versions.get(tx, model, version)
    asked = [stored.change for stored in reversed(changes.search(tx, model=model, version=version))]
    revised = changes.search(tx, state="approved", model=model, kind="revise")
    revisions = [stored.change for stored in reversed(revised)]
    return Evidence(
        format=EVIDENCE,
        made_at=iso(now),
        version=info,
        manifest=info.files,
        card=cards.current(tx, model, version),
        model_file=model_files.current(tx, model),
        gate_evaluations=list(reversed(gates.of_version(tx, model, version))),
        changes=asked,
        comments=[one for change in [*asked, *revisions] for one in comments.of_change(tx, change.change_id)],
        envelopes={
            change.change_id: [json.loads(envelope) for envelope in signatures.envelopes(tx, change.change_id)]
            for change in [*asked, *revisions]
            if change.signatures
        },
        public_keys=keys.published(key),
        revisions=revisions,
    )


def blocks(tx: Transaction, model: str, version: int) -> list[SignatureBlock]:
    """The signatures of a version, by change, newest first: what every page and export of it shows."""
    found = [stored.change for stored in changes.search(tx, model=model, version=version)]
    return [
        SignatureBlock(
            change_id=change.change_id,
            kind=change.kind,
            state=change.state,
            signatures=change.signatures,
            approved_under=change.approved_under,
        )
        for change in found
        if change.signatures or change.approved_under
    ]
