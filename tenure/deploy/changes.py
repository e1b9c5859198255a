"""What an approved change does: carried out in the transaction of its last signature, so both happen or neither."""

from __future__ import annotations

from tenure.deploy import promotions, releases
from tenure.manage import changes
from tenure.records.base import Instant
from tenure.records.changes import Change, NewChange
from tenure.records.endpoints import Endpoint, NewRelease
from tenure.records.facts import BytesChecked
from tenure.store.database import Transaction


def open_change(
    tx: Transaction, new: NewChange, *, by: str, now: Instant, checked: BytesChecked | None = None
) -> Change:
    """Ask for a change, and carry it out when it needs no signature.

    A deployment that could not be carried out as things stand is refused before anybody signs for it.
    """
    change = changes.open_change(tx, new, by=by, now=now, checked=checked)
    if change.kind == "deploy" and change.state == "open":
        releases.check(tx, *_release(tx, change))
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
    elif change.kind == "deploy":
        place, new = _release(tx, change)
        releases.check(tx, place, new)
        if new.role == "champion":
            promotions.replace(tx, place, new, by=change.opened_by, now=now)
        else:
            releases.start(tx, place, new, by=change.opened_by, now=now)


def _release(tx: Transaction, change: Change) -> tuple[Endpoint, NewRelease]:
    """What a deployment asks for, and where."""
    target = change.target
    assert target is not None
    new = NewRelease(version=change.version, role=target.to, reason=change.reason, share=target.share)
    return releases.found(tx, target.endpoint), new
