"""When the evidence of a version changes, what was being signed on it is void: its open changes are invalidated.

A signature always covers the digests that stood when its change was opened, so a change whose subject moved cannot go
on; a new one is opened on the new evidence. That happens in the transaction that changes the evidence.
"""

from __future__ import annotations

from tenure.build import model_versions
from tenure.manage import lifecycle
from tenure.records.base import Instant
from tenure.records.changes import Change, ChangeState
from tenure.store import audit, changes, signatures
from tenure.store.database import Transaction


def void_stale(tx: Transaction, model: str, version: int | None, *, what: str, by: str, now: Instant) -> list[str]:
    """Invalidate the open changes of a version, or of every version of a model when `version` is None.

    Those are spared whose signatures cover what their signers see (`lifecycle.BOUND_WHEN_OPENED`). `what` names the
    evidence that changed, such as "the card". Answers the ids of the changes. Writes one audit event for each.
    """
    audit.lock(tx)
    opened = [stored.change for stored in changes.search(tx, state="open", model=model, version=version)]
    stale = [change for change in opened if change.kind in lifecycle.BOUND_WHEN_OPENED]
    for change in stale:
        end(tx, change, "invalidated", f"{what} changed; open a new change request on it", by=by, now=now)
    return [change.change_id for change in stale]


def end(tx: Transaction, change: Change, state: ChangeState, because: str, *, by: str, now: Instant) -> None:
    """Close a change that was not approved: void its signatures and move its version back, unless others are open."""
    assert state in ("rejected", "invalidated", "withdrawn")
    if not changes.close(tx, change.change_id, state, because, now):
        return  # its last signature was faster: it was approved on what stood until now
    voided = signatures.void(tx, change.change_id) if state != "rejected" else 0
    detail = {"kind": change.kind, **subject_of(change), "because": because, "signatures_voided": voided}
    audit.append(tx, f"change.{state}", subject=change.change_id, by=by, at=now, detail=detail)
    others = changes.search(tx, state="open", model=change.model, version=change.version, kind="approve")
    if not others:
        move(tx, change, state, by=by, now=now)


def move(tx: Transaction, change: Change, ending: lifecycle.Ending, *, by: str, now: Instant) -> None:
    """Move a change's version to the state that the change's end asks for. Writes one audit event if it moves."""
    if change.kind == "revise":
        return  # it is about no version
    before = model_versions.get(tx, change.model, change.version).state
    after = lifecycle.when_ended(change.kind, ending, before)
    if after != before:
        model_versions.set_state(tx, change.model, change.version, after, now)
        detail = {"before": before, "after": after, "change": change.change_id}
        audit.append(tx, f"version.{after}", subject=f"{change.model}/{change.version}", by=by, at=now, detail=detail)


def subject_of(change: Change) -> dict[str, str]:
    """What a change is about, as the audit log tells of it: a version, or the model's file."""
    if change.kind == "revise":
        return {"model_file": change.model}
    return {"version": f"{change.model}/{change.version}"}
