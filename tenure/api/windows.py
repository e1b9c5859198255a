"""Routes about what is monitored: progress, windows, report."""

from __future__ import annotations

from typing import Annotated, Literal

from litestar import get
from litestar.params import Parameter

from tenure.access import ENDPOINT
from tenure.deploy import endpoints
from tenure.monitor import estimate_records, harms, progress, windows
from tenure.records.drift import DriftReport
from tenure.records.estimates import EstimateRecord
from tenure.records.harm import Detector
from tenure.records.people import Permission
from tenure.records.routing import ReleaseRole
from tenure.records.windows import Progress, ReportRow, Window
from tenure.store.database import Transaction
from tenure.store.ground import Ground


@get("/api/v1/endpoints/{name:str}/progress", permission=Permission.READ, subject=ENDPOINT, sync_to_thread=True)
def get_progress(name: str, ground: Ground) -> Progress:
    """How far the server has come with an endpoint, in event time."""
    return progress.of(ground, name)


@get("/api/v1/endpoints/{name:str}/windows", permission=Permission.READ, subject=ENDPOINT, sync_to_thread=True)
def search_windows(
    name: str,
    ground: Ground,
    version: int | None = None,
    role: ReleaseRole | None = None,
    limit: Annotated[int, Parameter(ge=1, le=1000)] = 100,
    profiles: bool = False,
) -> list[Window]:
    """Judged windows, latest first; `profiles=true` adds the counts of every column."""
    return ground.database.read(
        lambda tx: windows.search(tx, name, version=version, role=role, limit=limit, profiles=profiles)
    )


@get("/api/v1/endpoints/{name:str}/detectors", permission=Permission.READ, subject=ENDPOINT, sync_to_thread=True)
def list_detectors(name: str, ground: Ground, version: int | None = None) -> list[Detector]:
    """Detectors of harm: how near an alarm each is, what it is held against, and what it found."""

    def load(tx: Transaction) -> list[Detector]:
        endpoints.get(tx, name)
        return harms.shown(tx, name, version)

    return ground.database.read(load)


@get("/api/v1/endpoints/{name:str}/drift", permission=Permission.READ, subject=ENDPOINT, sync_to_thread=True)
def get_drift(
    name: str,
    ground: Ground,
    version: int | None = None,
    role: ReleaseRole = "champion",
    start_at: int | None = None,
) -> DriftReport:
    """What the latest window (or the one that begins at `start_at`, µs UTC) says about drift: every statistic."""
    return ground.database.read(lambda tx: windows.drift(tx, name, version=version, role=role, start_at=start_at))


@get("/api/v1/endpoints/{name:str}/report", permission=Permission.READ, subject=ENDPOINT, sync_to_thread=True)
def get_report(name: str, ground: Ground, by: Literal["month"] = "month") -> list[ReportRow]:
    """What an endpoint did, a row for each calendar month of event time."""
    from tenure.monitor import report  # here, since it brings scipy, and most servers of pages never need it

    del by
    return report.by_month(ground, name)


@get("/api/v1/endpoints/{name:str}/estimates", permission=Permission.READ, subject=ENDPOINT, sync_to_thread=True)
def get_estimate_records(name: str, ground: Ground, version: int | None = None) -> list[EstimateRecord]:
    """How estimates that were made before outcomes came fared, for each version and metric of the latest windows."""
    return ground.database.read(lambda tx: estimate_records.of(tx, name, version=version))


handlers = [get_progress, search_windows, list_detectors, get_drift, get_report, get_estimate_records]
