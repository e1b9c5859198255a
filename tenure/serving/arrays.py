"""Columns that came as bytes: checked and kept as arrays of NumPy, so that a thousand rows cost what one does.

NaN is what null is in JSON. Infinity is refused, as it is there. Imported when the first such column comes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenure.records.frames import Packed
from tenure.records.routing import InputColumn
from tenure.serving.saying import Wrong

Array = NDArray[Any]

FLOATS: dict[str, np.dtype[Any]] = {"double": np.dtype(np.float64), "float": np.dtype(np.float32)}
WHOLES: dict[str, np.dtype[Any]] = {"long": np.dtype(np.int64), "integer": np.dtype(np.int32)}
FLOAT32_MAX = float(np.finfo(np.float32).max)
KINDS = {"f": "numbers", "i": "whole numbers", "u": "whole numbers", "b": "true or false"}
WHAT = {"string": "text", "boolean": "true or false", "datetime": "ISO 8601 dates, as text"}


def checked(column: InputColumn, values: Array) -> Any:
    """An array as the column's type, or a list where whole numbers are missing. Raises Wrong."""
    if column.type in FLOATS:
        return _floats(column, values)
    if column.type in WHOLES:
        return _wholes(column, values)
    if column.type in WHAT and not (column.type == "boolean" and values.dtype.kind == "b"):
        raise Wrong(f"hold {WHAT[column.type]}", KINDS.get(values.dtype.kind, "bytes"), 0)
    if values.dtype.kind == "b":
        return values
    return _floats(column, values) if values.dtype.kind == "f" else _within(values, np.dtype(np.int64))


def is_sound(block: Array) -> bool:
    """Whether many columns at once are doubles without a missing or an infinite one."""
    return block.dtype == np.float64 and bool(np.isfinite(block).all())


def _floats(column: InputColumn, values: Array) -> Array:
    _numbers(values)
    if values.dtype.kind == "f":
        _check_finite(column, values)
    wanted = FLOATS.get(column.type, FLOATS["double"])
    if wanted.itemsize < values.dtype.itemsize:
        beyond = np.abs(values) > FLOAT32_MAX
        if beyond.any():
            raise Wrong("hold numbers of 32 bits, up to 3.4e38", "a larger one", int(beyond.argmax()))
    return values.astype(wanted, copy=False)


def _check_finite(column: InputColumn, values: Array) -> None:
    """One look when all is well, which it nearly always is."""
    if np.isfinite(values).all():
        return
    endless = np.isinf(values)
    if endless.any():
        raise Wrong("hold finite numbers", "an infinite one", int(endless.argmax()))
    if column.required:
        missing = int(np.isnan(values).argmax())
        raise Wrong(f"have a value in every row ({column.type})", "NaN", missing)


def _wholes(column: InputColumn, values: Array) -> Any:
    _numbers(values)
    wanted = WHOLES[column.type]
    if values.dtype.kind != "f":
        return _within(values, wanted)
    _check_finite(column, values)
    missing = np.isnan(values)
    whole = np.where(missing, 0.0, values)
    broken = whole != np.floor(whole)
    if broken.any():
        raise Wrong("hold whole numbers", "one with a fraction", int(broken.argmax()))
    beyond = (whole < np.iinfo(wanted).min) | (whole >= -float(np.iinfo(wanted).min))
    if beyond.any():
        raise _beyond(wanted, int(beyond.argmax()))
    held = whole.astype(wanted)
    if not missing.any():
        return held
    return [None if gone else value for gone, value in zip(missing.tolist(), held.tolist(), strict=True)]


def _within(values: Array, wanted: np.dtype[Any]) -> Array:
    limits = np.iinfo(wanted)
    if values.dtype != wanted and not np.can_cast(values.dtype, wanted):
        beyond = values > limits.max if values.dtype.kind == "u" else (values < limits.min) | (values > limits.max)
        if beyond.any():
            raise _beyond(wanted, int(beyond.argmax()))
    return values.astype(wanted, copy=False)


def _beyond(wanted: np.dtype[Any], row: int) -> Wrong:
    limits = np.iinfo(wanted)
    return Wrong(f"hold whole numbers of {limits.bits} bits, {limits.min} to {limits.max}", "one beyond", row)


def _numbers(values: Array) -> None:
    if values.dtype.kind not in "fiu":
        raise Wrong("hold numbers", KINDS.get(values.dtype.kind, "bytes"), 0)


def unpacked(columns: Mapping[str, list[Any] | Packed]) -> dict[str, Any]:
    """Columns as a scorer takes them: what was packed as arrays again. They are read-only."""
    return {name: array_of(held) if isinstance(held, Packed) else held for name, held in columns.items()}


def array_of(held: Packed) -> Array:
    found = np.frombuffer(held.values, np.dtype(held.dtype))
    return found.reshape(-1, held.width) if held.width else found


def joined(parts: Sequence[Any]) -> Any:
    """Values of several requests one after the other: an array when all are of one type, else a list."""
    arrays = [part for part in parts if type(part) is not list]
    if len(arrays) == len(parts) and len({array.dtype for array in arrays}) == 1:
        return np.concatenate(arrays)
    return [value for part in parts for value in (part if type(part) is list else part.tolist())]
