"""What a server keeps about itself: a few named values that outlive its processes."""

from __future__ import annotations

import sqlalchemy as sa

from tenure.store import tables
from tenure.store.database import Transaction

ROUTING_EPOCH = "routing_epoch"
"""Counted up by every transaction that changes what gateways go by: what answers where, and who may ask."""


def get(tx: Transaction, key: str) -> str | None:
    """The value kept under a key; None when there is none."""
    column = tables.settings_kept.c
    value: str | None = tx.execute(sa.select(column.value).where(column.key == key)).scalar()
    return value


def put(tx: Transaction, key: str, value: str) -> None:
    """Keep a value under a key, in place of the one before."""
    column = tables.settings_kept.c
    changed = tx.execute(sa.update(tables.settings_kept).where(column.key == key).values(value=value))
    if changed.rowcount == 0:
        tx.execute(sa.insert(tables.settings_kept).values(key=key, value=value))


def drop(tx: Transaction, key: str) -> None:
    """Keep nothing under a key any more."""
    tx.execute(sa.delete(tables.settings_kept).where(tables.settings_kept.c.key == key))


def count_up(tx: Transaction, key: str) -> int:
    """The next whole number under a key, starting at 1. It never goes back; of two transactions each gets its own."""
    column = tables.settings_kept.c
    following = sa.cast(sa.cast(column.value, sa.BigInteger) + 1, sa.Text)
    counted: str | None = tx.execute(
        sa.update(tables.settings_kept).where(column.key == key).values(value=following).returning(column.value)
    ).scalar()
    if counted is None:
        put(tx, key, "1")
        return 1
    return int(counted)
