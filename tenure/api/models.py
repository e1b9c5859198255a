"""Routes about models and their versions."""

from __future__ import annotations

from litestar import get

from tenure.access import LISTED, MODEL
from tenure.manage import models
from tenure.records.models import ModelDetail, ModelSummary, VersionDetail
from tenure.records.people import Permission, Principal
from tenure.store.ground import Ground


@get("/api/v1/models", permission=Permission.READ, subject=LISTED, sync_to_thread=True)
def list_models(ground: Ground, principal: Principal) -> list[ModelSummary]:
    """Every registered model: under governance or not, champion, versions by state, endpoints."""
    return [one for one in ground.database.read(models.summaries) if principal.may(Permission.READ, one.name)]


@get("/api/v1/models/{name:str}", permission=Permission.READ, subject=MODEL, sync_to_thread=True)
def get_model(name: str, ground: Ground) -> ModelDetail:
    """A model with its versions and open change requests."""
    return ground.database.read(lambda tx: models.detail(tx, name))


@get("/api/v1/models/{name:str}/versions/{version:int}", permission=Permission.READ, subject=MODEL, sync_to_thread=True)
def get_version(name: str, version: int, ground: Ground) -> VersionDetail:
    """A version with its card and changes."""
    return ground.database.read(lambda tx: models.version_detail(tx, name, version))


handlers = [list_models, get_model, get_version]
