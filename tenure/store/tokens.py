"""Tokens as stored: by their digest alone. A row is never deleted, so that the log's names stay explained."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from tenure.records.base import Instant
from tenure.records.people import Permission
from tenure.records.tokens import Token
from tenure.store import tables
from tenure.store.database import Transaction

_column = tables.tokens.c


def add(tx: Transaction, token: Token, digest: str) -> None:
    """Store a new token under the SHA-256 of its secret, in hex."""
    tx.execute(
        sa.insert(tables.tokens).values(
            token_id=token.token_id,
            digest=digest,
            principal=token.principal,
            label=token.label,
            permissions=msgspec.json.encode(token.permissions).decode(),
            models=msgspec.json.encode(token.models).decode(),
            created_by=token.created_by,
            created_at=token.created_at,
            expires_at=token.expires_at,
        )
    )


def of_digest(tx: Transaction, digest: str) -> Token | None:
    """The token with that digest, whether it is good or not; None when there is none."""
    row = tx.execute(sa.select(tables.tokens).where(_column.digest == digest)).first()
    return _token(row) if row else None


def get(tx: Transaction, token_id: str) -> Token | None:
    """The token of that id; None when there is none."""
    row = tx.execute(sa.select(tables.tokens).where(_column.token_id == token_id)).first()
    return _token(row) if row else None


def search(tx: Transaction, *, principal: str | None = None) -> list[Token]:
    """Tokens of one principal or of all, newest first, with those that are over."""
    query = sa.select(tables.tokens).order_by(_column.created_at.desc(), _column.token_id.desc())
    if principal is not None:
        query = query.where(_column.principal == principal)
    return [_token(row) for row in tx.execute(query)]


def not_revoked(tx: Transaction) -> dict[str, Token]:
    """Every token that was not revoked, by its digest."""
    query = sa.select(tables.tokens).where(_column.revoked_at.is_(None)).order_by(_column.token_id)
    return {row.digest: _token(row) for row in tx.execute(query)}


def good_ones(tx: Transaction, principal: str, label: str) -> list[str]:
    """Ids of a principal's tokens of that label that were not revoked."""
    wanted = (_column.principal == principal) & (_column.label == label) & _column.revoked_at.is_(None)
    return list(tx.execute(sa.select(_column.token_id).where(wanted).order_by(_column.token_id)).scalars())


def revoke(tx: Transaction, token_id: str, now: Instant) -> None:
    """Take a token's power away for good."""
    tx.execute(sa.update(tables.tokens).where(_column.token_id == token_id).values(revoked_at=now))


def note_use(tx: Transaction, token_id: str, now: Instant) -> None:
    """Keep when a token was last used."""
    tx.execute(sa.update(tables.tokens).where(_column.token_id == token_id).values(last_used_at=now))


def _token(row: Any) -> Token:
    return Token(
        token_id=row.token_id,
        principal=row.principal,
        label=row.label,
        permissions=msgspec.json.decode(row.permissions, type=list[Permission]),
        models=msgspec.json.decode(row.models, type=list[str]),
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
