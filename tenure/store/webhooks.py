"""Webhooks as stored: whom to tell, of what, and the sealed secret that signs it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
import sqlalchemy as sa

from tenure.records.webhooks import Webhook
from tenure.store import driver, tables
from tenure.store.database import Transaction

_column = tables.webhooks.c


def insert(tx: Transaction, webhook: Webhook, secret: bytes | None) -> None:
    """Store a webhook with its sealed secret."""
    tx.execute(sa.insert(tables.webhooks).values(webhook_id=webhook.webhook_id, secret=secret, **_values(webhook)))


def update(tx: Transaction, webhook: Webhook) -> None:
    """Store everything about a webhook but its secret."""
    tx.execute(sa.update(tables.webhooks).where(_column.webhook_id == webhook.webhook_id).values(**_values(webhook)))


def set_secret(tx: Transaction, webhook_id: str, secret: bytes | None) -> None:
    tx.execute(sa.update(tables.webhooks).where(_column.webhook_id == webhook_id).values(secret=secret))


def delete(tx: Transaction, webhook_id: str) -> None:
    tx.execute(sa.delete(tables.webhooks).where(_column.webhook_id == webhook_id))


def get(tx: Transaction, webhook_id: str) -> Webhook | None:
    row = tx.execute(sa.select(tables.webhooks).where(_column.webhook_id == webhook_id)).first()
    return _webhook(row) if row else None


def search(tx: Transaction, *, limit: int, offset: int = 0) -> list[Webhook]:
    """Webhooks, the newest first."""
    order = (_column.creation_time.desc(), _column.webhook_id.desc())
    query = sa.select(tables.webhooks).order_by(*order).limit(limit).offset(offset)
    return [_webhook(row) for row in tx.execute(query)]


def named(tx: Transaction, name: str) -> list[Webhook]:
    """Webhooks of a name, which several may share; the newest first."""
    order = (_column.creation_time.desc(), _column.webhook_id.desc())
    query = sa.select(tables.webhooks).where(_column.name == name).order_by(*order)
    return [_webhook(row) for row in tx.execute(query)]


def names_in_service(tx: Transaction) -> list[str]:
    """The names of active webhooks, sorted, each once."""
    query = sa.select(_column.name).where(_column.status == "ACTIVE").distinct()
    return sorted(tx.execute(query).scalars())


def count(tx: Transaction) -> int:
    counted: int = tx.execute(sa.select(sa.func.count()).select_from(tables.webhooks)).scalar_one()
    return counted


def listening(tx: Transaction, event: str) -> list[str]:
    """Ids of the webhooks in service that are told of an event. Most servers have none, which is known in 10 µs."""
    if driver.execute(tx, "SELECT 1 FROM webhooks WHERE status = 'ACTIVE' LIMIT 1").fetchone() is None:
        return []
    wanted = _column.events.contains(f'"{event}"', autoescape=True)
    query = sa.select(_column.webhook_id).where((_column.status == "ACTIVE") & wanted).order_by(_column.webhook_id)
    return list(tx.execute(query).scalars())


def in_service(tx: Transaction, webhook_ids: Collection[str]) -> dict[str, tuple[str, bytes | None]]:
    """The address and the sealed secret of those that are there and not disabled."""
    query = sa.select(_column.webhook_id, _column.url, _column.secret)
    query = query.where(_column.webhook_id.in_(webhook_ids) & (_column.status == "ACTIVE"))
    return {row.webhook_id: (row.url, row.secret) for row in tx.execute(query)}


def address(tx: Transaction, webhook_id: str) -> tuple[str, bytes | None] | None:
    """The address and the sealed secret of one, disabled or not."""
    row = tx.execute(sa.select(_column.url, _column.secret).where(_column.webhook_id == webhook_id)).first()
    return (row.url, row.secret) if row else None


def _values(webhook: Webhook) -> dict[str, Any]:
    return {
        "name": webhook.name,
        "description": webhook.description,
        "url": webhook.url,
        "events": msgspec.json.encode(webhook.events).decode(),
        "status": webhook.status,
        "creation_time": webhook.created_at // 1000,
        "last_updated_time": webhook.updated_at // 1000,
    }


def _webhook(row: Any) -> Webhook:
    return Webhook(
        webhook_id=row.webhook_id,
        name=row.name,
        url=row.url,
        events=msgspec.json.decode(row.events, type=list[str]),
        status=row.status,
        signed=row.secret is not None,
        description=row.description,
        created_at=row.creation_time * 1000,
        updated_at=row.last_updated_time * 1000,
    )
