"""Envelopes: what a retraining may change without new signatures, as people signed it with a champion's approval.

The model's file holds the envelope and every signature binds the file's digest, so changing a word of the file ends it.
A version that was approved under an envelope passes the same one on: the signatures it goes back to are looked at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import Any

from tenure.build import model_versions, registered_models
from tenure.errors import InvalidInput
from tenure.manage import facts, signatures
from tenure.records.base import Instant, moment_of
from tenure.records.changes import Change, EnvelopeVerdict
from tenure.records.model_files import AppliedFile, Envelope
from tenure.store import changes, model_files
from tenure.store import signatures as kept
from tenure.store.changes import StoredChange
from tenure.store.database import Transaction

CHAIN_LIMIT = 10_000


def covers(
    tx: Transaction, model: str, champion_version: int, *, now: Instant, public_pems: Sequence[str]
) -> EnvelopeVerdict:
    """Whether the approval of a champion signed an envelope that holds now: declared, unchanged and not expired."""
    applied = model_files.current(tx, model)
    envelope = _declared(applied)
    if applied is None or envelope is None:
        return _no("the model's file declares no `retraining.envelope`")
    signed = _signed_change(tx, model, champion_version)
    if signed is None:
        return _no(f"version {champion_version} was not approved by signatures")
    if signed.change.subject.model_file != applied.digest:
        return _no("the model's file has changed since the envelope was signed")
    broken = _broken_signatures(tx, signed, public_pems)
    if broken:
        return _no(broken)
    if moment_of(now).date() > date.fromisoformat(envelope.expires):
        return _no(f"the envelope expired on {envelope.expires}")
    return EnvelopeVerdict(
        covered=True, because="signed and in force", change_id=signed.change.change_id, expires=envelope.expires
    )


def covers_change(
    tx: Transaction, change: Change, evidence: dict[str, Any], *, now: Instant, public_pems: Sequence[str]
) -> EnvelopeVerdict:
    """Whether a challenger's approval stays inside the champion's envelope, by what it takes and by the evidence."""
    champion = registered_models.aliases(tx, change.model).get("champion")
    if champion is None:
        return _no(f"{change.model!r} has no champion whose approval could hold an envelope")
    verdict = covers(tx, change.model, champion, now=now, public_pems=public_pems)
    envelope = _declared(model_files.current(tx, change.model))
    if not verdict.covered or envelope is None:
        return verdict
    old, new = (model_versions.get(tx, change.model, number) for number in (champion, change.version))
    if old.inputs != new.inputs:
        return _no(f"version {change.version} takes other features than the champion, version {champion}")
    score_psi = evidence.get("score_psi")
    if isinstance(score_psi, bool) or not isinstance(score_psi, int | float) or not math.isfinite(score_psi):
        return _no("nobody measured how far the challenger's scores lie from the champion's (`score_psi`)")
    if score_psi > envelope.score_psi_max:
        return _no(f"the scores moved by a PSI of {score_psi:.3f}, more than {envelope.score_psi_max:g}")
    return verdict


def _signed_change(tx: Transaction, model: str, version: int) -> StoredChange | None:
    """The signed change that a version's approval goes back to; None when there is none."""
    stored = facts.approved_change(tx, model, version)
    for _ in range(CHAIN_LIMIT):
        if stored is None or stored.change.approved_under is None:
            return stored
        stored = changes.get(tx, stored.change.approved_under)
    return None


def _broken_signatures(tx: Transaction, stored: StoredChange, public_pems: Sequence[str]) -> str:
    """Why the stored signatures do not carry the change; empty when they do."""
    change, approvals = stored.change, []
    for envelope in kept.envelopes(tx, change.change_id):
        try:
            statement = signatures.verify(envelope, *public_pems)
        except InvalidInput as problem:
            return f"a signature of change {change.change_id} does not hold: {problem.message}"
        about = (statement.change_id, statement.model, statement.version, statement.subject, statement.meaning)
        if about == (change.change_id, change.model, change.version, change.subject, "approval"):
            approvals.append(statement)
    for step in stored.steps:
        people = {statement.person for statement in approvals if statement.role in step.roles}
        if len(people) < step.signatures:
            return f"change {change.change_id} lacks signatures as {step.role}"
    return ""


def _declared(applied: AppliedFile | None) -> Envelope | None:
    return applied.file.retraining.envelope if applied and applied.file.retraining else None


def _no(because: str) -> EnvelopeVerdict:
    return EnvelopeVerdict(covered=False, because=because)
