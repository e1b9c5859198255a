"""Routes about where runs and versions came from."""

from __future__ import annotations

from litestar import get

from tenure.access import MODEL
from tenure.build import model_versions, provenance, runs
from tenure.records.people import Permission
from tenure.records.provenance import Provenance
from tenure.store.ground import Ground


@get("/api/v1/runs/{run_id:str}/provenance", permission=Permission.READ, sync_to_thread=True)
def of_run(run_id: str, ground: Ground) -> Provenance:
    """Where a run came from, as its client told it: code, environment, seeds, digests of its data."""
    return ground.database.read(lambda tx: provenance.of_run(runs.get(tx, run_id)))


@get(
    "/api/v1/models/{name:str}/versions/{version:int}/provenance",
    permission=Permission.READ,
    subject=MODEL,
    sync_to_thread=True,
)
def of_version(name: str, version: int, ground: Ground) -> Provenance:
    """Where a version came from, as its logged model or its run tells it."""
    return ground.database.read(lambda tx: provenance.of_version(tx, model_versions.get(tx, name, version)))


handlers = [of_run, of_version]
