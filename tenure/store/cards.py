"""Revisions of cards, as people wrote them. A revision is never changed; the latest is the current one."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from tenure.records.base import Instant
from tenure.records.cards import Card
from tenure.store import tables
from tenure.store.database import Transaction

_column = tables.cards.c


class WrittenCard(NamedTuple):
    """What a person wrote, before empty fields are filled from facts."""

    revision: int
    card: Card
    edited_by: str
    edited_at: int


def add(tx: Transaction, model: str, version: int, written: WrittenCard, digest: str) -> None:
    """Store a new revision."""
    tx.execute(
        sa.insert(tables.cards).values(
            model=model,
            version=version,
            revision=written.revision,
            body=msgspec.json.encode(written.card).decode(),
            digest=digest,
            edited_by=written.edited_by,
            edited_at=written.edited_at,
        )
    )


def current(tx: Transaction, model: str, version: int) -> WrittenCard | None:
    """The latest revision of a version's card; None when nobody wrote one."""
    query = (
        sa.select(tables.cards)
        .where(_column.model == model, _column.version == version)
        .order_by(_column.revision.desc())
        .limit(1)
    )
    row = tx.execute(query).first()
    if row is None:
        return None
    return WrittenCard(row.revision, msgspec.json.decode(row.body, type=Card), row.edited_by, Instant(row.edited_at))
