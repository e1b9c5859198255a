"""Logged models: what a run or a person made, with its params, tags and metrics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from tenure.records.search import Comparison, Ordering
from tenure.records.tracking import (
    KeyValue,
    LoggedModel,
    LoggedModelData,
    LoggedModelInfo,
    Metric,
    Registration,
    number,
)
from tenure.store import conditions, driver, tables
from tenure.store.database import Transaction

COLUMN = tables.logged_models.c
CHUNK = 500
STATUS_NAMES = {
    "PENDING": "LOGGED_MODEL_PENDING",
    "READY": "LOGGED_MODEL_READY",
    "FAILED": "LOGGED_MODEL_UPLOAD_FAILED",
}
NAMES = {
    "creation_timestamp": "creation_time",
    "last_updated_timestamp": "last_update_time",
    "artifact_location": "artifact_location",
}


class NewLoggedModel(NamedTuple):
    model_id: str
    experiment_id: int
    name: str
    artifact_location: str
    created_ms: int
    model_type: str | None
    source_run_id: str | None


class DatasetScope(NamedTuple):
    """Only metrics on this dataset count: without a digest on any version of it, without a name on whatever has it."""

    name: str | None
    digest: str | None


def insert(tx: Transaction, model: NewLoggedModel) -> None:
    driver.execute(
        tx,
        "INSERT INTO logged_models (model_id, experiment_id, name, artifact_location, creation_time, last_update_time,"
        " status, model_type, source_run_id, lifecycle_stage) VALUES (?, ?, ?, ?, ?, ?, 'PENDING', ?, ?, 'active')",
        (*model[:5], model.created_ms, model.model_type, model.source_run_id),
    )


def get(tx: Transaction, model_id: str, *, deleted_too: bool = False) -> LoggedModel | None:
    stages = ("active", "deleted") if deleted_too else ("active",)
    found = get_many(tx, [model_id], stages)
    return found[0] if found else None


def tags_of(tx: Transaction, model_id: str) -> dict[str, str]:
    """The tags of a model that was not deleted; none of any other."""
    rows = driver.execute(
        tx,
        "SELECT t.key, t.value FROM logged_model_tags t JOIN logged_models m ON m.model_id = t.model_id"
        " WHERE t.model_id = ? AND m.lifecycle_stage = 'active'",
        (model_id,),
    )
    return dict(rows.fetchall())


class Placed(NamedTuple):
    model_id: str
    artifact_location: str


def of_run(tx: Transaction, run_id: str, name: str) -> Placed | None:
    """Where the newest model lies that a run logged under a name."""
    found = driver.execute(
        tx,
        "SELECT model_id, artifact_location FROM logged_models WHERE source_run_id = ? AND name = ?"
        " AND lifecycle_stage = 'active' ORDER BY creation_time DESC, model_id LIMIT 1",
        (run_id, name),
    ).fetchone()
    return Placed(*found) if found else None


def set_status(tx: Transaction, model_id: str, status: str, now_ms: int) -> None:
    driver.execute(
        tx,
        "UPDATE logged_models SET status = ?, last_update_time = ? WHERE model_id = ?",
        (status, now_ms, model_id),
    )


def delete(tx: Transaction, model_id: str, now_ms: int) -> None:
    driver.execute(
        tx,
        "UPDATE logged_models SET lifecycle_stage = 'deleted', last_update_time = ? WHERE model_id = ?",
        (now_ms, model_id),
    )


def params_of(tx: Transaction, model_id: str) -> dict[str, str]:
    rows = driver.execute(tx, "SELECT key, value FROM logged_model_params WHERE model_id = ?", (model_id,))
    return dict(rows.fetchall())


def add_params(tx: Transaction, model_id: str, params: Iterable[tuple[str, str]]) -> None:
    driver.execute_many(
        tx,
        "INSERT INTO logged_model_params (model_id, key, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [(model_id, key, value) for key, value in params],
    )


def set_tags(tx: Transaction, model_id: str, tags: Iterable[tuple[str, str]]) -> None:
    driver.execute_many(
        tx,
        "INSERT INTO logged_model_tags (model_id, key, value) VALUES (?, ?, ?)"
        " ON CONFLICT (model_id, key) DO UPDATE SET value = excluded.value",
        [(model_id, key, value) for key, value in tags],
    )


def tag(tx: Transaction, model_id: str, key: str) -> str | None:
    statement = "SELECT value FROM logged_model_tags WHERE model_id = ? AND key = ?"
    found = driver.execute(tx, statement, (model_id, key)).fetchone()
    return found[0] if found else None


def delete_tag(tx: Transaction, model_id: str, key: str) -> bool:
    """Whether the tag was there."""
    done = driver.execute(tx, "DELETE FROM logged_model_tags WHERE model_id = ? AND key = ?", (model_id, key))
    return bool(done.rowcount)


def search(
    tx: Transaction,
    experiment_ids: Sequence[int],
    comparisons: Sequence[Comparison],
    scopes: Sequence[DatasetScope],
    orderings: Sequence[Ordering],
    limit: int,
    offset: int,
) -> list[LoggedModel]:
    """Models for which every comparison holds; a metric is its latest point, on one of `scopes` when there are any."""
    if not experiment_ids:
        return []
    query = sa.select(COLUMN.model_id).where(
        COLUMN.experiment_id.in_(experiment_ids), COLUMN.lifecycle_stage == "active"
    )
    for one in comparisons:
        query = query.where(_condition(tx, one, scopes))
    if scopes and not any(one.entity == "metric" for one in comparisons):
        points = tables.logged_model_metrics.alias()
        query = query.where(
            sa.select(sa.literal(1)).where(points.c.model_id == COLUMN.model_id, _on(points, scopes)).exists()
        )
    order: list[sa.ColumnElement[Any]] = []
    for item in orderings:
        order += _order(item)
    order += [COLUMN.creation_time.desc(), COLUMN.model_id.asc()]
    found = list(tx.scalars(query.order_by(*order).limit(limit).offset(offset)))
    return get_many(tx, found, ("active",))


def _condition(tx: Transaction, one: Comparison, scopes: Sequence[DatasetScope]) -> conditions.Condition:
    if one.entity == "metric":
        latest = _latest(one.key, scopes)
        return sa.and_(latest.exists(), conditions.measured(tx, latest.scalar_subquery(), one))
    if one.entity in ("param", "tag"):
        table = tables.logged_model_params if one.entity == "param" else tables.logged_model_tags
        return conditions.keyed(tx, table, table.c.model_id == COLUMN.model_id, one)
    if one.key == "experiment_id":
        return conditions.compared(tx, sa.cast(COLUMN.experiment_id, sa.Text), one)
    return conditions.compared(tx, COLUMN[NAMES.get(one.key, one.key)], one)


def _order(item: Ordering) -> list[sa.ColumnElement[Any]]:
    if item.entity == "attribute":
        return conditions.ordered(COLUMN[NAMES.get(item.key, item.key)], ascending=item.ascending)
    scope = DatasetScope(item.dataset_name, item.dataset_digest)
    latest = _latest(item.key, [scope] if any(scope) else [])
    value = latest.scalar_subquery()
    missing = sa.case((~latest.exists(), 2), (value.is_(None), 1), else_=0)
    return [missing, value.asc() if item.ascending else value.desc()]


def _latest(key: str, scopes: Sequence[DatasetScope]) -> sa.Select[Any]:
    """The value of the latest point of a key of the model in question."""
    points = tables.logged_model_metrics.alias()
    return (
        sa.select(points.c.value)
        .where(points.c.model_id == COLUMN.model_id, points.c.key == key, _on(points, scopes))
        .order_by(points.c.step.desc(), points.c.timestamp.desc(), sa.func.coalesce(points.c.value, 0.0).desc())
        .limit(1)
        .correlate(tables.logged_models)
    )


def _on(points: Any, scopes: Sequence[DatasetScope]) -> conditions.Condition:
    columns = (points.c.dataset_name, points.c.dataset_digest)
    either = [
        sa.and_(*(column == part for column, part in zip(columns, scope, strict=True) if part)) for scope in scopes
    ]
    return sa.or_(*either) if either else sa.true()


def get_many(tx: Transaction, model_ids: Sequence[str], stages: Sequence[str]) -> list[LoggedModel]:
    """Models with all that belongs to them, in the order of the ids."""
    found: list[LoggedModel] = []
    for start in range(0, len(model_ids), CHUNK):
        found += _chunk(tx, model_ids[start : start + CHUNK], stages)
    return found


def _chunk(tx: Transaction, model_ids: Sequence[str], stages: Sequence[str]) -> list[LoggedModel]:
    query = sa.select(tables.logged_models).where(COLUMN.model_id.in_(model_ids), COLUMN.lifecycle_stage.in_(stages))
    rows = {row.model_id: row for row in tx.execute(query)}
    tags = _key_values(tx, tables.logged_model_tags, list(rows))
    params = _key_values(tx, tables.logged_model_params, list(rows))
    metrics = _metrics(tx, list(rows))
    versions = _registrations(tx, list(rows))
    return [
        LoggedModel(
            info=_info(rows[model_id], tags[model_id], versions[model_id]),
            data=LoggedModelData(params=params[model_id], metrics=metrics[model_id]),
        )
        for model_id in model_ids
        if model_id in rows
    ]


def _info(row: Any, tags: list[KeyValue], versions: list[Registration]) -> LoggedModelInfo:
    return LoggedModelInfo(
        model_id=row.model_id,
        experiment_id=str(row.experiment_id),
        name=row.name,
        creation_timestamp_ms=row.creation_time,
        last_updated_timestamp_ms=row.last_update_time,
        artifact_uri=row.artifact_location,
        status=STATUS_NAMES[row.status],
        model_type=row.model_type,
        source_run_id=row.source_run_id,
        status_message=row.status_message,
        tags=tags,
        registrations=versions,
    )


def _key_values(tx: Transaction, table: sa.Table, model_ids: list[str]) -> dict[str, list[KeyValue]]:
    found: dict[str, list[KeyValue]] = {model_id: [] for model_id in model_ids}
    query = sa.select(table).where(table.c.model_id.in_(model_ids)).order_by(table.c.key)
    for row in tx.execute(query) if model_ids else ():
        found[row.model_id].append(KeyValue(key=row.key, value=row.value))
    return found


def _metrics(tx: Transaction, model_ids: list[str]) -> dict[str, list[Metric]]:
    """The latest point of each key, on each dataset apart."""
    found: dict[str, dict[Any, Metric]] = {model_id: {} for model_id in model_ids}
    table = tables.logged_model_metrics
    order = (table.c.key, table.c.step, table.c.timestamp, sa.func.coalesce(table.c.value, 0.0))
    query = sa.select(table).where(table.c.model_id.in_(model_ids)).order_by(*order)
    for row in tx.execute(query) if model_ids else ():
        found[row.model_id][row.key, row.dataset_name, row.dataset_digest] = Metric(
            key=row.key,
            value=number(row.value),
            timestamp=row.timestamp,
            step=row.step,
            dataset_name=row.dataset_name,
            dataset_digest=row.dataset_digest,
            model_id=row.model_id,
            run_id=row.run_id,
        )
    return {model_id: list(points.values()) for model_id, points in found.items()}


def _registrations(tx: Transaction, model_ids: list[str]) -> dict[str, list[Registration]]:
    found: dict[str, list[Registration]] = {model_id: [] for model_id in model_ids}
    column = tables.model_versions.c
    query = sa.select(column.model_id, column.name, column.version).where(column.model_id.in_(model_ids))
    for row in tx.execute(query.order_by(column.name, column.version)) if model_ids else ():
        found[row.model_id].append(Registration(name=row.name, version=str(row.version)))
    return found
