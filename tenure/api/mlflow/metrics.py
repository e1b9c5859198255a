"""Routes about metrics, and the batch that carries params and tags too."""

from __future__ import annotations

import msgspec

from tenure.api.mlflow.routes import V2, Asked, reads, writes_small
from tenure.api.mlflow.runs import Named, named
from tenure.build import metrics
from tenure.records.base import Record
from tenure.records.tracking import Int64, KeyValue, Metric, MetricPoint, Number, Part
from tenure.store.database import Transaction


class LogMetric(MetricPoint):
    run_uuid: str | None = None


class LogBatch(Named):
    metrics: list[MetricPoint] = []
    params: list[KeyValue] = []
    tags: list[KeyValue] = []


class GetHistory(Named):
    metric_key: str | None = None
    page_token: str | None = None
    max_results: Int64 | None = None


class GetBulk(msgspec.Struct):
    """`run_id` is sent once for each run."""

    run_id: list[str] = []
    metric_key: str | None = None
    max_results: Int64 | None = None


class GetSampled(msgspec.Struct):
    run_ids: list[str] = []
    metric_key: str | None = None
    start_step: Int64 | None = None
    end_step: Int64 | None = None
    max_results: Int64 | None = None


class History(Part):
    metrics: list[Metric] = []
    next_page_token: str | None = None


class BulkPoint(Record):
    key: str
    value: Number
    timestamp: int
    step: int
    run_id: str


class BulkHistory(Record):
    """Told in full, also when it is empty: MLflow's page reads it without asking."""

    metrics: list[BulkPoint]


def log_metric(tx: Transaction, sent: LogMetric, _asked: Asked) -> None:
    metrics.log(tx, sent.run_id or sent.run_uuid, sent)


def log_batch(tx: Transaction, sent: LogBatch, asked: Asked) -> None:
    metrics.log_batch(tx, named(sent), sent.metrics, sent.params, sent.tags, cut=asked.cut)


def get_history(tx: Transaction, sent: GetHistory, _asked: Asked) -> History:
    found, token = metrics.history(
        tx, named(sent), sent.metric_key, max_results=sent.max_results, page_token=sent.page_token
    )
    return History(metrics=found, next_page_token=token)


def get_bulk(tx: Transaction, sent: GetBulk, _asked: Asked) -> BulkHistory:
    found = metrics.histories(tx, sent.run_id, sent.metric_key, max_results=sent.max_results)
    return BulkHistory(
        metrics=[
            BulkPoint(key=one.key, value=one.value, timestamp=one.timestamp, step=one.step or 0, run_id=run_id)
            for run_id, one in found
        ]
    )


def get_sampled(tx: Transaction, sent: GetSampled, _asked: Asked) -> History:
    found = metrics.sampled(
        tx,
        sent.run_ids,
        sent.metric_key,
        start_step=sent.start_step,
        end_step=sent.end_step,
        max_results=sent.max_results,
    )
    return History(metrics=found)


ROUTES = (
    writes_small("POST", f"{V2}runs/log-metric", log_metric, LogMetric),
    writes_small("POST", f"{V2}runs/log-batch", log_batch, LogBatch),
    reads("GET", f"{V2}metrics/get-history", get_history, GetHistory),
    reads("GET", f"{V2}metrics/get-history-bulk", get_bulk, GetBulk),
    reads("GET", f"{V2}metrics/get-history-bulk-interval", get_sampled, GetSampled),
)
