"""Published policies, their withdrawals and drafts. The database refuses to change what was published."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import sqlalchemy as sa

from tenure.records.base import Instant
from tenure.records.policies import Policy, PolicyDraft, PublishedPolicy, Withdrawal
from tenure.store import tables
from tenure.store.database import Transaction

_column = tables.policies.c
_gone = tables.policy_withdrawals.c
_draft = tables.policy_drafts.c


def add(tx: Transaction, policy: PublishedPolicy) -> None:
    """Store a new version."""
    tx.execute(
        sa.insert(tables.policies).values(
            name=policy.name,
            version=policy.version,
            body=msgspec.json.encode(policy.body).decode(),
            digest=policy.digest,
            published_by=policy.published_by,
            published_at=policy.published_at,
        )
    )


def withdraw(tx: Transaction, name: str, version: int, withdrawal: Withdrawal) -> None:
    """Note from when on a version counts no more."""
    tx.execute(
        sa.insert(tables.policy_withdrawals).values(
            name=name,
            version=version,
            from_date=withdrawal.from_date.isoformat(),
            reason=withdrawal.reason,
            withdrawn_by=withdrawal.by,
            withdrawn_at=withdrawal.at,
        )
    )


def published(tx: Transaction, name: str | None = None) -> list[PublishedPolicy]:
    """Every published version, by name, the newest first; or those of one policy."""
    joined = sa.outerjoin(
        tables.policies,
        tables.policy_withdrawals,
        (_column.name == _gone.name) & (_column.version == _gone.version),
    )
    query = (
        sa.select(tables.policies, _gone.from_date, _gone.reason, _gone.withdrawn_by, _gone.withdrawn_at)
        .select_from(joined)
        .order_by(_column.name, _column.version.desc())
    )
    return [_published(row) for row in tx.execute(query if name is None else query.where(_column.name == name))]


def save_draft(tx: Transaction, name: str, body: Policy, *, by: str, now: Instant) -> None:
    """Keep a draft in place of the one before."""
    delete_draft(tx, name)
    text = msgspec.json.encode(body).decode()
    tx.execute(sa.insert(tables.policy_drafts).values(name=name, body=text, saved_by=by, saved_at=now))


def drafts(tx: Transaction) -> list[PolicyDraft]:
    """Every draft, by name."""
    rows = tx.execute(sa.select(tables.policy_drafts).order_by(_draft.name))
    return [
        PolicyDraft(
            name=row.name, body=msgspec.json.decode(row.body, type=Policy), saved_by=row.saved_by, saved_at=row.saved_at
        )
        for row in rows
    ]


def delete_draft(tx: Transaction, name: str) -> None:
    """Forget a draft; one that is not there is no error."""
    tx.execute(sa.delete(tables.policy_drafts).where(_draft.name == name))


def _published(row: Any) -> PublishedPolicy:
    withdrawn = (
        Withdrawal(
            from_date=date.fromisoformat(row.from_date), reason=row.reason, by=row.withdrawn_by, at=row.withdrawn_at
        )
        if row.from_date
        else None
    )
    return PublishedPolicy(
        name=row.name,
        version=row.version,
        digest=row.digest,
        body=msgspec.json.decode(row.body, type=Policy),
        published_by=row.published_by,
        published_at=row.published_at,
        withdrawn=withdrawn,
    )
