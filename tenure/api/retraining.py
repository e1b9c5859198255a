"""Routes about retraining runs."""

from __future__ import annotations

from litestar import get

from tenure.access import LISTED, RETRAINING
from tenure.records.people import Permission, Principal
from tenure.records.retraining import RetrainingRun
from tenure.retrain import runs
from tenure.store.ground import Ground


@get("/api/v1/retraining", permission=Permission.READ, subject=LISTED, sync_to_thread=True)
def list_retraining(
    ground: Ground, principal: Principal, endpoint: str | None = None, model: str | None = None
) -> list[RetrainingRun]:
    """Retraining runs, newest first, of one endpoint, of one model or of all."""
    found = ground.database.read(lambda tx: runs.search(tx, endpoint=endpoint, model=model))
    return [one for one in found if principal.may(Permission.READ, one.model)]


@get("/api/v1/retraining/{retraining_id:str}", permission=Permission.READ, subject=RETRAINING, sync_to_thread=True)
def get_retraining(ground: Ground, retraining_id: str) -> RetrainingRun:
    """One retraining run with its steps and its dossier."""
    return ground.database.read(lambda tx: runs.get(tx, retraining_id))


handlers = [list_retraining, get_retraining]
