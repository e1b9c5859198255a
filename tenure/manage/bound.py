"""What signatures of a change bind to, as it stands now, and whether that is what the change was opened with."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from tenure.manage import decisions, facts, gates, lifecycle, published, revisions
from tenure.records.base import Instant
from tenure.records.changes import Change, GateEvaluation, Move, Subject, Target
from tenure.records.facts import BytesChecked
from tenure.store.changes import StoredChange
from tenure.store.database import Transaction


class Seen(NamedTuple):
    """A version as it stands: the digests that signatures bind to, what its gate says, who made it, and by which
    policies it is judged."""

    subject: Subject
    evaluation: GateEvaluation | None
    authors: list[str]
    policies: str


def look(
    tx: Transaction,
    kind: Move,
    model: str,
    version: int,
    target: Target | None,
    checked: BytesChecked | None,
    now: Instant,
) -> Seen:
    """The version as signatures of this kind bind to it. Where a gate is asked, its facts are those that are bound."""
    force = published.for_model(tx, model, now)
    found = facts.gather(tx, model, version, checked, force)
    subject, evaluation = facts.subject(found, force.bound()), None
    if kind in ("approve", "register"):
        evaluation = gates.judge(kind, found, now, force)
    if kind in ("promote", "deploy") and checked is not None:
        facts.refuse_broken(checked)
    if kind in ("promote", "deploy") and target is not None and target.to != "shadow":
        released = facts.gather(tx, model, version, None, force, released=True)  # the same, whoever read the bytes
        evaluation = gates.judge(kind, released, now, force)
        subject = msgspec.structs.replace(subject, facts=evaluation.facts_digest)
    return Seen(subject, evaluation, found.authors, force.title)


def seen(tx: Transaction, stored: StoredChange, checked: BytesChecked | None, now: Instant) -> Seen:
    """What a change is about, as whoever signs it now binds to it."""
    change = stored.change
    if change.kind == "revise":
        return Seen(revisions.subject(tx, stored), None, [], published.for_model(tx, change.model, now).title)
    assert checked is not None, "a version is signed for only when its bytes were checked"
    found = look(tx, change.kind, change.model, change.version, change.target, checked, now)
    digest = decisions.digest(change.kind, change.decisions, change.accepted)
    return found._replace(subject=msgspec.structs.replace(found.subject, decisions=digest))


def moved(subject: Subject, change: Change) -> str:
    """Which digests are no longer those that the change was opened with, of those that hold from then on."""
    if change.kind not in lifecycle.BOUND_WHEN_OPENED:
        return "decisions" if decisions.moved(change) else ""
    names = subject.__struct_fields__
    return ", ".join(name for name in names if getattr(subject, name) != getattr(change.subject, name))
