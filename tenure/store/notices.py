"""Which channels were told of which alerts, and when."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from tenure.records.incidents import Notice
from tenure.store import tables
from tenure.store.database import Transaction

_column = tables.alert_notices.c
AT_ONCE = 500


def add(tx: Transaction, notices: Sequence[Notice]) -> None:
    rows = [msgspec.structs.asdict(one) for one in notices]
    if rows:
        tx.execute(sa.insert(tables.alert_notices), rows)


def of_alerts(tx: Transaction, alert_ids: Collection[str]) -> dict[str, list[Notice]]:
    """What was told of each of these alerts, in the order of time."""
    found: dict[str, list[Notice]] = {}
    ids = sorted(alert_ids)
    for start in range(0, len(ids), AT_ONCE):
        query = sa.select(tables.alert_notices).where(_column.alert_id.in_(ids[start : start + AT_ONCE]))
        for row in tx.execute(query.order_by(_column.told_at, _column.step, _column.channel)):
            found.setdefault(row.alert_id, []).append(_notice(row))
    return found


def told_and_over(tx: Transaction, *, limit: int) -> list[str]:
    """Ids of resolved alerts of which somebody was told, and not yet that they are over."""
    over = tables.alerts.c
    last = sa.select(_column.alert_id).where(_column.step == -1)
    query = (
        sa.select(over.alert_id)
        .where(over.state == "resolved", over.alert_id.in_(sa.select(_column.alert_id)), over.alert_id.not_in(last))
        .order_by(over.changed_at)
        .limit(limit)
    )
    return list(tx.execute(query).scalars())


def _notice(row: Any) -> Notice:
    return Notice(**row._mapping)
