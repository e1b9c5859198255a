"""Experiments, runs, metrics, datasets and logged models, in the shape that MLflow's clients read.

Times are milliseconds UTC, as MLflow prescribes. A field that is None or an empty list is left out on the wire.
"""

from __future__ import annotations

import math
from typing import Annotated

from msgspec import Meta

from tenure.records.base import Record

Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Number = float | str
"""A metric's value: JSON has no word for NaN and the infinities, so they travel as strings."""


def number(value: float | None) -> Number:
    """A stored metric value for the wire; None stands for NaN.

    >>> number(0.5), number(None), number(float("-inf"))
    (0.5, 'NaN', '-Infinity')
    """
    if value is None or math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


class Part(Record, omit_defaults=True):
    """A record that leaves out what is not set."""


class KeyValue(Part):
    """A tag or a param."""

    key: str
    value: str


class Experiment(Part):
    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str
    last_update_time: int
    creation_time: int
    tags: list[KeyValue] = []


class MetricPoint(Part):
    """A point to be logged. `value` may be NaN or infinite."""

    key: str
    value: float
    timestamp: Int64
    step: Int64 = 0
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None
    run_id: str | None = None


class Metric(Part):
    """A point as it is told."""

    key: str
    value: Number
    timestamp: int
    step: int | None = None  # always told; None only so that it may follow the required fields
    dataset_name: str | None = None
    dataset_digest: str | None = None
    model_id: str | None = None
    run_id: str | None = None


class RunInfo(Part):
    run_id: str
    run_uuid: str
    run_name: str
    experiment_id: str
    user_id: str
    status: str
    start_time: int
    artifact_uri: str
    lifecycle_stage: str
    end_time: int | None = None


class RunData(Part):
    metrics: list[Metric] = []
    params: list[KeyValue] = []
    tags: list[KeyValue] = []


class Dataset(Part):
    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None


class DatasetInput(Part):
    dataset: Dataset
    tags: list[KeyValue] = []


class DatasetSummary(Part):
    """A dataset that runs of an experiment read, and what for."""

    experiment_id: str
    name: str
    digest: str
    context: str | None = None


class ModelInput(Part):
    model_id: str


class ModelOutput(Part):
    model_id: str
    step: Int64


class RunInputs(Part):
    dataset_inputs: list[DatasetInput] = []
    model_inputs: list[ModelInput] = []


class RunOutputs(Part):
    model_outputs: list[ModelOutput] = []


class Run(Record):
    info: RunInfo
    data: RunData
    inputs: RunInputs
    outputs: RunOutputs


class RunDigest(Record):
    """What a run had logged when it ended: how many of each, and one SHA-256 over all of it in hex."""

    metric_points: int
    metric_keys: int
    params: int
    tags: int
    sha256: str


class Registration(Part):
    name: str
    version: str


class LoggedModelInfo(Part):
    model_id: str
    experiment_id: str
    name: str
    creation_timestamp_ms: int
    last_updated_timestamp_ms: int
    artifact_uri: str
    status: str
    model_type: str | None = None
    source_run_id: str | None = None
    status_message: str | None = None
    tags: list[KeyValue] = []
    registrations: list[Registration] = []


class LoggedModelData(Part):
    params: list[KeyValue] = []
    metrics: list[Metric] = []


class LoggedModel(Record):
    info: LoggedModelInfo
    data: LoggedModelData


class FileEntry(Part):
    """A file or a folder of artifacts. `path` is relative to what was listed."""

    path: str
    is_dir: bool
    file_size: int | None = None
