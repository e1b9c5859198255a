"""Revisions of cards, as people wrote them. A revision is never changed; the latest is the current one."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from tenure.records.base import Instant
from tenure.records.cards import Card
from tenure.store import driver, tables
from tenure.store.database import Transaction


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
    row = driver.execute(
        tx,
        "SELECT revision, body, edited_by, edited_at FROM cards WHERE model = ? AND version = ?"
        " ORDER BY revision DESC LIMIT 1",
        (model, version),
    ).fetchone()
    if row is None:
        return None
    revision, body, edited_by, edited_at = row
    return WrittenCard(revision, msgspec.json.decode(body, type=Card), edited_by, Instant(edited_at))
