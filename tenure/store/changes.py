"""Change requests as stored. What was asked is never changed; only how it ended is added."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from tenure.records.base import Instant, Record
from tenure.records.changes import Change, ChangeState, Decision, Revising, StepAsked, StepStatus, Subject, Target
from tenure.records.model_files import ModelFile
from tenure.store import driver, signatures, tables
from tenure.store.database import Transaction

_column = tables.changes.c


class _Body(Record):
    steps: list[StepAsked]
    subject: Subject
    authors: list[str]
    ended_because: str = ""
    approved_under: str | None = None
    evidence: dict[str, Any] = {}
    target: Target | None = None
    decisions: list[Decision] = []
    accepted: Literal["all"] | None = None
    revising: Revising | None = None
    file: ModelFile | None = None


class StoredChange(Record):
    """A change with what only the server needs: its steps as asked, who may not sign it, and the file that is to stand
    when it asks for one."""

    change: Change
    steps: list[StepAsked]
    authors: list[str]
    file: ModelFile | None = None


def add(
    tx: Transaction, change: Change, steps: list[StepAsked], authors: list[str], file: ModelFile | None = None
) -> None:
    """Store a new change request."""
    body = _Body(
        steps=steps,
        subject=change.subject,
        authors=authors,
        target=change.target,
        decisions=change.decisions,
        accepted=change.accepted,
        revising=change.revising,
        file=file,
    )
    tx.execute(
        sa.insert(tables.changes).values(
            change_id=change.change_id,
            kind=change.kind,
            model=change.model,
            version=change.version,
            state=change.state,
            reason=change.reason,
            body=msgspec.json.encode(body).decode(),
            opened_by=change.opened_by,
            opened_at=change.opened_at,
            closed_at=change.closed_at,
        )
    )


def get(tx: Transaction, change_id: str, *, to_change: bool = False) -> StoredChange | None:
    """A change request with its signatures; None when there is none of that id.

    `to_change` lets nobody else read it so until this transaction ends: two signatures at once are counted one by one.
    """
    query = sa.select(tables.changes).where(_column.change_id == change_id)
    row = tx.execute(query.with_for_update() if to_change else query).first()
    return _stored(tx, row) if row else None


def search(
    tx: Transaction,
    *,
    state: str | None = None,
    model: str | None = None,
    version: int | None = None,
    kind: str | None = None,
    opened_by: str | None = None,
    limit: int = 1000,
) -> list[StoredChange]:
    """Change requests, newest first: by state, model, version, kind and who asked."""
    query = sa.select(tables.changes).order_by(_column.opened_at.desc(), _column.change_id.desc()).limit(limit)
    wanted = (
        (_column.state, state),
        (_column.model, model),
        (_column.version, version),
        (_column.kind, kind),
        (_column.opened_by, opened_by),
    )
    for column, value in wanted:
        if value is not None:
            query = query.where(column == value)
    return [_stored(tx, row) for row in tx.execute(query).all()]


def approved_subject(tx: Transaction, model: str, version: int) -> Subject | None:
    """What the change that approved a version was signed for, of the latest if several did; None when none did."""
    row = driver.execute(
        tx,
        "SELECT body FROM changes WHERE model = ? AND version = ? AND kind = 'approve' AND state = 'approved'"
        " ORDER BY opened_at DESC, change_id DESC LIMIT 1",
        (model, version),
    ).fetchone()
    return msgspec.json.decode(row[0], type=_Body).subject if row else None


def close(
    tx: Transaction,
    change_id: str,
    state: ChangeState,
    because: str,
    now: Instant,
    *,
    approved_under: str | None = None,
    evidence: dict[str, Any] | None = None,
) -> bool:
    """End an open change request: how, why, and when it was approved under an envelope, whose and on what evidence.

    False when it was over already, ended by a transaction that this one waited for; then nothing is changed.
    """
    row = tx.execute(sa.select(_column.body).where(_column.change_id == change_id)).one()
    body = msgspec.structs.replace(
        msgspec.json.decode(row.body, type=_Body),
        ended_because=because,
        approved_under=approved_under,
        evidence=evidence or {},
    )
    ended = (
        sa.update(tables.changes)
        .where(_column.change_id == change_id, _column.state == "open")
        .values(state=state, closed_at=now, body=msgspec.json.encode(body).decode())
    )
    return tx.execute(ended).rowcount == 1


def _stored(tx: Transaction, row: Any) -> StoredChange:
    body = msgspec.json.decode(row.body, type=_Body)
    signed = signatures.of_change(tx, row.change_id)
    change = Change(
        change_id=row.change_id,
        kind=row.kind,
        model=row.model,
        version=row.version,
        state=row.state,
        reason=row.reason,
        opened_by=row.opened_by,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        ended_because=body.ended_because,
        subject=body.subject,
        steps=[
            StepStatus(
                role=step.role,
                needed=step.signatures,
                signed=sum(1 for one in signed if _counts(one.role, one.meaning, one.voided, step)),
                people=step.people,
            )
            for step in body.steps
        ],
        signatures=signed,
        approved_under=body.approved_under,
        target=body.target,
        decisions=body.decisions,
        accepted=body.accepted,
        revising=body.revising,
    )
    return StoredChange(change=change, steps=body.steps, authors=body.authors, file=body.file)


def _counts(role: str, meaning: str, voided: bool, step: StepAsked) -> bool:
    return not voided and meaning not in ("rejection", "author") and role in step.roles
