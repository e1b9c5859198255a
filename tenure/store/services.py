"""Services: programs that ask in their own name, by tokens."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from tenure.records.people import RoleHeld, Service
from tenure.store import grants, tables
from tenure.store.database import Transaction

_column = tables.services.c


def add(tx: Transaction, service: Service) -> None:
    """Store a new service; its roles are grants of their own."""
    tx.execute(
        sa.insert(tables.services).values(
            service_id=service.name,
            purpose=service.purpose,
            created_by=service.created_by,
            created_at=service.created_at,
        )
    )


def get(tx: Transaction, name: str) -> Service | None:
    """The service of that name with the roles it holds; None when there is none."""
    row = tx.execute(sa.select(tables.services).where(_column.service_id == name)).first()
    return _service(row, grants.roles_of(tx, name)) if row else None


def list_all(tx: Transaction) -> list[Service]:
    """Every service, by name."""
    held = grants.roles_of_all(tx)
    rows = tx.execute(sa.select(tables.services).order_by(_column.service_id))
    return [_service(row, held.get(row.service_id, [])) for row in rows]


def _service(row: Any, roles: list[RoleHeld]) -> Service:
    return Service(
        name=row.service_id, purpose=row.purpose, roles=roles, created_by=row.created_by, created_at=row.created_at
    )
