"""How a change ends well: approved, with what it rules out ended beside it."""

from __future__ import annotations

from typing import Any

from tenure.manage import lifecycle, voiding
from tenure.records.base import Instant
from tenure.records.changes import Change
from tenure.store import audit, changes
from tenure.store.database import Transaction


def approve(
    tx: Transaction,
    change: Change,
    because: str,
    *,
    by: str,
    now: Instant,
    approved_under: str | None = None,
    evidence: dict[str, Any] | None = None,
) -> None:
    """Close an open change as approved, move its version, and end every open change that it rules out."""
    changes.close(tx, change.change_id, "approved", because, now, approved_under=approved_under, evidence=evidence)
    detail = {
        "kind": change.kind,
        **voiding.subject_of(change),
        "because": because,
        "approved_under": approved_under,
        "evidence": evidence or {},
    }
    audit.append(tx, "change.approved", subject=change.change_id, by=by, at=now, detail=detail)
    voiding.move(tx, change, "approved", by=by, now=now)
    for rival in changes.search(tx, state="open", model=change.model):
        if ruled_out(change, rival.change):
            because = f"change {change.change_id} was approved first"
            voiding.end(tx, rival.change, "invalidated", because, by=by, now=now)


def ruled_out(approved: Change, other: Change) -> bool:
    """Whether an open change of the same model cannot go on beside one that was approved.

    Of the same version by `lifecycle.RULES_OUT`; of another version when both want the same place, since whoever signed
    compared with what stood there.
    """
    if approved.change_id == other.change_id:
        return False
    if approved.version == other.version and other.kind in lifecycle.RULES_OUT[approved.kind]:
        return True
    return approved.kind == other.kind and approved.target is not None and _place(approved) == _place(other)


def _place(change: Change) -> tuple[str, str] | None:
    return (change.target.endpoint, change.target.to) if change.target and change.target.to != "shadow" else None
