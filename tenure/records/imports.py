"""What travels when another server's experiments, runs and models are moved in.

Times are milliseconds UTC, as MLflow keeps them. Ids are the source's own, unless a name says otherwise.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from tenure.records.base import Record
from tenure.records.tracking import DatasetInput, Int64

Kind = Literal["experiment", "run", "logged_model", "registered_model", "model_version"]
Stage = Literal["active", "deleted"]
Status = Literal["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]
ModelStatus = Literal["PENDING", "READY", "FAILED"]
RunId = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_-]{1,64}$")]
ModelId = Annotated[str, Meta(pattern=r"^m-[0-9a-f]{32}$")]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$")]
Measured = float | Literal["NaN", "Infinity", "-Infinity"] | None
"""A metric's value as JSON can have it; null is NaN too."""
Items = Meta(max_length=1000)


class NewImport(Record, forbid_unknown_fields=True):
    """Where it comes from: an address without its credentials. `detail` says how, for the audit log."""

    address: Annotated[str, Meta(min_length=1, max_length=2048)]
    detail: dict[str, str | int | bool | list[str]] = {}


class ImportBegun(Record):
    """`source` names this source in every later request."""

    source: str


class ImportEnded(Record, forbid_unknown_fields=True):
    """Counts per kind at the source and here, and one digest over all that was compared."""

    source_counts: dict[str, int]
    target_counts: dict[str, int]
    agrees: bool
    digest: str


class Counts(Record, omit_defaults=True):
    """How much belongs to one item."""

    params: int = 0
    tags: int = 0
    points: int = 0
    latest: int = 0
    inputs: int = 0
    aliases: int = 0
    files: int = 0
    bytes: int = 0


class Said(Record):
    """What the source had of an item when it was moved; `copied` says whether its files came along."""

    digest: str
    counts: Counts
    copied: bool = False


class Known(Record):
    """An item that was begun or done before; `removed`: it was here, and was removed for good since."""

    source_id: str
    target_id: str
    state: Literal["begun", "done", "removed"]
    said: Said | None = None


class Page(Record):
    """Items by source id; `after` is where the next page begins, None at the end."""

    items: list[Known]
    after: str | None = None


class ExperimentSent(Record):
    source_id: str
    name: str
    artifact_location: str
    lifecycle_stage: Stage
    creation_time: Int64
    last_update_time: Int64
    tags: dict[str, str] = {}


class ExperimentTaken(Record):
    """Which experiment here it is. `how`: its id was kept, another was given, or one of that name was here already."""

    source_id: str
    target_id: str
    how: Literal["kept", "mapped", "same name"]


class ModelLink(Record):
    """A logged model that a run read or made."""

    model_id: str
    step: Int64 = 0


class RunSent(Record):
    run_id: RunId
    experiment_id: str
    name: str
    user_id: str
    status: Status
    start_time: Int64
    end_time: Int64 | None
    deleted_time: Int64 | None
    lifecycle_stage: Stage
    artifact_uri: str
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    datasets: list[DatasetInput] = []
    models_read: list[ModelLink] = []
    models_made: list[ModelLink] = []


class Series(Record):
    """Points of one key of a run, as columns of one length."""

    run_id: str
    key: str
    values: list[Measured]
    timestamps: list[Int64]
    steps: list[Int64]
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


class ModelPoint(Record):
    """A metric of a logged model, measured by a run."""

    key: str
    value: Measured
    timestamp: Int64
    step: Int64
    run_id: str
    dataset_name: str | None = None
    dataset_digest: str | None = None


class LoggedModelSent(Record):
    model_id: ModelId
    experiment_id: str
    name: str
    artifact_location: str
    creation_time: Int64
    last_update_time: Int64
    status: ModelStatus
    lifecycle_stage: Stage
    status_message: str | None = None
    model_type: str | None = None
    source_run_id: str | None = None
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    points: list[ModelPoint] = []


class RegisteredModelSent(Record):
    name: Annotated[str, Meta(min_length=1, max_length=1024)]
    description: str | None
    creation_time: Int64
    last_updated_time: Int64
    tags: dict[str, str] = {}


class VersionSent(Record):
    """A version; a deleted one keeps only its number.

    With `below` its files lie at `path` below its run or logged model, wherever that lies here; else they lie at
    `storage_location`.
    """

    name: str
    version: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    user_id: str
    current_stage: str
    creation_time: Int64
    last_updated_time: Int64
    description: str | None = None
    source: str | None = None
    storage_location: str | None = None
    run_id: str | None = None
    run_link: str | None = None
    model_id: str | None = None
    status: str = "READY"
    status_message: str | None = None
    deleted: bool = False
    below: Literal["run", "logged_model"] | None = None
    path: str = ""
    tags: dict[str, str] = {}


class ExperimentsSent(Record, forbid_unknown_fields=True):
    experiments: Annotated[list[ExperimentSent], Items]


class RunsSent(Record, forbid_unknown_fields=True):
    runs: Annotated[list[RunSent], Items]


class PointsSent(Record, forbid_unknown_fields=True):
    series: list[Series]


class LoggedModelsSent(Record, forbid_unknown_fields=True):
    models: Annotated[list[LoggedModelSent], Items]


class RegisteredModelsSent(Record, forbid_unknown_fields=True):
    models: Annotated[list[RegisteredModelSent], Items]


class AliasSent(Record, forbid_unknown_fields=True):
    name: str
    alias: str
    version: int


class Refused(Record):
    """An item that was not taken, and why; everything else of the request was."""

    source_id: str
    why: str


class Taken(Record):
    """Items that are here now, as source id → id or folder here, and what was refused."""

    taken: dict[str, str]
    refused: list[Refused] = []


class ItemDone(Record):
    source_id: str
    said: Said


class ItemsDone(Record, forbid_unknown_fields=True):
    """Everything of these items has arrived."""

    kind: Kind
    items: Annotated[list[ItemDone], Items]


class Folder(Record):
    """Files below a location of this server."""

    files: dict[str, int]


class Asked(Record, forbid_unknown_fields=True):
    """Which items to count."""

    kind: Kind
    source_ids: Annotated[list[str], Items]


class Counted(Record):
    """What is here of each item; one that is not here is left out."""

    counts: dict[str, Counts]
