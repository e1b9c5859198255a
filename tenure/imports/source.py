"""What a source must tell, whether it is asked over HTTP or is a database that we read ourselves."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import msgspec

from tenure.errors import TenureError
from tenure.records.imports import (
    ExperimentSent,
    LoggedModelSent,
    RegisteredModelSent,
    RunSent,
    Series,
    VersionSent,
)

CHUNK_POINTS = 20_000
PROMPT_TAG = "mlflow.prompt.is_prompt"
DELETED_STAGE = "Deleted_Internal"
MODEL_ID = re.compile(r"m-[0-9a-f]{32}")


class Unreadable(TenureError):
    """Files lie where neither the source nor this machine reads them."""

    code = "unreadable"


@dataclass(frozen=True)
class RunRead:
    """A run with what is known of its metrics before their points are read: `latest` is key → [step, time, value]."""

    sent: RunSent
    latest: Mapping[str, Any]
    points: int | None  # None: this source cannot tell without reading them


@dataclass(frozen=True)
class ModelRead:
    """A registered model with its aliases and versions; versions lie where the source says."""

    sent: RegisteredModelSent
    aliases: Mapping[str, int]
    versions: Sequence[VersionSent]


@dataclass(frozen=True)
class Owner:
    """Whose files are asked for: `kind` is run, logged_model or model_version."""

    kind: str
    id: str


@dataclass(frozen=True)
class Leftover:
    """Something that is not moved, by its nature: counted and named."""

    what: str
    count: int | None  # None: this source cannot tell how many
    examples: Sequence[str] = ()


class Files(Protocol):
    """Artifacts as the source keeps them."""

    def sizes(self, location: str, owner: Owner) -> dict[str, int]:
        """Every file below a location with its size in bytes. Raises Unreadable."""

    def read(self, location: str, path: str, owner: Owner) -> Iterator[bytes]:
        """The bytes of one of them. Raises Unreadable."""


class Source(Protocol):
    """A server or a database that is moved from."""

    address: str
    files: Files

    def experiments(self) -> list[ExperimentSent]: ...

    def count_runs(self, experiment_ids: Collection[str]) -> int | None:
        """How many runs there are, if that is cheap to tell."""

    def runs(self, experiment_ids: Sequence[str]) -> Iterator[list[RunRead]]: ...

    def points(self, runs: Sequence[RunRead]) -> Iterator[list[Series]]:
        """Every point of these runs, at most CHUNK_POINTS at a time."""

    def logged_models(self, experiment_ids: Sequence[str]) -> Iterator[list[LoggedModelSent]]: ...

    def deleted_models(self) -> list[LoggedModelSent]:
        """Deleted logged models that only runs name, once these have been read."""

    def registered_models(self) -> list[ModelRead]: ...

    def totals(self, experiment_ids: Collection[str]) -> dict[str, int]:
        """What the source itself counts, to be compared with what was read from it; empty where it cannot."""

    def leftovers(self) -> list[Leftover]: ...

    def close(self) -> None: ...


@dataclass
class Columns:
    """Points of one key while they are being read."""

    values: list[Any] = field(default_factory=list)
    timestamps: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)


def chunked(points: Iterator[tuple[str, str, Any, int, int]]) -> Iterator[list[Series]]:
    """Points (run, key, value, timestamp, step) in any order as series, at most CHUNK_POINTS a chunk."""
    found: dict[tuple[str, str], Columns] = {}
    count = 0
    for run_id, key, value, timestamp, step in points:
        columns = found.get((run_id, key))
        if columns is None:
            columns = found[run_id, key] = Columns()
        columns.values.append(value)
        columns.timestamps.append(timestamp)
        columns.steps.append(step)
        count += 1
        if count == CHUNK_POINTS:
            yield _series(found)
            found, count = {}, 0
    if found:
        yield _series(found)


def _series(found: Mapping[tuple[str, str], Columns]) -> list[Series]:
    return [
        Series(run_id=run_id, key=key, values=one.values, timestamps=one.timestamps, steps=one.steps)
        for (run_id, key), one in found.items()
    ]


def digest_of(*parts: Any) -> str:
    """A short digest of what a source said of an item, by which a later import knows that nothing changed."""
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()[:32]


def plain(address: str) -> str:
    """An address without credentials and query.

    >>> plain("postgresql://me:secret@db:5432/mlflow?sslmode=require")
    'postgresql://db:5432/mlflow'
    """
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))


def model_of(source: str | None, location: str | None) -> str | None:
    """The logged model that a version was registered from: MLflow's database keeps it in the source or the location."""
    for text in (source or "", location or ""):
        found = MODEL_ID.search(text)
        if found and ("models:/" in text or f"/models/{found[0]}" in text):
            return found[0]
    return None
