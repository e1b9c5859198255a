"""Exports as stored: where an endpoint's events go, and how many went."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from tenure.records.exports import Export
from tenure.store import tables
from tenure.store.database import Transaction

_column = tables.endpoint_exports.c


def get(tx: Transaction, endpoint: str) -> Export | None:
    """What an endpoint exports; None for nothing."""
    row = tx.execute(sa.select(tables.endpoint_exports).where(_column.endpoint == endpoint)).first()
    return _export(row) if row else None


def secret(tx: Transaction, endpoint: str) -> bytes | None:
    """The sealed secret that signs an endpoint's events."""
    found: bytes | None = tx.execute(sa.select(_column.secret).where(_column.endpoint == endpoint)).scalar()
    return found


def all_of(tx: Transaction) -> dict[str, tuple[Export, bytes | None]]:
    """Every export with its sealed secret, by endpoint."""
    rows = tx.execute(sa.select(tables.endpoint_exports))
    return {row.endpoint: (_export(row), row.secret) for row in rows}


def put(tx: Transaction, export: Export, secret: bytes | None) -> None:
    """Store an export in the place of the one before, with its counts."""
    delete(tx, export.endpoint)
    values = msgspec.structs.asdict(export)
    del values["signed"]
    values["what"] = msgspec.json.encode(export.what).decode()
    tx.execute(sa.insert(tables.endpoint_exports).values(secret=secret, **values))


def delete(tx: Transaction, endpoint: str) -> None:
    tx.execute(sa.delete(tables.endpoint_exports).where(_column.endpoint == endpoint))


def chose(tx: Transaction, export: Export, waiting: int, failed: int) -> None:
    """Count events that were chosen, unless the export was set anew meanwhile."""
    counted = {"waiting": _column.waiting + waiting, "failed": _column.failed + failed}
    tx.execute(sa.update(tables.endpoint_exports).where(*_same(export)).values(counted))


def settle(tx: Transaction, export: Export, *, sent: int = 0, failed: int = 0, dropped: int = 0) -> None:
    """Count what became of events that waited, unless the export was set anew meanwhile."""
    counted = {
        "waiting": _column.waiting - (sent + failed + dropped),
        "sent": _column.sent + sent,
        "failed": _column.failed + failed,
        "dropped": _column.dropped + dropped,
    }
    tx.execute(sa.update(tables.endpoint_exports).where(*_same(export)).values(counted))


def tried(tx: Transaction, export: Export, problem: str | None, at: int) -> None:
    """Keep how the newest attempt went."""
    tx.execute(sa.update(tables.endpoint_exports).where(*_same(export)).values(problem=problem, tried_at=at))


def drop_waiting(tx: Transaction) -> None:
    """Count as dropped what waited in the memory of a process that is gone."""
    gone = {"dropped": _column.dropped + _column.waiting, "waiting": 0}
    tx.execute(sa.update(tables.endpoint_exports).where(_column.waiting > 0).values(gone))


def _same(export: Export) -> tuple[Any, Any]:
    return _column.endpoint == export.endpoint, _column.set_at == export.set_at


def _export(row: Any) -> Export:
    return Export(
        endpoint=row.endpoint,
        url=row.url,
        what=msgspec.json.decode(row.what),
        share=row.share,
        signed=row.secret is not None,
        set_at=row.set_at,
        waiting=row.waiting,
        sent=row.sent,
        failed=row.failed,
        dropped=row.dropped,
        problem=row.problem,
        tried_at=row.tried_at,
    )
