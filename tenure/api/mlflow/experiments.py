"""Routes about experiments."""

from __future__ import annotations

import msgspec

from tenure.api.mlflow.routes import V2, Asked, reads, writes
from tenure.build import datasets, experiments
from tenure.records.tracking import DatasetSummary, Experiment, Int64, KeyValue, Part
from tenure.store.database import Transaction


class Create(msgspec.Struct):
    name: str | None = None
    artifact_location: str | None = None
    tags: list[KeyValue] = []


class Named(msgspec.Struct):
    experiment_id: str | None = None


class ByName(msgspec.Struct):
    experiment_name: str | None = None


class Update(msgspec.Struct):
    experiment_id: str | None = None
    new_name: str | None = None


class SetTag(msgspec.Struct):
    key: str
    value: str
    experiment_id: str | None = None


class DeleteTag(msgspec.Struct):
    key: str
    experiment_id: str | None = None


class Search(msgspec.Struct):
    max_results: Int64 | None = None
    page_token: str | None = None
    filter: str | None = None
    order_by: list[str] = []
    view_type: str | None = None


class SearchDatasets(msgspec.Struct):
    experiment_ids: list[str] = []


class Created(Part):
    experiment_id: str


class One(Part):
    experiment: Experiment


class Found(Part):
    experiments: list[Experiment] = []
    next_page_token: str | None = None


class FoundDatasets(Part):
    dataset_summaries: list[DatasetSummary] = []


def create(tx: Transaction, sent: Create, asked: Asked) -> Created:
    made = experiments.create(
        tx,
        sent.name,
        location=sent.artifact_location,
        tags=sent.tags,
        now=asked.now,
        root=asked.ground.roots.default,
    )
    return Created(experiment_id=made)


def get(tx: Transaction, sent: Named, _asked: Asked) -> One:
    return One(experiment=experiments.get(tx, sent.experiment_id))


def get_by_name(tx: Transaction, sent: ByName, _asked: Asked) -> One:
    return One(experiment=experiments.get_by_name(tx, sent.experiment_name))


def update(tx: Transaction, sent: Update, asked: Asked) -> None:
    experiments.rename(tx, sent.experiment_id, sent.new_name, by=asked.by, now=asked.now)


def delete(tx: Transaction, sent: Named, asked: Asked) -> None:
    experiments.delete(tx, sent.experiment_id, by=asked.by, now=asked.now)


def restore(tx: Transaction, sent: Named, asked: Asked) -> None:
    experiments.restore(tx, sent.experiment_id, by=asked.by, now=asked.now)


def set_tag(tx: Transaction, sent: SetTag, asked: Asked) -> None:
    experiments.set_tag(tx, sent.experiment_id, sent.key, sent.value, now=asked.now)


def delete_tag(tx: Transaction, sent: DeleteTag, _asked: Asked) -> None:
    experiments.delete_tag(tx, sent.experiment_id, sent.key)


def search(tx: Transaction, sent: Search, _asked: Asked) -> Found:
    found, token = experiments.search(
        tx,
        text=sent.filter,
        order_by=sent.order_by,
        view=sent.view_type,
        max_results=sent.max_results,
        page_token=sent.page_token,
    )
    return Found(experiments=found, next_page_token=token)


def search_datasets(tx: Transaction, sent: SearchDatasets, _asked: Asked) -> FoundDatasets:
    return FoundDatasets(dataset_summaries=datasets.search(tx, sent.experiment_ids))


ROUTES = (
    writes("POST", f"{V2}experiments/create", create, Create),
    reads("GET", f"{V2}experiments/get", get, Named),
    reads("GET", f"{V2}experiments/get-by-name", get_by_name, ByName),
    reads("GET", f"{V2}experiments/search", search, Search),
    reads("POST", f"{V2}experiments/search", search, Search),
    reads("POST", f"{V2}experiments/search-datasets", search_datasets, SearchDatasets),
    writes("POST", f"{V2}experiments/update", update, Update),
    writes("POST", f"{V2}experiments/delete", delete, Named),
    writes("POST", f"{V2}experiments/restore", restore, Named),
    writes("POST", f"{V2}experiments/set-experiment-tag", set_tag, SetTag),
    writes("POST", f"{V2}experiments/delete-experiment-tag", delete_tag, DeleteTag),
)
