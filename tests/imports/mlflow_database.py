"""A database as MLflow 3 makes it: the tables that an import reads, and a few of those that it leaves behind."""

from __future__ import annotations

import sqlite3
from pathlib import Path

TABLES = """
CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name VARCHAR(256) UNIQUE NOT NULL,
  artifact_location VARCHAR(256), lifecycle_stage VARCHAR(32), creation_time BIGINT, last_update_time BIGINT,
  workspace VARCHAR(63) NOT NULL DEFAULT 'default');
CREATE TABLE experiment_tags (key VARCHAR(250), value VARCHAR(5000), experiment_id INTEGER,
  PRIMARY KEY (key, experiment_id));
CREATE TABLE runs (run_uuid VARCHAR(32) PRIMARY KEY, name VARCHAR(250), source_type VARCHAR(20),
  source_name VARCHAR(500), entry_point_name VARCHAR(50), user_id VARCHAR(256), status VARCHAR(9), start_time BIGINT,
  end_time BIGINT, deleted_time BIGINT, source_version VARCHAR(50), lifecycle_stage VARCHAR(20),
  artifact_uri VARCHAR(200), experiment_id INTEGER);
CREATE TABLE params (key VARCHAR(250), value VARCHAR(8000) NOT NULL, run_uuid VARCHAR(32), PRIMARY KEY (key, run_uuid));
CREATE TABLE tags (key VARCHAR(250), value VARCHAR(8000), run_uuid VARCHAR(32), PRIMARY KEY (key, run_uuid));
CREATE TABLE metrics (key VARCHAR(250), value FLOAT NOT NULL, timestamp BIGINT, run_uuid VARCHAR(32),
  step BIGINT NOT NULL DEFAULT 0, is_nan BOOLEAN NOT NULL DEFAULT 0,
  PRIMARY KEY (key, timestamp, step, run_uuid, value, is_nan));
CREATE TABLE latest_metrics (key VARCHAR(250), value FLOAT NOT NULL, timestamp BIGINT, step BIGINT NOT NULL,
  is_nan BOOLEAN NOT NULL, run_uuid VARCHAR(32), PRIMARY KEY (key, run_uuid));
CREATE TABLE datasets (dataset_uuid VARCHAR(36), experiment_id INTEGER, name VARCHAR(500), digest VARCHAR(36),
  dataset_source_type VARCHAR(36), dataset_source TEXT, dataset_schema TEXT, dataset_profile TEXT,
  PRIMARY KEY (experiment_id, name, digest));
CREATE TABLE inputs (input_uuid VARCHAR(36), source_type VARCHAR(36), source_id VARCHAR(36),
  destination_type VARCHAR(36), destination_id VARCHAR(36), step BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (source_type, source_id, destination_type, destination_id));
CREATE TABLE input_tags (input_uuid VARCHAR(36), name VARCHAR(255), value VARCHAR(500), PRIMARY KEY (input_uuid, name));
CREATE TABLE logged_models (model_id VARCHAR(36) PRIMARY KEY, experiment_id INTEGER, name VARCHAR(500),
  artifact_location VARCHAR(1000), creation_timestamp_ms BIGINT, last_updated_timestamp_ms BIGINT, status INTEGER,
  lifecycle_stage VARCHAR(32), model_type VARCHAR(500), source_run_id VARCHAR(32), status_message VARCHAR(1000));
CREATE TABLE logged_model_params (model_id VARCHAR(36), experiment_id INTEGER, param_key VARCHAR(255),
  param_value TEXT, PRIMARY KEY (model_id, param_key));
CREATE TABLE logged_model_tags (model_id VARCHAR(36), experiment_id INTEGER, tag_key VARCHAR(255), tag_value TEXT,
  PRIMARY KEY (model_id, tag_key));
CREATE TABLE logged_model_metrics (model_id VARCHAR(36), metric_name VARCHAR(500), metric_timestamp_ms BIGINT,
  metric_step BIGINT, metric_value FLOAT, experiment_id INTEGER, run_id VARCHAR(32), dataset_uuid VARCHAR(36),
  dataset_name VARCHAR(500), dataset_digest VARCHAR(36),
  PRIMARY KEY (model_id, metric_name, metric_timestamp_ms, metric_step, run_id));
CREATE TABLE registered_models (name VARCHAR(256), creation_time BIGINT, last_updated_time BIGINT,
  description VARCHAR(5000), workspace VARCHAR(63) NOT NULL DEFAULT 'default', PRIMARY KEY (workspace, name));
CREATE TABLE registered_model_tags (name VARCHAR(256), key VARCHAR(250), value VARCHAR(5000),
  workspace VARCHAR(63) NOT NULL DEFAULT 'default', PRIMARY KEY (workspace, name, key));
CREATE TABLE registered_model_aliases (alias VARCHAR(256), version INTEGER, name VARCHAR(256),
  workspace VARCHAR(63) NOT NULL DEFAULT 'default', PRIMARY KEY (workspace, name, alias));
CREATE TABLE model_versions (name VARCHAR(256), version INTEGER, creation_time BIGINT, last_updated_time BIGINT,
  description VARCHAR(5000), user_id VARCHAR(256), current_stage VARCHAR(20), source VARCHAR(500), run_id VARCHAR(32),
  status VARCHAR(20), status_message VARCHAR(500), run_link VARCHAR(500), storage_location VARCHAR(500),
  workspace VARCHAR(63) NOT NULL DEFAULT 'default', PRIMARY KEY (workspace, name, version));
CREATE TABLE model_version_tags (name VARCHAR(256), version INTEGER, key VARCHAR(250), value TEXT,
  workspace VARCHAR(63) NOT NULL DEFAULT 'default', PRIMARY KEY (workspace, name, version, key));
CREATE TABLE trace_info (request_id VARCHAR(50) PRIMARY KEY, experiment_id INTEGER);
CREATE TABLE trace_tags (key VARCHAR(250), value VARCHAR(8000), request_id VARCHAR(50), PRIMARY KEY (key, request_id));
CREATE TABLE webhooks (webhook_id VARCHAR(256) PRIMARY KEY, name VARCHAR(256));
CREATE TABLE alembic_version (version_num VARCHAR(32));
"""
OF_MLFLOW_3 = ("logged_model_params", "logged_model_tags", "logged_model_metrics", "logged_models")
"""Tables that MLflow 2 does not have."""
HUGE = 1.7976931348623157e308
"""What MLflow makes of infinity."""


class MlflowDatabase:
    """Fills such a database. Artifacts of runs and models lie in a folder of this machine."""

    def __init__(self, folder: Path, *, prefix: str = "") -> None:
        """`prefix`: two hex digits that tell the ids of this database from those of another."""
        self.path = folder / "mlflow.db"
        self.artifacts = folder / "mlruns"
        self.artifacts.mkdir()
        self.prefix = prefix
        self.connection = sqlite3.connect(self.path)
        self.connection.execute("PRAGMA synchronous=OFF")
        self.connection.executescript(f"BEGIN; {TABLES} COMMIT;")
        self._insert("alembic_version", "x")

    @property
    def url(self) -> str:
        self.connection.commit()
        return f"sqlite:///{self.path}"

    def close(self) -> None:
        self.connection.commit()
        self.connection.close()

    def run_id(self, number: int) -> str:
        return f"{self.prefix}{number:0{32 - len(self.prefix)}x}"

    def model_id(self, number: int) -> str:
        return f"m-{self.run_id(number)}"

    def experiment(self, number: int, name: str, stage: str = "active", **tags: str) -> None:
        location = f"{self.artifacts}/{number}"
        self._insert("experiments", number, name, location, stage, 1000 + number, 2000 + number, "default")
        for key, value in tags.items():
            self._insert("experiment_tags", key, value, number)

    def run(self, number: int, experiment: int, stage: str = "active", status: str = "FINISHED") -> str:
        """A run with a param, two tags and a file."""
        run_id = self.run_id(number)
        uri = f"{self.artifacts}/{experiment}/{run_id}/artifacts"
        deleted = 9000 if stage == "deleted" else None
        times = (5000 + number, 6000 + number, deleted)
        self._insert("runs", run_id, f"run {number}", "", "", "", "ada", status, *times, "", stage, uri, experiment)
        self._insert("params", "depth", str(number), run_id)
        self._insert("tags", "mlflow.runName", f"run {number}", run_id)
        self._insert("tags", "empty", None, run_id)
        self.file(f"{experiment}/{run_id}/artifacts/notes/a b.txt", f"run {number}".encode())
        return run_id

    def points(self, run_id: str, key: str, values: list[float | None], first_step: int = 0) -> None:
        """Points of one key; None is NaN, which MLflow keeps as 0 and a mark."""
        at = range(first_step, first_step + len(values))
        rows = [
            (key, value or 0.0, 7000 + step, run_id, step, value is None)
            for step, value in zip(at, values, strict=True)
        ]
        self.connection.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", rows)
        last = rows[-1]
        self.connection.execute(
            "REPLACE INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, ?, ?, ?)",
            (key, last[1], last[2], last[4], last[5], run_id),
        )

    def dataset(self, experiment: int, run_id: str) -> None:
        self._insert("datasets", "d1", experiment, "toy", "abc", "local", "{}", '{"a": 1}', None)
        self._insert("inputs", f"i-{run_id[:8]}", "DATASET", "d1", "RUN", run_id, 0)
        self._insert("input_tags", f"i-{run_id[:8]}", "mlflow.data.context", "training")

    def model(self, number: int, experiment: int, run_id: str, stage: str = "active", status: int = 2) -> str:
        """A logged model that a run made, with a param, a tag, a metric and an MLmodel file."""
        model_id = self.model_id(number)
        location = f"{self.artifacts}/{experiment}/models/{model_id}/artifacts"
        row = (model_id, experiment, f"model {number}", location, 5500, 5600, status, stage, "", run_id, None)
        self._insert("logged_models", *row)
        self._insert("logged_model_params", model_id, experiment, "C", "1.0")
        self._insert("logged_model_tags", model_id, experiment, "kind", "linear")
        self._insert("logged_model_metrics", model_id, "auc", 7000, 0, 0.9, experiment, run_id, None, "toy", "abc")
        self._insert("inputs", f"o-{model_id[-8:]}", "RUN_OUTPUT", run_id, "MODEL_OUTPUT", model_id, 4)
        self.file(f"{experiment}/models/{model_id}/artifacts/MLmodel", b"flavors: {}\n")
        return model_id

    def version(self, name: str, number: int, experiment: int, model_id: str, run_id: str) -> None:
        location = f"{self.artifacts}/{experiment}/models/{model_id}/artifacts"
        source = f"models:/{model_id}"
        row = (name, number, 8000 + number, 8100, "", "ada", "None", source, run_id, "READY", None, None, location)
        self._insert("model_versions", *row, "default")
        self._insert("model_version_tags", name, number, "checked", "yes", "default")

    def registered(self, name: str, **tags: str) -> None:
        self._insert("registered_models", name, 7500, 7600, f"about {name}", "default")
        for key, value in tags.items():
            self._insert("registered_model_tags", name, key.replace("__", "."), value, "default")

    def file(self, path: str, content: bytes) -> None:
        place = self.artifacts / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)

    def like_mlflow_2(self) -> None:
        """Take away what MLflow 2 does not have."""
        for table in (*OF_MLFLOW_3, "trace_info", "trace_tags", "webhooks"):
            self.connection.execute(f"DROP TABLE {table}")
        for table, column in (("inputs", "step"), ("experiments", "workspace"), ("runs", "deleted_time")):
            self.connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        self.connection.execute("ALTER TABLE model_versions DROP COLUMN storage_location")

    def _insert(self, table: str, *values: object) -> None:
        places = ", ".join("?" * len(values))
        self.connection.execute(f"INSERT INTO {table} VALUES ({places})", values)


def filled(folder: Path, *, prefix: str = "") -> MlflowDatabase:
    """Three experiments (one deleted), five runs (two deleted), two models, three versions and what goes with them."""
    made = MlflowDatabase(folder, prefix=prefix)
    made.experiment(0, "Default")
    made.experiment(101, f"flights {prefix}", team="risk")
    made.experiment(102, f"gone {prefix}", "deleted")
    first, second = made.run(1, 101), made.run(2, 101)
    made.run(3, 101, "deleted")
    made.run(4, 102, "deleted")
    made.run(5, 0, status="RUNNING")
    made.points(first, "loss", [1.0 / (step + 1) for step in range(50)])
    made.points(first, "odd", [None, 2.0, -HUGE])
    made.points(second, "loss", [0.5, None])
    made.dataset(101, first)
    model_id = made.model(1, 101, first)
    made.model(2, 101, second, stage="deleted")
    name = f"late {prefix}"
    made.registered(name, team="risk")
    made.version(name, 1, 101, model_id, first)
    made.version(name, 3, 101, model_id, first)
    redacted = ("Deleted_Internal", "REDACTED-SOURCE-PATH", None, "READY", None, None, None)
    made._insert("model_versions", name, 2, 8002, 8100, None, None, *redacted, "default")
    made._insert("registered_model_aliases", "blue", 3, name, "default")
    made.registered("greeting", mlflow__prompt__is_prompt="true")
    made._insert("trace_info", "tr-1", 101)
    made._insert("trace_tags", "a", "b", "tr-1")
    return made
