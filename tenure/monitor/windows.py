"""Judged windows, to look at."""

from __future__ import annotations

import msgspec

from tenure.deploy import endpoints
from tenure.records.windows import Window
from tenure.store import windows as stored
from tenure.store.database import Transaction


def search(
    tx: Transaction,
    endpoint: str,
    *,
    version: int | None = None,
    role: str | None = None,
    from_at: int | None = None,
    until_at: int | None = None,
    limit: int = 100,
    profiles: bool = False,
) -> list[Window]:
    """Windows of an endpoint, latest first; without their profiles unless asked for. Raises NotFound."""
    endpoints.get(tx, endpoint)
    found = stored.search(tx, endpoint, version=version, role=role, from_at=from_at, until_at=until_at, limit=limit)
    return found if profiles else [msgspec.structs.replace(window, profile=None) for window in found]
