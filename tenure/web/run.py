"""One run: what was logged, its curves, its files, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import Parameter
from litestar.response import Stream

from tenure.build import experiments, model_versions, provenance, run_pages, runs
from tenure.errors import NotFound, TenureError
from tenure.records.base import Record
from tenure.records.people import Permission, Principal
from tenure.records.provenance import PREFIXES
from tenure.records.tracking import Dataset, Experiment, LoggedModel, Run
from tenure.store import logged_models, run_keys
from tenure.store import runs as kept_runs
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web import artifacts, curves
from tenure.web.drawing import Form, Theme, drawn
from tenure.web.features import of_run
from tenure.web.forms import csrf_of
from tenure.web.page import part, show
from tenure.web.previews import readable
from tenure.web.provenance import panel
from tenure.web.run_columns import OWN_TAGS, SYSTEM, natural
from tenure.web.runs import NOTE_TAG

SHOWN_TAGS = ("source.name", "source.type", "user", "project.entryPoint", "runColor")
LISTED_CHILDREN = 20
LISTED_MODELS = 50
CURVES_OF_A_GROUP = 48
CURVES_AT_ONCE = 12
"""Groups are open until this many curves are shown."""
SHORT_TEXT = 300


class CurveGroup(Record):
    """Metrics with a curve that begin alike: `train/…` together, what the machine did apart."""

    name: str
    keys: list[str]
    is_open: bool
    more: int


class DatasetFacts(Record):
    dataset: Dataset
    use: str
    source: str
    schema: str
    profile: str


@get("/runs/{run_id:str}", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def run_page(
    request: Request[Any, Any, Any],
    ground: Ground,
    principal: Principal,
    run_id: str,
    sort: str = "",
    down: bool = True,
    artifact: str = "",
    scripts: bool = False,
    metric: Annotated[list[str] | None, Parameter(required=False)] = None,
    x: str = "step",
    log: bool = False,
    smooth: float = 0.0,
) -> Response[str]:
    view = curves.view_of(x, log, smooth)
    info = ground.database.read(lambda tx: runs.info(tx, run_id))
    address = f"/runs/{part(info.run_id)}"
    files = artifacts.shelf(ground, info.artifact_uri, address, artifact, scripts=scripts)

    def load(tx: Transaction) -> dict[str, Any]:
        run = runs.get(tx, run_id)
        tags = {tag.key: tag.value for tag in run.data.tags}
        curved = run_keys.curved(tx, run.info.run_id)
        parent = tags.get(run_keys.PARENT_TAG, "")
        return {
            "run": run,
            "experiment": _experiment(tx, run.info.experiment_id),
            "note": tags.get(NOTE_TAG, ""),
            "tags": [tag for tag in run.data.tags if not tag.key.startswith((OWN_TAGS, *PREFIXES))],
            "own": {key: tags[OWN_TAGS + key] for key in SHOWN_TAGS if tags.get(OWN_TAGS + key)},
            "short": SHORT_TEXT,
            "provenance": panel(provenance.of_run(run)),
            "features": of_run(ground, tx, run, sort, down),
            "metrics": sorted(run.data.metrics, key=lambda one: (one.key.startswith(SYSTEM), natural(one.key))),
            "params": sorted(run.data.params, key=lambda one: natural(one.key)),
            "curved": curved,
            "groups": groups_of(curved, [key for key in metric or () if key in curved]),
            "chosen_metrics": [key for key in metric or () if key in curved],
            "view": view,
            "across_names": curves.ACROSS,
            "smoothings": curves.SMOOTHINGS,
            "datasets": [_dataset(one.dataset, [tag.value for tag in one.tags]) for one in run.inputs.dataset_inputs],
            **_models(tx, run),
            "versions": model_versions.search(tx, text=f"run_id = '{run.info.run_id}'")[0],
            "parent": (parent, run_keys.names(tx, [parent]).get(parent, "")) if parent else None,
            **_children(tx, run),
            "files": files,
            "address": address,
            "csrf": csrf_of(request),
            "may_write": Permission.TRACK in principal.permissions,
        }

    return show(ground, principal, "run.html", load, current="runs", policy=files.policy)


@get("/runs/{run_id:str}/artifact", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def run_artifact(ground: Ground, run_id: str, path: str, download: bool = False, scripts: bool = False) -> Stream:
    """A file of a run, shown in a sandbox or downloaded."""
    info = ground.database.read(lambda tx: runs.info(tx, run_id))
    return artifacts.send(ground, info.artifact_uri, path, download=download, scripts=scripts)


@get("/runs/{run_id:str}/charts/metric", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def metric_chart(
    ground: Ground,
    run_id: str,
    key: str,
    x: str = "step",
    log: bool = False,
    smooth: float = 0.0,
    form: Form = "svg",
    theme: Theme = "light",
    width: int = 536,
) -> Response[str]:
    """One metric of a run over its steps or over time."""
    view = curves.view_of(x, log, smooth)
    found = ground.database.read(lambda tx: curves.curves_of(tx, [(run_id, run_id)], key, view))
    if not found.curves:
        raise NotFound(f"The run {run_id[:100]!r} has no metric {key[:250]!r}.")
    return drawn(ground, "curves", found, form=form, theme=theme, width=width)


def groups_of(curved: set[str], chosen: Sequence[str]) -> list[CurveGroup]:
    """Curves by the part of their name before the first slash; only those chosen, when some are."""
    named: dict[str, list[str]] = {}
    for key in sorted(chosen or curved, key=natural):
        named.setdefault(key.partition("/")[0] if "/" in key else "", []).append(key)
    groups = []
    shown = 0
    system = SYSTEM.rstrip("/")
    for name in sorted(named, key=lambda name: (name == system, name)):
        keys = named[name]
        is_open = bool(chosen) or (shown < CURVES_AT_ONCE and name != system)
        shown += len(keys) if is_open else 0
        groups.append(
            CurveGroup(
                name="The machine" if name == system else name or "Metrics",
                keys=keys[:CURVES_OF_A_GROUP],
                is_open=is_open,
                more=max(len(keys) - CURVES_OF_A_GROUP, 0),
            )
        )
    return groups


def _experiment(tx: Transaction, experiment_id: str) -> Experiment | None:
    try:
        return experiments.get(tx, experiment_id)
    except TenureError:  # a run may outlive its experiment's name
        return None


def _dataset(dataset: Dataset, use: Sequence[str]) -> DatasetFacts:
    return DatasetFacts(
        dataset=dataset,
        use=", ".join(use),
        source=readable(dataset.source),
        schema=readable(dataset.schema or ""),
        profile=readable(dataset.profile or ""),
    )


def _models(tx: Transaction, run: Run) -> dict[str, list[LoggedModel]]:
    """Logged models that the run made and those that it read."""
    made = [one.model_id for one in run.outputs.model_outputs]
    read = [one.model_id for one in run.inputs.model_inputs]
    stages = ("active", "deleted")
    return {
        "made": logged_models.get_many(tx, list(dict.fromkeys(made))[:LISTED_MODELS], stages),
        "read": logged_models.get_many(tx, list(dict.fromkeys(read))[:LISTED_MODELS], stages),
    }


def _children(tx: Transaction, run: Run) -> dict[str, Any]:
    count = run_keys.children_counts(tx, [run.info.run_id]).get(run.info.run_id, 0)
    text = f"tags.{run_keys.PARENT_TAG} = '{run.info.run_id}'"
    if not count:
        return {"children": [], "children_count": 0, "children_filter": text}
    found = run_pages.page(
        tx, [run.info.experiment_id], text=text, order_by=None, view=None, limit=LISTED_CHILDREN, token=None
    )
    return {"children": kept_runs.get_many(tx, found.run_ids), "children_count": count, "children_filter": text}


handlers = [run_page, run_artifact, metric_chart]
