"""Routes about runs."""

from __future__ import annotations

import asyncio

import msgspec

from tenure.api.mlflow.routes import V2, Asked, Route, reads, writes, writes_small
from tenure.build import datasets, runs
from tenure.records.tracking import DatasetInput, Int64, KeyValue, ModelInput, ModelOutput, Part, Run, RunInfo
from tenure.store.database import Transaction


class Create(msgspec.Struct):
    experiment_id: str | None = None
    user_id: str | None = None
    run_name: str | None = None
    start_time: Int64 | None = None
    tags: list[KeyValue] = []


class Named(msgspec.Struct):
    """Old clients send `run_uuid`, newer ones both."""

    run_id: str | None = None
    run_uuid: str | None = None


class Update(Named):
    status: str | None = None
    end_time: Int64 | None = None
    run_name: str | None = None


class SetKeyValue(Named, kw_only=True):
    key: str
    value: str


class DeleteTag(Named, kw_only=True):
    key: str


class LogInputs(Named):
    datasets: list[DatasetInput] = []
    models: list[ModelInput] = []


class LogOutputs(Named):
    models: list[ModelOutput] = []


class LogModel(Named):
    model_json: str | None = None


class Search(msgspec.Struct):
    experiment_ids: list[str] = []
    filter: str | None = None
    run_view_type: str | None = None
    max_results: Int64 | None = None
    order_by: list[str] = []
    page_token: str | None = None


class One(Part):
    run: Run


class Updated(Part):
    run_info: RunInfo


class Found(Part):
    runs: list[Run] = []
    next_page_token: str | None = None


def named(sent: Named) -> str | None:
    return sent.run_id or sent.run_uuid


def create(tx: Transaction, sent: Create, asked: Asked) -> One:
    made = runs.create(
        tx,
        sent.experiment_id,
        name=sent.run_name,
        user_id=sent.user_id,
        start_time=sent.start_time,
        tags=sent.tags,
        now=asked.now,
        cut=asked.cut,
    )
    return One(run=made)


def get(tx: Transaction, sent: Named, _asked: Asked) -> One:
    return One(run=runs.get(tx, named(sent)))


async def update(sent: Update, asked: Asked) -> Updated:
    """What a run had logged is counted before the write begins, so that no other write waits for it."""
    database, run_id = asked.ground.database, named(sent)
    digest = None
    if sent.status in runs.ENDED:
        digest = await asyncio.wrap_future(database.submit_read(lambda tx: runs.digested(tx, run_id)))

    def write(tx: Transaction) -> RunInfo:
        return runs.update(
            tx,
            run_id,
            status=sent.status,
            end_time=sent.end_time,
            name=sent.run_name,
            digest=digest,
            by=asked.by,
            now=asked.now,
            cut=asked.cut,
        )

    return Updated(run_info=await asyncio.wrap_future(database.submit(write)))


def delete(tx: Transaction, sent: Named, asked: Asked) -> None:
    runs.delete(tx, named(sent), by=asked.by, now=asked.now)


def restore(tx: Transaction, sent: Named, asked: Asked) -> None:
    runs.restore(tx, named(sent), by=asked.by, now=asked.now)


def log_param(tx: Transaction, sent: SetKeyValue, asked: Asked) -> None:
    runs.log_param(tx, named(sent), sent.key, sent.value, cut=asked.cut)


def set_tag(tx: Transaction, sent: SetKeyValue, asked: Asked) -> None:
    runs.set_tag(tx, named(sent), sent.key, sent.value, cut=asked.cut)


def delete_tag(tx: Transaction, sent: DeleteTag, _asked: Asked) -> None:
    runs.delete_tag(tx, named(sent), sent.key)


def log_inputs(tx: Transaction, sent: LogInputs, _asked: Asked) -> None:
    datasets.log_inputs(tx, named(sent), sent.datasets, sent.models)


def log_outputs(tx: Transaction, sent: LogOutputs, _asked: Asked) -> None:
    datasets.log_outputs(tx, named(sent), sent.models)


def log_model(tx: Transaction, sent: LogModel, _asked: Asked) -> None:
    runs.log_model(tx, named(sent), sent.model_json)


def search(tx: Transaction, sent: Search, _asked: Asked) -> Found:
    found, token = runs.search(
        tx,
        sent.experiment_ids,
        text=sent.filter,
        order_by=sent.order_by,
        view=sent.run_view_type,
        max_results=sent.max_results,
        page_token=sent.page_token,
    )
    return Found(runs=found, next_page_token=token)


ROUTES = (
    writes_small("POST", f"{V2}runs/create", create, Create),
    reads("GET", f"{V2}runs/get", get, Named),
    Route("POST", f"{V2}runs/update", update, Update, "apart"),
    reads("POST", f"{V2}runs/search", search, Search),
    writes("POST", f"{V2}runs/delete", delete, Named),
    writes("POST", f"{V2}runs/restore", restore, Named),
    writes_small("POST", f"{V2}runs/log-parameter", log_param, SetKeyValue),
    writes_small("POST", f"{V2}runs/set-tag", set_tag, SetKeyValue),
    writes_small("POST", f"{V2}runs/delete-tag", delete_tag, DeleteTag),
    writes_small("POST", f"{V2}runs/log-inputs", log_inputs, LogInputs),
    writes_small("POST", f"{V2}runs/outputs", log_outputs, LogOutputs),
    writes("POST", f"{V2}runs/log-model", log_model, LogModel),
)
