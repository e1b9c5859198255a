"""Judged windows, to look at."""

from __future__ import annotations

from tenure.deploy import endpoints
from tenure.errors import NotFound
from tenure.records.drift import DriftReport
from tenure.records.windows import Window
from tenure.store import drift_reports
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
    return stored.search(
        tx,
        endpoint,
        version=version,
        role=role,
        from_at=from_at,
        until_at=until_at,
        limit=limit,
        bare=not profiles,
    )


def drift(
    tx: Transaction, endpoint: str, *, version: int | None = None, role: str | None = None, start_at: int | None = None
) -> DriftReport:
    """What a window says about drift: the latest, or the one that begins at an instant. Raises NotFound."""
    endpoints.get(tx, endpoint)
    found = drift_reports.get(tx, endpoint, version=version, role=role, start_at=start_at)
    if found is None:
        raise NotFound(
            f"No window of endpoint {endpoint!r} was compared with a baseline yet. A version has one when its training "
            "code calls `tenure.log_baseline`, and a window is judged when its time has passed."
        )
    return found
