"""Pinning: what a version's folder held when it was registered, and which input its model takes.

The model is never loaded. Its `MLmodel` file is read as data.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import yaml

from tenure.records.registry import Pinned
from tenure.records.routing import InputColumn, PinnedFile
from tenure.store.artifacts import ArtifactStore

MLMODEL = "MLmodel"
LARGEST_MLMODEL = 4 * 1024 * 1024
NOTHING = Pinned(files=[], digest="", signature=None)
COLUMN_TYPES = frozenset({"double", "float", "long", "integer", "string", "boolean", "datetime"})


def pin(artifacts: ArtifactStore, folder: str) -> Pinned:
    """Read every file below a folder of an artifact store and note its SHA-256. Nothing there gives `NOTHING`."""
    files = []
    for found in artifacts.files(folder):
        size, sha256 = artifacts.sha256(found.key)
        files.append(PinnedFile(path=found.key.removeprefix(f"{folder}/"), size_bytes=size, sha256=sha256))
    if not files:
        return NOTHING
    signature = _signature(artifacts, folder, files)
    return Pinned(files=files, digest=digest(files), signature=signature)


def digest(files: list[PinnedFile]) -> str:
    """SHA-256 of the manifest: one line `<sha256>  <size>  <path>` a file, sorted by path."""
    lines = (f"{file.sha256}  {file.size_bytes}  {file.path}\n" for file in sorted(files, key=lambda one: one.path))
    return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()


def inputs(signature: str | None) -> list[InputColumn]:
    """The named, typed columns that a signature asks for; none for tensors and for a model without a signature."""
    if signature is None:
        return []
    columns = msgspec.json.decode(signature).get("inputs") or []
    return [
        InputColumn(name=column["name"], type=column["type"], required=column.get("required", True) is not False)
        for column in columns
        if isinstance(column, dict) and isinstance(column.get("name"), str) and column.get("type") in COLUMN_TYPES
    ]


def _signature(artifacts: ArtifactStore, folder: str, files: list[PinnedFile]) -> str | None:
    """Inputs, outputs and params of the model as JSON, from its MLmodel file; None when it tells none."""
    described = next((file for file in files if file.path == MLMODEL), None)
    if described is None or described.size_bytes > LARGEST_MLMODEL:
        return None
    content = b"".join(artifacts.read(f"{folder}/{MLMODEL}"))
    try:
        body = yaml.load(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - the safe loader
    except (yaml.YAMLError, UnicodeError, RecursionError, ValueError):
        return None
    told = body.get("signature") if isinstance(body, dict) else None
    if not isinstance(told, dict):
        return None
    return msgspec.json.encode({part: _decoded(told.get(part)) for part in ("inputs", "outputs", "params")}).decode()


def _decoded(part: object) -> list[Any] | None:
    """A part of a signature, which MLflow keeps as JSON inside YAML."""
    if not isinstance(part, str):
        return None
    try:
        return msgspec.json.decode(part, type=list[Any])
    except msgspec.MsgspecError:
        return None
