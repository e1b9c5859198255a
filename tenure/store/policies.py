"""Published policies, their withdrawals and drafts. The database refuses to change what was published."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

import msgspec
import sqlalchemy as sa

from tenure.records.base import Instant
from tenure.records.policies import Policy, PolicyDraft, PublishedPolicy, Withdrawal
from tenure.store import driver, tables
from tenure.store.database import Transaction

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
    rows = driver.execute(
        tx,
        "SELECT p.name, p.version, p.body, p.digest, p.published_by, p.published_at,"  # noqa: S608 - a constant
        " w.from_date, w.reason, w.withdrawn_by, w.withdrawn_at"
        " FROM policies p LEFT JOIN policy_withdrawals w ON w.name = p.name AND w.version = p.version"
        f"{'' if name is None else ' WHERE p.name = ?'} ORDER BY p.name, p.version DESC",
        () if name is None else (name,),
    )
    return [_published(row) for row in rows.fetchall()]


def save_draft(tx: Transaction, name: str, body: Policy, *, by: str, now: Instant) -> None:
    """Keep a draft in place of the one before."""
    delete_draft(tx, name)
    text = msgspec.json.encode(body).decode()
    tx.execute(sa.insert(tables.policy_drafts).values(name=name, body=text, saved_by=by, saved_at=now))


def drafts(tx: Transaction) -> list[PolicyDraft]:
    """Every draft, by name."""
    rows = tx.execute(sa.select(tables.policy_drafts).order_by(_draft.name))
    return [
        PolicyDraft(name=row.name, body=_policy(row.body), saved_by=row.saved_by, saved_at=row.saved_at) for row in rows
    ]


def delete_draft(tx: Transaction, name: str) -> None:
    """Forget a draft; one that is not there is no error."""
    tx.execute(sa.delete(tables.policy_drafts).where(_draft.name == name))


def _published(row: driver.Row) -> PublishedPolicy:
    name, version, body, digest, published_by, published_at, from_date, reason, withdrawn_by, withdrawn_at = row
    withdrawn = (
        Withdrawal(from_date=date.fromisoformat(from_date), reason=reason, by=withdrawn_by, at=withdrawn_at)
        if from_date
        else None
    )
    return PublishedPolicy(
        name=name,
        version=version,
        digest=digest,
        body=_policy(body),
        published_by=published_by,
        published_at=published_at,
        withdrawn=withdrawn,
    )


@lru_cache(maxsize=1024)
def _policy(body: str) -> Policy:
    """A stored text as a policy. Policies are frozen, and every gate reads all that were ever published."""
    return msgspec.json.decode(body, type=Policy)
