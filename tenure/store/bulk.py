"""Many rows at once, as an import brings them.

What is there already is left alone or brought up to date, never doubled.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from tenure.records.imports import (
    ExperimentSent,
    LoggedModelSent,
    Measured,
    RegisteredModelSent,
    RunSent,
    Series,
    VersionSent,
)
from tenure.records.registry import Pinned
from tenure.records.tracking import MetricPoint
from tenure.store import driver, experiments, metrics
from tenure.store.database import Transaction
from tenure.store.model_versions import DELETED

Pairs = Iterable[tuple[str | int, Mapping[str, str]]]
"""Owner and its key-value pairs."""

PUT_RUN = (
    "INSERT INTO runs (run_id, experiment_id, name, user_id, status, start_time, end_time, artifact_uri,"
    " lifecycle_stage, deleted_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id) DO UPDATE SET"
    " name = excluded.name, user_id = excluded.user_id, status = excluded.status, start_time = excluded.start_time,"
    " end_time = excluded.end_time, lifecycle_stage = excluded.lifecycle_stage, deleted_time = excluded.deleted_time"
    " WHERE runs.lifecycle_stage != 'gone'"
)
PUT_LOGGED_MODEL = (
    "INSERT INTO logged_models (model_id, experiment_id, name, artifact_location, creation_time, last_update_time,"
    " status, status_message, model_type, source_run_id, lifecycle_stage) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (model_id) DO UPDATE SET last_update_time = excluded.last_update_time, status = excluded.status,"
    " status_message = excluded.status_message, lifecycle_stage = excluded.lifecycle_stage"
    " WHERE logged_models.lifecycle_stage != 'gone'"
)
ADD_MODEL_POINT = (
    "INSERT INTO logged_model_metrics (model_id, key, timestamp, step, run_id, value, dataset_name, dataset_digest)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
PUT_VERSION = (
    "INSERT INTO model_versions (name, version, description, user_id, current_stage, source, storage_location, run_id,"
    " run_link, model_id, status, status_message, creation_time, last_updated_time, state, digest, signature)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'registered', ?, ?)"
)


def add_experiment(tx: Transaction, sent: ExperimentSent, identifier: int | None, root: str) -> int:
    """Add an experiment, under this id when one is given. Without a location it lies at `root` and its id."""
    row = (sent.name, sent.artifact_location, sent.lifecycle_stage, sent.creation_time, sent.last_update_time)
    columns = "name, artifact_location, lifecycle_stage, creation_time, last_update_time"
    given = identifier is not None
    identifier = experiments.next_id(tx) if identifier is None else identifier
    statement = f"INSERT INTO experiments (experiment_id, {columns}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608 - a constant
    driver.execute(tx, statement, (identifier, *row))
    if given and tx.dialect.name == "postgresql":  # its counter does not see ids that are given
        counter = "pg_get_serial_sequence('experiments', 'experiment_id')"
        statement = f"SELECT setval({counter}, GREATEST(nextval({counter}), MAX(experiment_id))) FROM experiments"  # noqa: S608 - a constant
        driver.execute(tx, statement)
    if not sent.artifact_location:
        statement = "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?"
        driver.execute(tx, statement, (f"{root}{identifier}", identifier))
    return identifier


def put_runs(tx: Transaction, runs: Iterable[tuple[RunSent, int]], now_ms: int) -> None:
    """Runs with the number of their experiment here. A run that is here keeps where its artifacts lie."""
    rows = [
        (
            run.run_id,
            experiment_id,
            run.name,
            run.user_id,
            run.status,
            run.start_time,
            run.end_time,
            run.artifact_uri,
            run.lifecycle_stage,
            (run.deleted_time or now_ms) if run.lifecycle_stage == "deleted" else None,
        )
        for run, experiment_id in runs
    ]
    driver.execute_many(tx, PUT_RUN, rows)


def put_pairs(tx: Transaction, table: str, owner: str, pairs: Pairs) -> None:
    """Key-value pairs of many owners; a value that differs is replaced."""
    statement = (
        f"INSERT INTO {table} ({owner}, key, value) VALUES (?, ?, ?)"  # noqa: S608 - a table and a column of ours
        f" ON CONFLICT ({owner}, key) DO UPDATE SET value = excluded.value"
    )
    rows = [(who, key, value) for who, values in pairs for key, value in values.items()]
    driver.execute_many(tx, statement, rows)


def put_version_tags(tx: Transaction, name: str, version: int, tags: Mapping[str, str]) -> None:
    driver.execute_many(
        tx,
        "INSERT INTO model_version_tags (name, version, key, value) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (name, version, key) DO UPDATE SET value = excluded.value",
        [(name, version, key, value) for key, value in tags.items()],
    )


def add_series(tx: Transaction, series: Sequence[Series]) -> None:
    """Points as columns. A point that is here already is left alone; the latest of each key is kept as ever."""
    of_runs: dict[str, list[MetricPoint]] = {}
    for one in series:
        points = of_runs.setdefault(one.run_id, [])
        for told, at, step in zip(one.values, one.timestamps, one.steps, strict=True):
            point = MetricPoint(
                key=one.key,
                value=math.nan if told is None else float(told),
                timestamp=at,
                step=step,
                model_id=one.model_id,
                dataset_name=one.dataset_name,
                dataset_digest=one.dataset_digest,
            )
            points.append(point)
    for run_id in sorted(of_runs):  # in one order, so that no two transactions wait for each other
        metrics.add(tx, run_id, of_runs[run_id])


def measured(told: Measured) -> float | None:
    """A value as it is kept: NaN as NULL.

    >>> measured("NaN"), measured("-Infinity"), measured(1)
    (None, -inf, 1.0)
    """
    value = None if told is None else float(told)
    return None if value is None or value != value else value  # noqa: PLR0124 - true for NaN alone


def put_logged_models(tx: Transaction, models: Sequence[tuple[LoggedModelSent, int]]) -> None:
    """Logged models with the number of their experiment here, and all that belongs to them."""
    rows = [
        (
            one.model_id,
            experiment_id,
            one.name,
            one.artifact_location,
            one.creation_time,
            one.last_update_time,
            one.status,
            one.status_message,
            one.model_type,
            one.source_run_id,
            one.lifecycle_stage,
        )
        for one, experiment_id in models
    ]
    driver.execute_many(tx, PUT_LOGGED_MODEL, rows)
    put_pairs(tx, "logged_model_params", "model_id", ((one.model_id, one.params) for one, _ in models))
    put_pairs(tx, "logged_model_tags", "model_id", ((one.model_id, one.tags) for one, _ in models))
    points = [
        (
            one.model_id,
            point.key,
            point.timestamp,
            point.step,
            point.run_id,
            measured(point.value),
            point.dataset_name,
            point.dataset_digest,
        )
        for one, _ in models
        for point in one.points
    ]
    driver.execute_many(tx, ADD_MODEL_POINT, points)


def add_registered_model(tx: Transaction, sent: RegisteredModelSent) -> bool:
    """Add a model unless one of that name is here; whether it was added."""
    done = driver.execute(
        tx,
        "INSERT INTO registered_models (name, description, creation_time, last_updated_time) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (sent.name, sent.description, sent.creation_time, sent.last_updated_time),
    )
    return bool(done.rowcount)


def add_version(tx: Transaction, sent: VersionSent, pinned: Pinned) -> None:
    """Add a version under its own number, with the files that were pinned for it."""
    row = (
        sent.name,
        sent.version,
        sent.description,
        sent.user_id,
        DELETED if sent.deleted else sent.current_stage,
        sent.source,
        sent.storage_location,
        sent.run_id,
        sent.run_link,
        sent.model_id,
        sent.status,
        sent.status_message,
        sent.creation_time,
        sent.last_updated_time,
        pinned.digest or None,
        pinned.signature,
    )
    driver.execute(tx, PUT_VERSION, row)
    _pin(tx, sent, pinned)


def pin_version(tx: Transaction, sent: VersionSent, pinned: Pinned) -> bool:
    """Pin the files of a version that has none yet, and say where they lie; whether that was so."""
    done = driver.execute(
        tx,
        "UPDATE model_versions SET storage_location = ?, digest = ?, signature = ?"
        " WHERE name = ? AND version = ? AND digest IS NULL",
        (sent.storage_location, pinned.digest, pinned.signature, sent.name, sent.version),
    )
    if done.rowcount:
        _pin(tx, sent, pinned)
    return bool(done.rowcount)


def _pin(tx: Transaction, sent: VersionSent, pinned: Pinned) -> None:
    driver.execute_many(
        tx,
        "INSERT INTO version_files (name, version, path, size_bytes, sha256) VALUES (?, ?, ?, ?, ?)",
        [(sent.name, sent.version, file.path, file.size_bytes, file.sha256) for file in pinned.files],
    )


def relocate(tx: Transaction, table: str, key: str, places: Iterable[tuple[str, str]]) -> None:
    """Say where artifacts lie now: (id, location) each."""
    column = "artifact_uri" if table == "runs" else "artifact_location"
    statement = f"UPDATE {table} SET {column} = ? WHERE {key} = ?"  # noqa: S608 - a table and columns of ours
    driver.execute_many(tx, statement, [(location, who) for who, location in places])
