"""Routes about models and their versions."""

from __future__ import annotations

from litestar import get

from tenure.access import LISTED, MODEL
from tenure.manage import evidence, histories, models
from tenure.records import moments
from tenure.records.evidence import Evidence
from tenure.records.histories import AsOf
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


@get(
    "/api/v1/models/{name:str}/versions/{version:int}/evidence",
    permission=Permission.READ,
    subject=MODEL,
    sync_to_thread=True,
)
def get_evidence(name: str, version: int, ground: Ground) -> Evidence:
    """Everything that stands for a version in one file: manifest, card, model's file, gates, changes, envelopes, keys.

    `tenure audit verify-signature` verifies it without the server.
    """
    return ground.database.read(lambda tx: evidence.of_version(tx, name, version, ground.key, now=ground.clock()))


@get("/api/v1/models/{name:str}/as-of", permission=Permission.READ, subject=MODEL, sync_to_thread=True)
def get_as_of(name: str, at: str, ground: Ground, version: int | None = None) -> AsOf:
    """How a model stood at a date (its end) or a time: which versions answered, who approved them, on what evidence."""
    moment = moments.last_instant(at, "at")
    return ground.database.read(lambda tx: histories.look(tx, name, moment, version=version))


handlers = [list_models, get_model, get_version, get_evidence, get_as_of]
