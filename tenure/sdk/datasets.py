"""Which data a run saw, by a SHA-256 over all of it.

MLflow's own dataset digests look at the first 10,000 rows only; these look at every byte, and travel as MLflow's
dataset inputs, so that any server keeps them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tenure.errors import InvalidInput
from tenure.records.provenance import SHA256_TAG, DataDigest
from tenure.sdk import frames

SHORT = 32
"""Characters of the digest in MLflow's own field, which takes 36."""
CHUNK_VALUES = 65_536


def record_data(
    data: Any, name: str | None = None, *, context: str = "training", run_id: str | None = None
) -> DataDigest:
    """Note with the active run, or with `run_id`, which data it saw. A run is started when none is active.

    Parameters
    ----------
    data
        A file or a folder (a path), or a table: a DataFrame or a dict of columns.
    name
        What to call it; by default the file's name. A table must be given one.
    context
        What the run used it for, such as `training` or `evaluation`.

    Returns
    -------
    DataDigest
        Name and SHA-256. Without mlflow in the environment that is all that happens.

    Raises
    ------
    InvalidInput
        When there is nothing at the path, or the table is none.
    """
    is_path = isinstance(data, str | os.PathLike)
    name = name or (Path(data).name if is_path else None)
    if not name:
        raise InvalidInput("Data needs a name: tenure.record_data(frame, name='flights-january').", where="name")
    sha256, profile = path_digest(Path(data)) if is_path else table_digest(data)
    if importlib.util.find_spec("mlflow") is not None:
        source = ("local", {"uri": os.fspath(data)}) if is_path else ("code", {"tags": {}})
        _log(name, sha256, source, profile, context, run_id)
    return DataDigest(name=name, digest=sha256[:SHORT], sha256=sha256, use=context)


def path_digest(path: Path) -> tuple[str, dict[str, int]]:
    """SHA-256 of a file; of a folder, that of a line `<sha256>  <size>  <path>` for each file in it, by path."""
    if path.is_dir():
        whole, size, count = hashlib.sha256(), 0, 0
        for inner in sorted(one for one in path.rglob("*") if one.is_file()):
            digest, profile = path_digest(inner)
            whole.update(f"{digest}  {profile['size_bytes']}  {inner.relative_to(path).as_posix()}\n".encode())
            size, count = size + profile["size_bytes"], count + 1
        return whole.hexdigest(), {"size_bytes": size, "files": count}
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), {"size_bytes": os.fstat(file.fileno()).st_size}
    except OSError as problem:
        raise InvalidInput(
            f"Data must be a file or a folder that can be read. {str(path)!r}: {problem.strerror}.", where="data"
        ) from None


def table_digest(table: Any) -> tuple[str, dict[str, int]]:
    """SHA-256 of a table: for each column in order its name, its type and its values. The index does not count.

    The same values give the same digest only in the same types and order: 1 and 1.0 differ.
    """
    columns = frames.columns_of(table)
    whole, rows = hashlib.sha256(), 0
    for name, column in columns.items():
        rows = len(column)
        array = column.to_numpy() if hasattr(column, "to_numpy") else column
        kind = getattr(array, "dtype", None)
        told = "object" if kind is None or kind.kind == "O" else kind.str
        for part in (name.encode(), told.encode(), *(_plain(array) if told == "object" else [_bytes(array)])):
            whole.update(len(part).to_bytes(8, "little"))
            whole.update(part)
    return whole.hexdigest(), {"num_rows": rows, "num_columns": len(columns)}


def _bytes(array: Any) -> Any:
    import numpy as np

    return np.ascontiguousarray(array).tobytes()


def _plain(values: Any) -> Iterator[bytes]:
    """Values of any type, as JSON where JSON has a word for them."""
    listed = values.tolist() if hasattr(values, "tolist") else list(values)
    for start in range(0, len(listed), CHUNK_VALUES):
        part = listed[start : start + CHUNK_VALUES]
        yield msgspec.json.encode([_told(value) for value in part])


def _told(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    return [type(value).__name__, repr(value)]


def _log(
    name: str, sha256: str, source: tuple[str, Any], profile: dict[str, int], context: str, run_id: str | None
) -> None:
    import mlflow
    from mlflow.entities import Dataset, DatasetInput, InputTag

    if run_id is None:
        run = mlflow.active_run() or mlflow.start_run()
        run_id = run.info.run_id
    dataset = Dataset(
        name=name,
        digest=sha256[:SHORT],
        source_type=source[0],
        source=msgspec.json.encode(source[1]).decode(),
        profile=msgspec.json.encode(profile).decode(),
    )
    tags = [InputTag("mlflow.data.context", context), InputTag(SHA256_TAG, sha256)]
    mlflow.MlflowClient().log_inputs(run_id, [DatasetInput(dataset=dataset, tags=tags)])
