"""Whether columns are what a version takes, as `serving/columns.py` asks it of requests, over whole columns.

A column of another kind stops the batch. A value that does not fit rejects its row, and is never repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenure.errors import InvalidInput
from tenure.records.routing import InputColumn
from tenure.serving.columns import FLOAT32_MAX
from tenure.serving.saying import quoted

if TYPE_CHECKING:
    import pyarrow as pa

Mask = NDArray[np.bool_]
BITS = {"long": 64, "integer": 32}
DATES = "hold ISO 8601 dates between 1678 and 2262, such as 2013-02-01T05:00:00Z"
YES_NO = {"true": True, "false": False, "1": True, "0": False}


class Reason(NamedTuple):
    """Why rows are rejected: which of them, for which column, and in words."""

    rows: Mask
    column: str
    reason: str
    message: str


Columns = dict[str, Any]
"""Columns as Arrow arrays of bool, int64, double or string, in the version's order."""


def taken(table: pa.Table, inputs: Sequence[InputColumn], *, text: bool) -> tuple[Columns, list[Reason]]:
    """The columns as the version takes them, null where a row is rejected. Raises InvalidInput for a column's kind."""
    columns: Columns = {}
    reasons: list[Reason] = []
    for column in inputs:
        if column.name not in table.column_names:
            columns[column.name] = _nulls(column, table.num_rows)
            continue
        given = plain(table.column(column.name))
        columns[column.name], wrong = _fitted(column, given, text=text)
        reasons += wrong
    return columns, reasons


def as_they_come(table: pa.Table) -> Columns:
    """Columns of a version that does not say what it takes."""
    return {name: plain(table.column(name)) for name in table.column_names}


def plain(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column as bool, int64, double, string or null; instants as ISO 8601. Raises InvalidInput for anything else."""
    import pyarrow as pa

    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    kind = array.type
    if pa.types.is_dictionary(kind):
        return plain(array.dictionary_decode())
    if pa.types.is_boolean(kind) or pa.types.is_string(kind) or pa.types.is_null(kind):
        return array
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return array.cast(pa.string())
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _iso(array)
    return _number_column(array)


def _number_column(array: pa.Array) -> pa.Array:
    import pyarrow as pa

    kind = array.type
    if pa.types.is_integer(kind) and not _beyond_int64(array):
        return array.cast(pa.int64())
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return array.cast(pa.float64(), safe=False)
    raise InvalidInput(f"A column must hold numbers, texts, true or false, or dates. One holds {kind}.")


def _fitted(column: InputColumn, given: pa.Array, *, text: bool) -> tuple[pa.Array, list[Reason]]:
    import pyarrow as pa

    if pa.types.is_null(given.type):
        array, wrong = _nulls(column, len(given)), np.zeros(len(given), dtype=bool)
        must = ""
    else:
        array, wrong, must = _READ.get(column.type, _any)(column, given, text)
    reasons = []
    if wrong.any():
        reasons.append(_reason(column, wrong, "type", must))
    if column.required and given.null_count:
        missing = np.asarray(given.is_null().to_numpy(zero_copy_only=False), dtype=bool)
        reasons.append(_reason(column, missing, "null", f"have a value in every row ({column.type})"))
    return array, reasons


def _double(column: InputColumn, given: pa.Array, text: bool) -> tuple[pa.Array, Mask, str]:
    array, wrong = _numbers(column, given, text)
    return array, wrong, "hold numbers"


def _float(column: InputColumn, given: pa.Array, text: bool) -> tuple[pa.Array, Mask, str]:
    array, wrong = _numbers(column, given, text)
    beyond = np.abs(array.to_numpy(zero_copy_only=False)) > FLOAT32_MAX
    return array, wrong | beyond, "hold numbers of 32 bits, up to 3.4e38"


def _whole(column: InputColumn, given: pa.Array, text: bool) -> tuple[pa.Array, Mask, str]:
    import pyarrow as pa
    import pyarrow.compute as pc

    bits = BITS[column.type]
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    must = f"hold whole numbers of {bits} bits"
    if pa.types.is_string(given.type) and text:
        try:
            given = given.cast(pa.int64())
        except pa.ArrowInvalid:
            given, unread = _numbers(column, given, text)
            array, wrong, _ = _whole(column, given, text=False)
            return array, wrong | unread, must
    if pa.types.is_int64(given.type):
        if bits == 64:
            return given, _none(given), must
        outside = pc.or_(pc.less(given, low), pc.greater(given, high)).fill_null(False)
        return given, np.asarray(outside.to_numpy(zero_copy_only=False)), must
    floats, unread = _numbers(column, given, text)
    values = floats.to_numpy(zero_copy_only=False)
    known = np.asarray(floats.is_valid().to_numpy(zero_copy_only=False))
    fits = (values >= float(low)) & (values < float(high) + 1) & (np.floor(values) == values)
    wrong = known & ~fits
    array = pa.array(np.where(fits, values, 0).astype(np.int64), mask=~(known & fits))
    return array, wrong | unread, must


def _string(column: InputColumn, given: pa.Array, text: bool) -> tuple[pa.Array, Mask, str]:
    import pyarrow as pa

    del text
    if not pa.types.is_string(given.type):
        raise _kind(column, "text", given)
    return given, _none(given), "hold text"


def _boolean(column: InputColumn, given: pa.Array, text: bool) -> tuple[pa.Array, Mask, str]:
    import pyarrow as pa

    must = "hold true or false"
    if pa.types.is_boolean(given.type):
        return given, _none(given), must
    if not (text and pa.types.is_string(given.type)):
        raise _kind(column, "true or false", given)
    encoded = given.dictionary_encode()
    read = [YES_NO.get(word.strip().lower()) for word in encoded.dictionary.to_pylist()]
    array = pa.array([*read], pa.bool_()).take(encoded.indices)
    wrong = np.asarray(array.is_null().to_numpy(zero_copy_only=False)) & _valid(given)
    return array, wrong, must


def _datetime(column: InputColumn, given: pa.Array, text: bool) -> tuple[pa.Array, Mask, str]:
    import pyarrow as pa

    del text
    if not pa.types.is_string(given.type):
        raise _kind(column, "dates", given)
    encoded = given.dictionary_encode()
    fine = np.array([*map(_is_date, encoded.dictionary.to_pylist()), True])
    codes = encoded.indices.fill_null(len(fine) - 1).to_numpy()
    return given, ~fine[codes], DATES


def _any(column: InputColumn, given: pa.Array, text: bool) -> tuple[pa.Array, Mask, str]:
    del column, text
    return given, _none(given), ""


_READ = {
    "double": _double,
    "float": _float,
    "long": _whole,
    "integer": _whole,
    "string": _string,
    "boolean": _boolean,
    "datetime": _datetime,
}


def _numbers(column: InputColumn, given: pa.Array, text: bool) -> tuple[pa.Array, Mask]:
    """A column as doubles, and which texts are no numbers."""
    import pyarrow as pa

    if pa.types.is_floating(given.type):
        return given, _none(given)
    if pa.types.is_integer(given.type):
        return given.cast(pa.float64(), safe=False), _none(given)
    if not (text and pa.types.is_string(given.type)):
        raise _kind(column, "numbers", given)
    try:
        return given.cast(pa.float64()), _none(given)
    except pa.ArrowInvalid:
        read = [None if word is None else _number(word) for word in given.to_pylist()]
    array = pa.array(read, pa.float64())
    return array, np.asarray(array.is_null().to_numpy(zero_copy_only=False)) & _valid(given)


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _is_date(word: str) -> bool:
    try:
        return 1678 <= datetime.fromisoformat(word).year < 2262
    except ValueError:
        return False


def _iso(array: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    zoned = pa.types.is_timestamp(array.type) and array.type.tz is not None
    moments = array.cast(pa.timestamp("us", tz="UTC" if zoned else None))
    return pc.strftime(moments, format="%Y-%m-%dT%H:%M:%SZ" if zoned else "%Y-%m-%dT%H:%M:%S")


def _beyond_int64(array: pa.Array) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    greatest = pc.max(array).as_py() if pa.types.is_uint64(array.type) else None
    return greatest is not None and greatest >= 2**63


def _nulls(column: InputColumn, rows: int) -> pa.Array:
    import pyarrow as pa

    kinds = {"double": pa.float64(), "float": pa.float64(), "long": pa.int64(), "integer": pa.int64()}
    return pa.nulls(rows, kinds.get(column.type, pa.bool_() if column.type == "boolean" else pa.string()))


def _none(given: pa.Array) -> Mask:
    return np.zeros(len(given), dtype=bool)


def _valid(given: pa.Array) -> Mask:
    return np.asarray(given.is_valid().to_numpy(zero_copy_only=False), dtype=bool)


def _kind(column: InputColumn, must: str, given: pa.Array) -> InvalidInput:
    return InvalidInput(
        f"Column {quoted(column.name)} must hold {must} ({column.type}). It holds {given.type}.", where=column.name
    )


def _reason(column: InputColumn, rows: Mask, reason: str, must: str) -> Reason:
    return Reason(rows, column.name, reason, f"Column {quoted(column.name)} must {must}.")
