"""What people say about a change before and after they sign, told in one line of time with the signatures."""

from __future__ import annotations

import hashlib

from tenure.errors import InvalidInput, NotAllowed
from tenure.manage import changes, voiding
from tenure.records.base import Instant, new_id
from tenure.records.changes import Change, Comment, Moment, NewComment
from tenure.records.people import Principal
from tenure.store import audit, comments
from tenure.store.database import Transaction


def add(tx: Transaction, change_id: str, new: NewComment, *, by: Principal, now: Instant) -> Comment:
    """Say something about a change, open or ended. It stays as it is; the audit event holds its digest.

    Raises NotFound, and NotAllowed for a visitor who did not sign in, and for a training job.
    """
    if by.kind in ("nobody", "job"):
        raise NotAllowed("Whoever comments is named. Sign in first.")
    text = new.text.strip()
    if not text:
        raise InvalidInput("A comment must say something. It was empty.", where="text")
    change = changes.get(tx, change_id)
    comment = Comment(comment_id=new_id(now), change_id=change_id, person=by.name, text=text, at=now)
    comments.add(tx, comment)
    digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    detail = {**voiding.subject_of(change), "comment": comment.comment_id, "text": digest}
    audit.append(tx, "change.commented", subject=change_id, by=by.name, at=now, detail=detail)
    return comment


def of_change(tx: Transaction, change_id: str) -> list[Comment]:
    """A change's comments, oldest first. Raises NotFound."""
    changes.get(tx, change_id)
    return comments.of_change(tx, change_id)


def timeline(tx: Transaction, change_id: str) -> list[Moment]:
    """Everything that was said and signed about a change, in the order of time. Raises NotFound."""
    return told(changes.get(tx, change_id), comments.of_change(tx, change_id))


def told(change: Change, said: list[Comment]) -> list[Moment]:
    """The moments of a change; what happened at the same instant stands in the order opened, said, signed, ended."""
    opened = Moment(at=change.opened_at, what="opened", who=change.opened_by, text=change.reason)
    spoken = [Moment(at=one.at, what="comment", who=one.person, text=one.text) for one in said]
    signed = [
        Moment(at=one.signed_at, what="signature", who=one.person, text=one.reason, signature=one)
        for one in change.signatures
    ]
    ended = [Moment(at=change.closed_at, what="ended", who="", text=change.ended_because)] if change.closed_at else []
    return sorted([opened, *spoken, *signed, *ended], key=lambda one: one.at)
