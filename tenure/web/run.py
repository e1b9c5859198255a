"""One run: what was logged, its curves and its files."""

from __future__ import annotations

from typing import Any

from litestar import Response, get

from tenure.build import experiments, model_versions, provenance, runs
from tenure.errors import NotFound, TenureError
from tenure.records.people import Permission, Principal
from tenure.records.provenance import PREFIXES
from tenure.records.tracking import Experiment, Run
from tenure.store import run_keys
from tenure.store.artifacts import FileInfo
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web import curves
from tenure.web.drawing import Form, Theme, drawn
from tenure.web.features import of_run
from tenure.web.page import show
from tenure.web.provenance import panel

PAGE_SIZE = 50
EXPERIMENT_LIMIT = 500
COLUMN_LIMIT = 6
FILE_LIMIT = 300
CURVE_LIMIT = 2000
OWN_TAGS = "mlflow."
SHOWN_TAGS = ("source.name", "source.type", "source.git.commit", "note.content", "parentRunId", "user")
ORDERS = {"started": "attributes.start_time", "name": "attributes.run_name", "status": "attributes.status"}


@get("/runs/{run_id:str}", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def run_page(ground: Ground, principal: Principal, run_id: str, sort: str = "", down: bool = True) -> Response[str]:
    def load(tx: Transaction) -> dict[str, Any]:
        run = runs.get(tx, run_id)
        files, more = _files(ground, run)
        own = {tag.key.removeprefix(OWN_TAGS): tag.value for tag in run.data.tags if tag.key.startswith(OWN_TAGS)}
        return {
            "run": run,
            "experiment": _experiment(tx, run.info.experiment_id),
            "tags": [tag for tag in run.data.tags if not tag.key.startswith((OWN_TAGS, *PREFIXES))],
            "provenance": panel(provenance.of_run(run)),
            "features": of_run(ground, tx, run, sort, down),
            "own": {key: value for key, value in own.items() if key in SHOWN_TAGS and value},
            "curved": sorted(run_keys.curved(tx, run.info.run_id)),
            "files": files,
            "more_files": more,
            "versions": model_versions.search(tx, text=f"run_id = '{run.info.run_id}'")[0],
        }

    return show(ground, principal, "run.html", load, current="runs")


@get("/runs/{run_id:str}/charts/metric", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def metric_chart(
    ground: Ground, run_id: str, key: str, form: Form = "svg", theme: Theme = "light", width: int = 536
) -> Response[str]:
    """One metric of a run over its steps."""
    found = ground.database.read(
        lambda tx: curves.curves_of(tx, [(run_id, run_id)], key, curves.view_of("step", False, 0.0))
    )
    if not found.curves:
        raise NotFound(f"The run {run_id!r} has no metric {key!r}.")
    return drawn(ground, "curves", found, form=form, theme=theme, width=width)


def _experiment(tx: Transaction, experiment_id: str) -> Experiment | None:
    try:
        return experiments.get(tx, experiment_id)
    except TenureError:  # a run may outlive its experiment's name
        return None


def _files(ground: Ground, run: Run) -> tuple[list[FileInfo], bool]:
    """A run's artifacts with paths below its folder, and whether there are more than are listed."""
    opened = ground.opened(run.info.artifact_uri)
    if opened is None:
        return [], False
    found = opened.store.files(opened.key)
    listed = [FileInfo(file.key.removeprefix(f"{opened.key}/"), file.size_bytes) for file in found[:FILE_LIMIT]]
    return listed, len(found) > FILE_LIMIT


handlers = [run_page, metric_chart]
