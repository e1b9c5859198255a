"""Overrides that found no prediction yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import sqlalchemy as sa

from tenure.records.base import Instant
from tenure.store import tables
from tenure.store.database import Transaction

KEYS_A_QUERY = 900
_column = tables.pending_overrides.c


class Decided(msgspec.Struct, frozen=True):
    """What a person decided instead of the model, of a prediction named as an outcome names it."""

    key: str
    value: float
    event_at: int
    reason: str
    decided_by: str


def keep_waiting(tx: Transaction, endpoint: str, decided: Iterable[Decided], now: Instant) -> None:
    """Keep overrides whose prediction is not known yet; the same one again is kept once."""
    rows = {(one.key, one.decided_by, one.event_at): one for one in decided}
    for one in waiting_among(tx, endpoint, [key for key, _, _ in rows]):
        rows.pop((one.key, one.decided_by, one.event_at), None)
    given = [{**msgspec.structs.asdict(one), "endpoint": endpoint, "received_at": now} for one in rows.values()]
    if given:
        tx.execute(sa.insert(tables.pending_overrides), given)


def waiting_among(tx: Transaction, endpoint: str, keys: Sequence[str]) -> list[Decided]:
    """Overrides that wait for one of these keys."""
    if waiting_count(tx, endpoint) == 0:
        return []
    found = []
    query = sa.select(_column.key, _column.value, _column.event_at, _column.reason, _column.decided_by)
    for start in range(0, len(keys), KEYS_A_QUERY):
        mine = _column.key.in_(keys[start : start + KEYS_A_QUERY])
        found += [Decided(*row) for row in tx.execute(query.where(_column.endpoint == endpoint, mine))]
    return found


def stop_waiting(tx: Transaction, endpoint: str, keys: Sequence[str]) -> None:
    """Drop overrides that have found their prediction."""
    for start in range(0, len(keys), KEYS_A_QUERY):
        mine = (_column.endpoint == endpoint) & _column.key.in_(keys[start : start + KEYS_A_QUERY])
        tx.execute(sa.delete(tables.pending_overrides).where(mine))


def waiting_count(tx: Transaction, endpoint: str) -> int:
    """How many overrides of an endpoint wait for their prediction."""
    query = sa.select(sa.func.count()).select_from(tables.pending_overrides).where(_column.endpoint == endpoint)
    return tx.execute(query).scalar_one()
