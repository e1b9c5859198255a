"""The audit log: a chain of events, each in the transaction of what it tells of.

The bytes that are hashed are the bytes that are stored, so nobody has to agree on a canonical form:
`hash = SHA-256(previous hash, body)`, both as stored.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import sqlalchemy as sa

from tenure.records.base import Instant
from tenure.records.changes import AuditEvent, AuditVerified
from tenure.store import tables
from tenure.store.database import Transaction

GENESIS = "0" * 64
APPEND_LOCK = 0x7E40_0A0D  # Postgres: one appender at a time; SQLite has one writer anyway


class _Body(msgspec.Struct):
    """What is hashed. Its field order is the order of the stored bytes."""

    sequence: int
    at: int
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    previous: str


def append(
    tx: Transaction, action: str, *, subject: str, by: str, at: Instant, detail: dict[str, Any] | None = None
) -> int:
    """Add one event to the chain and return its sequence number, which starts at 1."""
    lock(tx)
    last = tx.execute(
        sa.select(tables.audit.c.sequence, tables.audit.c.hash).order_by(tables.audit.c.sequence.desc()).limit(1)
    ).first()
    sequence, previous = (last.sequence + 1, last.hash) if last else (1, GENESIS)
    body = msgspec.json.encode(_Body(sequence, at, by, action, subject, detail or {}, previous))
    tx.execute(
        sa.insert(tables.audit).values(
            sequence=sequence,
            at=at,
            actor=by,
            action=action,
            subject=subject,
            body=body,
            previous_hash=previous,
            hash=chained(previous, body),
        )
    )
    return sequence


def lock(tx: Transaction) -> None:
    """Be the one appender until this transaction ends.

    Who locks rows that others lock too (changes, when they are signed or ended) asks for this first, so that everybody
    waits in the same order and nobody for each other.
    """
    if tx.dialect.name == "postgresql":
        tx.execute(sa.select(sa.func.pg_advisory_xact_lock(APPEND_LOCK)))


def chained(previous: str, body: bytes) -> str:
    """The hash of an event: SHA-256 over the previous hash (ASCII) and the body's bytes, in hex."""
    return hashlib.sha256(previous.encode() + body).hexdigest()


def search(
    tx: Transaction,
    *,
    actor: str | None = None,
    action: str | None = None,
    subject: str | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[AuditEvent]:
    """Events, newest first: by who, by what (a prefix such as `version.`), about what, older than a sequence."""
    column = tables.audit.c
    query = sa.select(tables.audit).order_by(column.sequence.desc()).limit(limit)
    if actor is not None:
        query = query.where(column.actor == actor)
    if action is not None:
        query = query.where(column.action.startswith(action, autoescape=True))
    if subject is not None:
        query = query.where(column.subject == subject)
    if before is not None:
        query = query.where(column.sequence < before)
    return [_event(row) for row in tx.execute(query)]


def verify(tx: Transaction) -> AuditVerified:
    """Walk the whole chain and name the first event that does not fit.

    An event that was changed, taken out, put in or moved is named. Two things a chain alone cannot show: that its last
    events were cut off, and that all of it was written anew. Whoever kept an earlier `head` and count sees both.
    """
    previous, expected = GENESIS, 1
    with tx.execute(_in_order()) as rows:
        for row in rows:
            problem = _misfit(row, expected, previous)
            if problem:
                return AuditVerified(events=expected - 1, first_bad=row.sequence, problem=problem, head=previous)
            previous, expected = row.hash, expected + 1
    return AuditVerified(events=expected - 1, first_bad=None, problem="", head=previous)


def _in_order() -> sa.Select[Any]:
    # The cast reads bytes even where somebody stored text in their place, as SQLite allows.
    column = tables.audit.c
    body = sa.cast(column.body, sa.LargeBinary).label("body")
    rest = (column.sequence, column.at, column.actor, column.action, column.subject, column.previous_hash, column.hash)
    return sa.select(*rest, body).order_by(column.sequence).execution_options(yield_per=2000)


def _misfit(row: Any, expected: int, previous: str) -> str:
    """Why an event does not fit its place in the chain; empty when it does."""
    if row.sequence != expected:
        return f"event {expected} is missing"
    if row.previous_hash != previous:
        return "it does not follow from the event before it"
    if chained(previous, row.body) != row.hash:
        return "its content is not what was hashed"
    try:
        body = msgspec.json.decode(row.body, type=_Body)
    except msgspec.DecodeError:
        return "its content cannot be read"
    stored = (row.sequence, row.at, row.actor, row.action, row.subject)
    if stored != (body.sequence, body.at, body.actor, body.action, body.subject):
        return "its columns differ from its hashed content"
    return ""


def _event(row: Any) -> AuditEvent:
    return AuditEvent(
        sequence=row.sequence,
        at=row.at,
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        detail=msgspec.json.decode(row.body, type=_Body).detail,
        previous_hash=row.previous_hash,
        hash=row.hash,
    )
