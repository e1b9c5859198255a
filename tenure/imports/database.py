"""MLflow's database as a source, read only. Tables and columns that an older release does not have are done without.

What its columns mean is written down here and nowhere else; MLflow itself is not needed.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from tenure.imports import database_registry
from tenure.imports.source import (
    CHUNK_POINTS,
    PROMPT_TAG,
    Files,
    Leftover,
    ModelRead,
    RunRead,
    chunked,
)
from tenure.imports.tables import Tables, address_of, numbers
from tenure.records.imports import (
    ExperimentSent,
    LoggedModelSent,
    Measured,
    ModelLink,
    ModelPoint,
    RunSent,
    Series,
)
from tenure.records.tracking import Dataset, DatasetInput, KeyValue

CHUNK_RUNS = 200
MODEL_STATUSES = {1: "PENDING", 2: "READY", 3: "FAILED"}
DEFAULT_WORKSPACE = "default"
MOVED = frozenset(
    {
        "experiments",
        "experiment_tags",
        "runs",
        "params",
        "tags",
        "metrics",
        "latest_metrics",
        "datasets",
        "inputs",
        "input_tags",
        "logged_models",
        "logged_model_params",
        "logged_model_tags",
        "logged_model_metrics",
        "registered_models",
        "registered_model_tags",
        "registered_model_aliases",
        "model_versions",
        "model_version_tags",
    }
)
SILENT = frozenset(
    {
        "alembic_version",
        "alembic_version_basic_auth",
        "job_locks",
        "scheduler_leases",
        "workspaces",
        "webhook_events",
        "spans",
        "span_metrics",
        "trace_metrics",
        "trace_request_metadata",
        "trace_tags",
    }
)
"""Tables that hold nothing of anybody's, or parts of what another table counts."""
WORDS = {
    "trace_info": "traces",
    "evaluation_datasets": "GenAI evaluation datasets",
    "users": "users",
    "webhooks": "webhooks (their secrets cannot be read)",
    "jobs": "background jobs",
    "scorers": "GenAI scorers",
    "secrets": "gateway secrets",
    "endpoints": "gateway endpoints",
}


class DatabaseSource:
    """`url` as MLflow's --backend-store-uri has it; `files` knows where artifacts lie."""

    def __init__(self, url: str, files: Files, *, workspace: str = DEFAULT_WORKSPACE) -> None:
        self.address = address_of(url)
        self.files = files
        self._tables = Tables(url, workspace)

    def close(self) -> None:
        self._tables.close()

    def experiments(self) -> list[ExperimentSent]:
        tags: dict[str, dict[str, str]] = {}
        for row in self._tables.rows("experiment_tags", {"experiment_id": None, "key": None, "value": ""}):
            tags.setdefault(str(row.experiment_id), {})[row.key] = row.value or ""
        columns = {
            "experiment_id": None,
            "name": None,
            "artifact_location": "",
            "lifecycle_stage": "active",
            "creation_time": 0,
            "last_update_time": 0,
        }
        return [
            ExperimentSent(
                source_id=str(row.experiment_id),
                name=row.name,
                artifact_location=row.artifact_location or "",
                lifecycle_stage="deleted" if row.lifecycle_stage == "deleted" else "active",
                creation_time=row.creation_time or 0,
                last_update_time=row.last_update_time or row.creation_time or 0,
                tags=tags.get(str(row.experiment_id), {}),
            )
            for row in self._tables.rows(
                "experiments", columns, self._tables.of_workspace("experiments"), order="experiment_id"
            )
        ]

    def count_runs(self, experiment_ids: Collection[str]) -> int | None:
        return self._tables.count("runs", sa.column("experiment_id").in_(numbers(experiment_ids)))

    def runs(self, experiment_ids: Sequence[str]) -> Iterator[list[RunRead]]:
        columns = {
            "run_uuid": None,
            "experiment_id": None,
            "name": "",
            "user_id": "",
            "status": "FINISHED",
            "start_time": 0,
            "end_time": None,
            "deleted_time": None,
            "lifecycle_stage": "active",
            "artifact_uri": "",
        }
        chosen = sa.column("experiment_id").in_(numbers(experiment_ids))
        after = ""
        while True:
            behind = sa.and_(chosen, sa.column("run_uuid") > after)
            rows = self._tables.rows("runs", columns, behind, order="run_uuid", limit=CHUNK_RUNS)
            if not rows:
                return
            yield self._whole_runs(rows)
            after = rows[-1].run_uuid

    def _whole_runs(self, rows: Sequence[Any]) -> list[RunRead]:
        ids = [row.run_uuid for row in rows]
        of_runs = sa.column("run_uuid").in_(ids)
        params, tags = self._tables.pairs("params", of_runs), self._tables.pairs("tags", of_runs)
        latest = self._latest(of_runs)
        datasets, read, made = self._datasets(ids), self._links(ids, "RUN_INPUT"), self._links(ids, "RUN_OUTPUT")
        counted = self._tables.counted("metrics", "run_uuid", of_runs)
        found = []
        for row in rows:
            run_id = row.run_uuid
            sent = RunSent(
                run_id=run_id,
                experiment_id=str(row.experiment_id),
                name=row.name or tags.get(run_id, {}).get("mlflow.runName", ""),
                user_id=row.user_id or "",
                status=row.status or "FINISHED",
                start_time=row.start_time or 0,
                end_time=row.end_time,
                deleted_time=row.deleted_time,
                lifecycle_stage="deleted" if row.lifecycle_stage == "deleted" else "active",
                artifact_uri=row.artifact_uri or "",
                params=params.get(run_id, {}),
                tags=tags.get(run_id, {}),
                datasets=datasets.get(run_id, []),
                models_read=read.get(run_id, []),
                models_made=made.get(run_id, []),
            )
            found.append(RunRead(sent, latest.get(run_id, {}), counted.get(run_id, 0)))
        return found

    def points(self, runs: Sequence[RunRead]) -> Iterator[list[Series]]:
        wanted = [run.sent.run_id for run in runs if run.points]
        if wanted:
            yield from chunked(self._points(wanted))

    def _points(self, run_ids: Sequence[str]) -> Iterator[tuple[str, str, Any, int, int]]:
        columns = {"run_uuid": None, "key": None, "value": None, "timestamp": 0, "step": 0, "is_nan": False}
        rows = self._tables.stream("metrics", columns, sa.column("run_uuid").in_(run_ids), CHUNK_POINTS)
        for run_id, key, value, timestamp, step, is_nan in rows:
            yield run_id, key, None if is_nan else told(value), timestamp, step

    def logged_models(self, experiment_ids: Sequence[str]) -> Iterator[list[LoggedModelSent]]:
        columns = {
            "model_id": None,
            "experiment_id": None,
            "name": "",
            "artifact_location": "",
            "creation_timestamp_ms": 0,
            "last_updated_timestamp_ms": 0,
            "status": 1,
            "lifecycle_stage": "active",
            "model_type": None,
            "source_run_id": None,
            "status_message": None,
        }
        chosen = sa.column("experiment_id").in_(numbers(experiment_ids))
        after = ""
        while True:
            behind = sa.and_(chosen, sa.column("model_id") > after)
            rows = self._tables.rows("logged_models", columns, behind, order="model_id", limit=CHUNK_RUNS)
            if not rows:
                return
            yield self._whole_models(rows)
            after = rows[-1].model_id

    def deleted_models(self) -> list[LoggedModelSent]:
        return []  # a database tells all of them at once

    def _whole_models(self, rows: Sequence[Any]) -> list[LoggedModelSent]:
        of_models = sa.column("model_id").in_([row.model_id for row in rows])
        params = self._tables.pairs("logged_model_params", of_models, "model_id", "param_key", "param_value")
        tags = self._tables.pairs("logged_model_tags", of_models, "model_id", "tag_key", "tag_value")
        points: dict[str, list[ModelPoint]] = {}
        columns = {
            "model_id": None,
            "metric_name": None,
            "metric_timestamp_ms": 0,
            "metric_step": 0,
            "metric_value": None,
            "run_id": "",
            "dataset_name": None,
            "dataset_digest": None,
        }
        for row in self._tables.rows("logged_model_metrics", columns, of_models):
            points.setdefault(row.model_id, []).append(
                ModelPoint(
                    key=row.metric_name,
                    value=told(row.metric_value),
                    timestamp=row.metric_timestamp_ms,
                    step=row.metric_step,
                    run_id=row.run_id,
                    dataset_name=row.dataset_name,
                    dataset_digest=row.dataset_digest,
                )
            )
        return [
            LoggedModelSent(
                model_id=row.model_id,
                experiment_id=str(row.experiment_id),
                name=row.name,
                artifact_location=row.artifact_location,
                creation_time=row.creation_timestamp_ms,
                last_update_time=row.last_updated_timestamp_ms,
                status=MODEL_STATUSES.get(row.status, "PENDING"),  # type: ignore[arg-type]  # the table above
                lifecycle_stage="deleted" if row.lifecycle_stage == "deleted" else "active",
                status_message=row.status_message,
                model_type=row.model_type,
                source_run_id=row.source_run_id,
                params=params.get(row.model_id, {}),
                tags=tags.get(row.model_id, {}),
                points=points.get(row.model_id, []),
            )
            for row in rows
        ]

    def registered_models(self) -> list[ModelRead]:
        return database_registry.registered_models(self._tables)

    def totals(self, experiment_ids: Collection[str]) -> dict[str, int]:
        chosen = sa.column("experiment_id").in_(numbers(experiment_ids))
        found = {
            "runs": self._tables.count("runs", chosen),
            "logged models": self._tables.count("logged_models", chosen),
        }
        runs: Any = sa.select(sa.column("run_uuid")).select_from(sa.table("runs")).where(chosen)
        for what, table in (
            ("params", "params"),
            ("tags", "tags"),
            ("metric points", "metrics"),
            ("latest values", "latest_metrics"),
        ):
            found[what] = self._tables.count(table, sa.column("run_uuid").in_(runs))
        for what in ("params", "tags", "metrics"):
            found[f"logged model {what}"] = self._tables.count(f"logged_model_{what}", chosen)
        return found

    def leftovers(self) -> list[Leftover]:
        found = []
        prompts = sa.and_(sa.column("key") == PROMPT_TAG, sa.func.lower(sa.column("value")) == "true")
        names = [row.name for row in self._tables.rows("registered_model_tags", {"name": None}, prompts, order="name")]
        if names:
            found.append(Leftover("prompts", len(names), names[:3]))
        for table in sorted(self._tables.columns.keys() - MOVED - SILENT):
            count = self._tables.count(table)
            if count:
                found.append(Leftover(WORDS.get(table, f"rows of the table {table}"), count))
        for table, what in (("experiments", "experiments"), ("registered_models", "registered models")):
            if "workspace" in self._tables.columns.get(table, ()):
                count = self._tables.count(table, sa.column("workspace") != self._tables.workspace)
                if count:
                    found.append(Leftover(f"{what} of other workspaces than {self._tables.workspace!r}", count))
        return found

    def _latest(self, of_runs: Any) -> dict[str, dict[str, Any]]:
        columns = {"run_uuid": None, "key": None, "value": None, "timestamp": 0, "step": 0, "is_nan": False}
        found: dict[str, dict[str, Any]] = {}
        for run_id, key, value, timestamp, step, is_nan in self._tables.rows("latest_metrics", columns, of_runs):
            found.setdefault(run_id, {})[key] = [step, timestamp, None if is_nan else told(value)]
        return found

    def _datasets(self, run_ids: Sequence[str]) -> dict[str, list[DatasetInput]]:
        """Datasets that runs read: a row of `inputs` leads from a dataset to a run."""
        edges = {"input_uuid": None, "source_id": None, "destination_id": None}
        of_runs = sa.and_(
            sa.column("source_type") == "DATASET",
            sa.column("destination_type") == "RUN",
            sa.column("destination_id").in_(run_ids),
        )
        rows = self._tables.rows("inputs", edges, of_runs, order="input_uuid")
        if not rows:
            return {}
        kinds = ("name", "digest", "dataset_source_type", "dataset_source", "dataset_schema", "dataset_profile")
        columns = {"dataset_uuid": None, **dict.fromkeys(kinds)}
        wanted = sa.column("dataset_uuid").in_({row.source_id for row in rows})
        known = {
            row.dataset_uuid: Dataset(
                name=row.name,
                digest=row.digest,
                source_type=row.dataset_source_type or "",
                source=row.dataset_source or "",
                schema=row.dataset_schema,
                profile=row.dataset_profile,
            )
            for row in self._tables.rows("datasets", columns, wanted)
        }
        of_edges = sa.column("input_uuid").in_([row.input_uuid for row in rows])
        tags = self._tables.pairs("input_tags", of_edges, "input_uuid", "name")
        found: dict[str, list[DatasetInput]] = {}
        for row in rows:
            if row.source_id in known:
                labels = [KeyValue(key=key, value=text) for key, text in tags.get(row.input_uuid, {}).items()]
                found.setdefault(row.destination_id, []).append(DatasetInput(dataset=known[row.source_id], tags=labels))
        return found

    def _links(self, run_ids: Sequence[str], kind: str) -> dict[str, list[ModelLink]]:
        """Logged models that runs read (RUN_INPUT) or made (RUN_OUTPUT): here the run is the source of the edge."""
        columns = {"source_id": None, "destination_id": None, "step": 0}
        of_runs = sa.and_(sa.column("source_type") == kind, sa.column("source_id").in_(run_ids))
        found: dict[str, list[ModelLink]] = {}
        for row in self._tables.rows("inputs", columns, of_runs, order="destination_id"):
            found.setdefault(row.source_id, []).append(ModelLink(model_id=row.destination_id, step=row.step or 0))
        return found


def told(value: float | None) -> Measured:
    """A metric's value for the wire: NaN and NULL as None, the infinities by name."""
    if value is None or math.isnan(value):
        return None
    return float(value) if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")
