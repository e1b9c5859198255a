"""Batches as stored, and the parts in which their predictions came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from tenure.records.admission import Admitted
from tenure.records.base import Instant
from tenure.records.batches import BatchEnd, BatchInfo, BatchPart
from tenure.store import tables
from tenure.store.database import Transaction

_batch = tables.batches.c
_part = tables.batch_parts.c


def add(tx: Transaction, batch: BatchInfo) -> None:
    """Store a new batch."""
    values = {name: getattr(batch, name) for name in _NAMES}
    admitted = msgspec.json.encode(batch.admitted).decode() if batch.admitted else None
    tx.execute(sa.insert(tables.batches).values(**values, admitted=admitted))


def get(tx: Transaction, batch_id: str) -> BatchInfo | None:
    row = tx.execute(sa.select(tables.batches).where(_batch.batch_id == batch_id)).first()
    return _info(row) if row else None


def of_endpoint(tx: Transaction, endpoint: str, limit: int) -> list[BatchInfo]:
    """Batches of an endpoint, newest first."""
    query = sa.select(tables.batches).where(_batch.endpoint == endpoint)
    query = query.order_by(_batch.opened_at.desc(), _batch.batch_id.desc()).limit(limit)
    return [_info(row) for row in tx.execute(query)]


def silent_since(tx: Transaction, instant: int) -> list[BatchInfo]:
    """Open batches that nothing came for since an instant."""
    query = sa.select(tables.batches).where(_batch.state == "open", _batch.changed_at < instant)
    return [_info(row) for row in tx.execute(query.order_by(_batch.batch_id))]


def put_part(tx: Transaction, batch_id: str, part: BatchPart, now: Instant) -> None:
    """Keep a part, in place of one that begins with the same row."""
    mine = (_part.batch_id == batch_id) & (_part.first_row == part.first_row)
    tx.execute(sa.delete(tables.batch_parts).where(mine))
    tx.execute(sa.insert(tables.batch_parts).values(batch_id=batch_id, received_at=now, **msgspec.structs.asdict(part)))
    touched = sa.update(tables.batches).where(_batch.batch_id == batch_id)
    tx.execute(touched.values(changed_at=now, rows=_rows_of(batch_id)))


def parts(tx: Transaction, batch_id: str) -> list[BatchPart]:
    """A batch's parts in the order of rows."""
    query = sa.select(tables.batch_parts).where(_part.batch_id == batch_id).order_by(_part.first_row)
    return [
        BatchPart(
            first_row=row.first_row,
            until_row=row.until_row,
            rows=row.rows,
            sha256=row.sha256,
            size_bytes=row.size_bytes,
        )
        for row in tx.execute(query)
    ]


def rows_since(tx: Transaction, model: str, caller: str, instant: int) -> int:
    """How many rows of a model came in a caller's batches since an instant."""
    query = (
        sa.select(sa.func.coalesce(sa.func.sum(_part.rows), 0))
        .select_from(tables.batch_parts.join(tables.batches, _part.batch_id == _batch.batch_id))
        .where(_batch.model == model, _batch.opened_by == caller, _part.received_at >= instant)
    )
    return int(tx.execute(query).scalar_one())


def settle(tx: Transaction, batch_id: str, end: BatchEnd, now: Instant) -> bool:
    """Note that an open batch is done; False when it is not open."""
    values = {**msgspec.structs.asdict(end), "state": "done", "changed_at": now}
    return _move(tx, batch_id, values)


def abandon(tx: Transaction, batch_id: str, now: Instant) -> bool:
    """Note that an open batch is given up; False when it is not open."""
    return _move(tx, batch_id, {"state": "abandoned", "changed_at": now})


def _move(tx: Transaction, batch_id: str, values: dict[str, Any]) -> bool:
    mine = (_batch.batch_id == batch_id) & (_batch.state == "open")
    return tx.execute(sa.update(tables.batches).where(mine).values(**values)).rowcount == 1


def _rows_of(batch_id: str) -> sa.ScalarSelect[Any]:
    query = sa.select(sa.func.coalesce(sa.func.sum(_part.rows), 0)).where(_part.batch_id == batch_id)
    return query.scalar_subquery()


def _info(row: Any) -> BatchInfo:
    told = {name: getattr(row, name) for name in _NAMES}
    admitted = msgspec.json.decode(row.admitted, type=Admitted) if row.admitted else None
    return BatchInfo(**told, admitted=admitted)


_NAMES: Sequence[str] = [column.name for column in tables.batches.columns if column.name != "admitted"]
