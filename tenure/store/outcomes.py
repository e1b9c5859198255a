"""Outcomes that found no prediction yet, and those that contradict what was already told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import sqlalchemy as sa

from tenure.records.base import Instant
from tenure.store import tables
from tenure.store.database import Transaction

KEYS_A_QUERY = 900
_pending = tables.pending_outcomes.c
_conflicting = tables.conflicting_outcomes.c


class Told(msgspec.Struct, frozen=True, gc=False):
    """An outcome as it was told: of a prediction id with its row, or of `ref:` and the caller's reference."""

    key: str
    value: float
    event_at: int


class Refused(msgspec.Struct, frozen=True):
    """An outcome that differs from the one that was told first and stands."""

    key: str
    kept: float
    refused: float
    event_at: int


def keep_waiting(tx: Transaction, endpoint: str, told: Iterable[Told], now: Instant) -> None:
    """Keep outcomes whose prediction is not known yet. None of their keys may be waiting already."""
    rows = [
        {"endpoint": endpoint, "key": one.key, "value": one.value, "event_at": one.event_at, "received_at": now}
        for one in told
    ]
    if rows:
        tx.execute(sa.insert(tables.pending_outcomes), rows)


def waiting_among(tx: Transaction, endpoint: str, keys: Sequence[str]) -> dict[str, Told]:
    """Outcomes that wait for one of these keys."""
    if waiting_count(tx, endpoint) == 0:
        return {}
    found = {}
    for start in range(0, len(keys), KEYS_A_QUERY):
        part = keys[start : start + KEYS_A_QUERY]
        query = sa.select(_pending.key, _pending.value, _pending.event_at)
        for row in tx.execute(query.where(_pending.endpoint == endpoint, _pending.key.in_(part))):
            found[row.key] = Told(row.key, row.value, row.event_at)
    return found


def stop_waiting(tx: Transaction, endpoint: str, keys: Sequence[str]) -> None:
    """Drop outcomes that have found their prediction."""
    for start in range(0, len(keys), KEYS_A_QUERY):
        part = keys[start : start + KEYS_A_QUERY]
        mine = (_pending.endpoint == endpoint) & _pending.key.in_(part)
        tx.execute(sa.delete(tables.pending_outcomes).where(mine))


def waiting_count(tx: Transaction, endpoint: str) -> int:
    """How many outcomes of an endpoint wait for their prediction."""
    query = sa.select(sa.func.count()).select_from(tables.pending_outcomes).where(_pending.endpoint == endpoint)
    return tx.execute(query).scalar_one()


def keep_refused(tx: Transaction, endpoint: str, refused: Iterable[Refused], now: Instant) -> None:
    """Keep outcomes that contradict what stands. Of several for one key in one batch, the last is kept."""
    rows = {
        one.key: {
            "endpoint": endpoint,
            "key": one.key,
            "received_at": now,
            "kept": one.kept,
            "refused": one.refused,
            "event_at": one.event_at,
        }
        for one in refused
    }
    for start in range(0, len(rows), KEYS_A_QUERY):  # what this same look kept already gives way
        part = list(rows)[start : start + KEYS_A_QUERY]
        same = (_conflicting.endpoint == endpoint) & (_conflicting.received_at == now) & _conflicting.key.in_(part)
        tx.execute(sa.delete(tables.conflicting_outcomes).where(same))
    if rows:
        tx.execute(sa.insert(tables.conflicting_outcomes), list(rows.values()))


def refused_count(tx: Transaction, endpoint: str) -> int:
    """How many outcomes of an endpoint contradicted what was told first."""
    query = sa.select(sa.func.count()).select_from(tables.conflicting_outcomes)
    return tx.execute(query.where(_conflicting.endpoint == endpoint)).scalar_one()
