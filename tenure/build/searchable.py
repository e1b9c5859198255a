"""What each noun may be searched and ordered by, as data."""

from __future__ import annotations

from tenure.build.search import LISTS, TEXTS, Grammar

RUNS = Grammar(
    entities={
        "metric": "metric",
        "metrics": "metric",
        "param": "param",
        "params": "param",
        "parameter": "param",
        "parameters": "param",
        "tag": "tag",
        "tags": "tag",
        "dataset": "dataset",
        "datasets": "dataset",
        "attribute": "attribute",
        "attributes": "attribute",
        "attr": "attribute",
        "run": "attribute",
    },
    attributes={
        "run_id": ("run_id", "list"),
        "run_name": ("run_name", "text"),
        "run name": ("run_name", "text"),
        "Run name": ("run_name", "text"),
        "Run Name": ("run_name", "text"),
        "user_id": ("user_id", "text"),
        "status": ("status", "text"),
        "artifact_uri": ("artifact_uri", "text"),
        "start_time": ("start_time", "number"),
        "created": ("start_time", "number"),
        "Created": ("start_time", "number"),
        "end_time": ("end_time", "number"),
    },
)
EXPERIMENTS = Grammar(
    entities={"tag": "tag", "tags": "tag", "attribute": "attribute", "attributes": "attribute", "attr": "attribute"},
    attributes={
        "name": ("name", "text"),
        "experiment_id": ("experiment_id", "id"),
        "creation_time": ("creation_time", "number"),
        "last_update_time": ("last_update_time", "number"),
    },
    orders=frozenset({"name", "experiment_id", "creation_time", "last_update_time"}),
)
REGISTERED_MODELS = Grammar(
    entities={"tag": "tag", "tags": "tag", "attribute": "attribute", "attributes": "attribute"},
    attributes={
        "name": ("name", "list"),
        "last_updated_timestamp": ("last_updated_timestamp", "number"),
        "timestamp": ("last_updated_timestamp", "number"),
    },
    orders=frozenset({"name", "last_updated_timestamp"}),
)
MODEL_VERSIONS = Grammar(
    entities={"tag": "tag", "tags": "tag", "attribute": "attribute", "attributes": "attribute"},
    attributes={
        "name": ("name", "list"),
        "version_number": ("version_number", "number"),
        "version": ("version_number", "number"),
        "run_id": ("run_id", "list"),
        "source_path": ("source_path", "text"),
        "creation_timestamp": ("creation_timestamp", "number"),
        "last_updated_timestamp": ("last_updated_timestamp", "number"),
    },
    orders=frozenset({"name", "version_number", "creation_timestamp", "last_updated_timestamp"}),
    number_as_text=frozenset({"version_number"}),
)
LOGGED_MODELS = Grammar(
    entities={"metrics": "metric", "params": "param", "tags": "tag", "attributes": "attribute"},
    attributes={
        "name": ("name", "list"),
        "model_id": ("model_id", "list"),
        "model_type": ("model_type", "list"),
        "status": ("status", "list"),
        "source_run_id": ("source_run_id", "list"),
        "creation_timestamp": ("creation_timestamp", "number"),
        "creation_time": ("creation_timestamp", "number"),
        "last_updated_timestamp": ("last_updated_timestamp", "number"),
        "last_updated_time": ("last_updated_timestamp", "number"),
        "artifact_location": ("artifact_location", "text"),
        "experiment_id": ("experiment_id", "id"),
    },
    orders=frozenset(
        {
            "metric",
            "name",
            "model_id",
            "model_type",
            "status",
            "source_run_id",
            "creation_timestamp",
            "last_updated_timestamp",
        }
    ),
    keyed=TEXTS | LISTS,
)
