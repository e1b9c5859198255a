"""What an approved change does: carried out in the transaction of its last signature, so both happen or neither."""

from __future__ import annotations

from tenure.deploy import promotions, releases
from tenure.manage import changes
from tenure.records.base import Instant
from tenure.records.changes import Change, NewChange
from tenure.records.endpoints import NewRelease
from tenure.records.facts import BytesChecked
from tenure.store.database import Transaction


def open_change(tx: Transaction, new: NewChange, *, by: str, now: Instant, checked: BytesChecked) -> Change:
    """Ask for a change, and carry it out when it needs no signature."""
    change = changes.open_change(tx, new, by=by, now=now, checked=checked)
    follow(tx, change, now=now)
    return change


def follow(tx: Transaction, change: Change, *, now: Instant) -> None:
    """Carry out a change that was approved. One that is open, or ended otherwise, does nothing."""
    if change.state != "approved":
        return
    if change.kind in ("suspend", "retire"):
        releases.take_out(tx, change, now=now)
    elif change.kind == "promote":
        promotions.carry_out(tx, change, now=now)
    elif change.kind == "deploy" and change.target is not None:
        target = change.target
        new = NewRelease(version=change.version, role=target.to, reason=change.reason, share=target.share)
        releases.start(tx, releases.found(tx, target.endpoint), new, by=change.opened_by, now=now)
