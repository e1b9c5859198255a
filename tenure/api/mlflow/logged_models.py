"""Routes about logged models."""

from __future__ import annotations

import msgspec

from tenure.api.mlflow.routes import V2, Asked, reads, writes
from tenure.build import logged_models
from tenure.build.logged_models import DatasetItem, OrderItem
from tenure.records.tracking import Int64, KeyValue, LoggedModel, Part
from tenure.store.database import Transaction


class Create(msgspec.Struct):
    experiment_id: str | None = None
    name: str | None = None
    model_type: str | None = None
    source_run_id: str | None = None
    params: list[KeyValue] = []
    tags: list[KeyValue] = []


class Get(msgspec.Struct):
    model_id: str | None = None
    allow_deleted: bool = False


class Finalize(msgspec.Struct):
    model_id: str | None = None
    status: str | None = None


class Params(msgspec.Struct):
    model_id: str | None = None
    params: list[KeyValue] = []


class Tags(msgspec.Struct):
    model_id: str | None = None
    tags: list[KeyValue] = []


class DeleteTag(msgspec.Struct):
    model_id: str | None = None
    tag_key: str | None = None


class Search(msgspec.Struct):
    experiment_ids: list[str] = []
    filter: str | None = None
    datasets: list[DatasetItem] = []
    max_results: Int64 | None = None
    order_by: list[OrderItem] = []
    page_token: str | None = None


class One(Part):
    model: LoggedModel


class Found(Part):
    models: list[LoggedModel] = []
    next_page_token: str | None = None


def create(tx: Transaction, sent: Create, asked: Asked) -> One:
    made = logged_models.create(
        tx,
        sent.experiment_id,
        name=sent.name,
        model_type=sent.model_type,
        source_run_id=sent.source_run_id,
        params=sent.params,
        tags=sent.tags,
        now=asked.now,
        cut=asked.cut,
    )
    return One(model=made)


def get(tx: Transaction, sent: Get, _asked: Asked) -> One:
    return One(model=logged_models.get(tx, sent.model_id, deleted_too=sent.allow_deleted))


def finalize(tx: Transaction, sent: Finalize, asked: Asked) -> One:
    return One(model=logged_models.finalize(tx, sent.model_id, sent.status, now=asked.now))


def delete(tx: Transaction, sent: Get, asked: Asked) -> None:
    logged_models.delete(tx, sent.model_id, by=asked.by, now=asked.now)


def log_params(tx: Transaction, sent: Params, asked: Asked) -> None:
    logged_models.log_params(tx, sent.model_id, sent.params, cut=asked.cut)


def set_tags(tx: Transaction, sent: Tags, asked: Asked) -> One:
    return One(model=logged_models.set_tags(tx, sent.model_id, sent.tags, cut=asked.cut))


def delete_tag(tx: Transaction, sent: DeleteTag, _asked: Asked) -> None:
    logged_models.delete_tag(tx, sent.model_id, sent.tag_key)


def search(tx: Transaction, sent: Search, _asked: Asked) -> Found:
    found, token = logged_models.search(
        tx,
        sent.experiment_ids,
        text=sent.filter,
        datasets=sent.datasets,
        order_by=sent.order_by,
        max_results=sent.max_results,
        page_token=sent.page_token,
    )
    return Found(models=found, next_page_token=token)


ONE = f"{V2}logged-models/{{model_id}}"
ROUTES = (
    writes("POST", f"{V2}logged-models", create, Create),
    reads("POST", f"{V2}logged-models/search", search, Search),
    reads("GET", ONE, get, Get),
    writes("PATCH", ONE, finalize, Finalize),
    writes("DELETE", ONE, delete, Get),
    writes("POST", f"{ONE}/params", log_params, Params),
    writes("PATCH", f"{ONE}/tags", set_tags, Tags),
    writes("DELETE", f"{ONE}/tags/{{tag_key:path}}", delete_tag, DeleteTag),
)
