"""One logged model: what made it, what was measured of it on which data, its files, and the versions made from it."""

from __future__ import annotations

from typing import Any

from litestar import Response, get
from litestar.response import Stream

from tenure.build import logged_models
from tenure.records.people import Permission, Principal
from tenure.records.tracking import LoggedModel, Metric
from tenure.store import run_keys
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web import artifacts
from tenure.web.page import part, show
from tenure.web.run import SHORT_TEXT
from tenure.web.run_columns import OWN_TAGS


@get("/logged-models/{model_id:str}", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def model_page(
    ground: Ground, principal: Principal, model_id: str, artifact: str = "", scripts: bool = False
) -> Response[str]:
    model = ground.database.read(lambda tx: logged_models.get(tx, model_id, deleted_too=True))
    address = f"/logged-models/{part(model.info.model_id)}"
    files = artifacts.shelf(ground, model.info.artifact_uri, address, artifact, scripts=scripts)

    def load(tx: Transaction) -> dict[str, Any]:
        source = model.info.source_run_id
        return {
            "model": model,
            "status": model.info.status.removeprefix("LOGGED_MODEL_").replace("_", " ").lower(),
            "source": (source, run_keys.names(tx, [source]).get(source, "")) if source else None,
            "measured": _by_dataset(model),
            "tags": [tag for tag in model.info.tags if not tag.key.startswith((OWN_TAGS, "tenure."))],
            "short": SHORT_TEXT,
            "files": files,
            "address": address,
        }

    return show(ground, principal, "logged_model.html", load, current="runs", policy=files.policy)


@get("/logged-models/{model_id:str}/artifact", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def model_artifact(ground: Ground, model_id: str, path: str, download: bool = False, scripts: bool = False) -> Stream:
    """A file of a logged model, shown in a sandbox or downloaded."""
    model = ground.database.read(lambda tx: logged_models.get(tx, model_id, deleted_too=True))
    return artifacts.send(ground, model.info.artifact_uri, path, download=download, scripts=scripts)


def _by_dataset(model: LoggedModel) -> list[tuple[str, str, list[Metric]]]:
    """Metrics by the dataset that they were measured on: name, digest and metrics; those on none first."""
    found: dict[tuple[str, str], list[Metric]] = {}
    for one in sorted(model.data.metrics, key=lambda metric: metric.key):
        found.setdefault((one.dataset_name or "", one.dataset_digest or ""), []).append(one)
    return [(name, digest, metrics) for (name, digest), metrics in sorted(found.items())]


handlers = [model_page, model_artifact]
