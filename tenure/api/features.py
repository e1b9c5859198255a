"""Routes about features: cost, availability and importance side by side."""

from __future__ import annotations

from litestar import get

from tenure.access import MODEL
from tenure.manage import features
from tenure.records.features import FeatureTable
from tenure.records.people import Permission
from tenure.store.ground import Ground


@get(
    "/api/v1/models/{name:str}/versions/{version:int}/features",
    permission=Permission.READ,
    subject=MODEL,
    sync_to_thread=True,
)
def of_version(name: str, version: int, ground: Ground) -> FeatureTable:
    """Every input column of a version: what it costs, what it is worth, whether it is known at scoring."""
    return ground.database.read(lambda tx: features.of_version(ground, tx, name, version))


@get("/api/v1/logged-models/{model_id:str}/features", permission=Permission.READ, sync_to_thread=True)
def of_logged_model(model_id: str, ground: Ground) -> FeatureTable:
    """What was measured of a logged model's features, as `tenure.log_features` keeps it."""
    return ground.database.read(lambda tx: features.of_logged_model(ground, tx, model_id))


handlers = [of_version, of_logged_model]
