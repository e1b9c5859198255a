"""Tensors of the Open Inference Protocol: read from JSON or bytes, made into a table's columns, and back.

Every size is checked against what was sent before anything is made from it, so a shape that lies costs nothing. Bytes
become arrays of NumPy without a look at each value; NumPy is imported when the first bytes come.
"""

from __future__ import annotations

import struct
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec

from tenure.errors import InvalidInput
from tenure.records.routing import InputColumn
from tenure.serving.decoding import Columns, Matrix, check_rows
from tenure.serving.saying import clipped, kind, listed, quoted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DTYPES = {
    "BOOL": "|b1",
    "UINT8": "|u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "|i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
"""NumPy's names of the datatypes; BYTES is apart, since its elements have no one size."""
DATATYPES = (*DTYPES, "BYTES")
DATATYPE_OF = {name.lstrip("|<"): datatype for datatype, name in DTYPES.items()}
SIZES = {datatype: int(name[-1]) for datatype, name in DTYPES.items()}
LENGTH_BYTES = 4
TYPE_OF_COLUMN = {
    "double": "FP64",
    "float": "FP32",
    "long": "INT64",
    "integer": "INT32",
    "boolean": "BOOL",
}
ONLY_OUTPUT = "predictions"
"""The name of a model's output that has none of its own."""
WHOLE_LIMIT = 2**63


class Tensor(msgspec.Struct):
    """Values row by row: a flat list, or an array of NumPy of any shape with as many."""

    name: str
    datatype: str
    shape: list[int]
    values: Any


def datatype_of(column: InputColumn) -> str:
    """What a column is in this protocol; text and dates, in ISO 8601, are BYTES."""
    return TYPE_OF_COLUMN.get(column.type, "BYTES")


# --- what comes ---


def extent(shape: list[int], max_rows: int, where: str) -> tuple[int, int]:
    """A shape's rows and values in a row. Raises InvalidInput or TooLarge."""
    if not 1 <= len(shape) <= 2 or min(shape) < 0:
        raise InvalidInput(
            f"The shape of a table's tensor must be [rows] or [rows, columns]. Got {_shown(shape)}.",
            where=f"{where}.shape",
        )
    check_rows(shape[0], max_rows, f"{where}.shape")
    width = shape[1] if len(shape) > 1 else 1
    if width == 0:
        raise InvalidInput("A row must have at least one value. The shape says 0.", where=f"{where}.shape")
    return shape[0], width


def check_datatype(datatype: str, where: str) -> None:
    if datatype not in DATATYPES:
        raise InvalidInput(f"The datatype must be one of {', '.join(DATATYPES)}.", where=f"{where}.datatype")


def from_json(data: list[Any], datatype: str, count: int, width: int, where: str) -> list[Any]:
    """A tensor's values from JSON, nested by rows or flat. Raises InvalidInput."""
    if datatype == "FP16":
        raise InvalidInput("FP16 has no form in JSON. Send it in bytes, or as FP32.", where=f"{where}.datatype")
    if data and type(data[0]) is list:
        odd = next((row for row, held in enumerate(data) if type(held) is not list or len(held) != width), None)
        if odd is not None:
            raise InvalidInput(
                f"Nested data must have {width} values in every row, as the shape says. Row {odd} has not.",
                where=f"{where}.data[{odd}]",
            )
        data = list(chain.from_iterable(data))
    if len(data) != count:
        raise InvalidInput(
            f"The data must have as many values as the shape says: {count}. Got {len(data)}.", where=f"{where}.data"
        )
    if "INT" in datatype and float in set(map(type, data)):  # some clients write every number with a point
        data = [int(value) if type(value) is float and value.is_integer() else value for value in data]
    _check_kinds(data, datatype, where)
    return data


def _check_kinds(data: list[Any], datatype: str, where: str) -> None:
    allowed = _KINDS[datatype]
    if set(map(type, data)) <= allowed:
        if allowed is not _WHOLE:
            return
        bits = SIZES[datatype] * 8
        low, high = (0, 2**bits) if datatype[0] == "U" else (-(2 ** (bits - 1)), 2 ** (bits - 1))
        given = [value for value in data if value is not None]
        if not given or (min(given) >= low and max(given) < high):
            return
        odd = next(place for place, value in enumerate(data) if value is not None and not low <= value < high)
        raise InvalidInput(f"{datatype} holds {low} to {high - 1}. One is beyond.", where=f"{where}.data[{odd}]")
    odd = next(place for place, value in enumerate(data) if type(value) not in allowed)
    raise InvalidInput(f"The data must be {datatype}. Got {kind(data[odd])}.", where=f"{where}.data[{odd}]")


_NONE: type = type(None)
_WHOLE: set[type] = {int, _NONE}
_KINDS: dict[str, set[type]] = {
    "BOOL": {bool, _NONE},
    "FP32": {float, int, _NONE},
    "FP64": {float, int, _NONE},
    "BYTES": {str, _NONE},
    **{datatype: _WHOLE for datatype in DTYPES if "INT" in datatype},
}


def from_bytes(raw: memoryview, datatype: str, count: int, where: str) -> Any:
    """A tensor's values from bytes: an array, or a list of texts. Raises InvalidInput."""
    if datatype == "BYTES":
        return _texts(raw, count, where)
    if count * SIZES[datatype] != len(raw):
        raise InvalidInput(
            f"{count} values of {datatype} take {count * SIZES[datatype]} bytes. Got {len(raw)}.", where=where
        )
    import numpy as np

    found = np.frombuffer(raw, np.dtype(DTYPES[datatype]))
    if datatype == "BOOL" and count and found.view(np.uint8).max() > 1:
        raise InvalidInput("A BOOL must be a byte of 0 or 1. Got another one.", where=where)
    return found


def array(values: list[Any], datatype: str, where: str) -> Any:
    """Numbers one by one as an array of their datatype. Raises InvalidInput for one beyond it."""
    import numpy as np

    try:
        return np.array(values, dtype=DTYPES[datatype])
    except OverflowError:
        raise InvalidInput(f"The values must be {datatype}. One is beyond.", where=where) from None


_length = struct.Struct("<I").unpack_from


def _texts(raw: memoryview, count: int, where: str) -> list[str]:
    """Elements that each say their length first. Categories come again and again, so each text is made once."""
    if count * LENGTH_BYTES > len(raw):
        raise InvalidInput(
            f"{count} elements of BYTES take at least {count * LENGTH_BYTES} bytes. Got {len(raw)}.", where=where
        )
    sent, size, at = bytes(raw), len(raw), 0
    found: list[str] = []
    known: dict[bytes, str] = {}
    for place in range(count):
        start = at + LENGTH_BYTES
        if start > size:
            raise InvalidInput(f"Element {place} begins after the end of what was sent.", where=where)
        at = start + _length(sent, start - LENGTH_BYTES)[0]
        if at > size:
            raise InvalidInput(f"Element {place} says that it is longer than what was sent.", where=where)
        element = sent[start:at]
        said = known.get(element)
        if said is None:
            said = known[element] = text(element, place, where)
        found.append(said)
    if at != size:
        raise InvalidInput(f"{count} elements of BYTES end at byte {at}. Got {size} bytes.", where=where)
    return found


def text(element: bytes, place: int, where: str) -> str:
    """An element of BYTES, which is text here."""
    try:
        return element.decode()
    except UnicodeDecodeError:
        raise InvalidInput(f"BYTES must be text in UTF-8. Element {place} is not.", where=where) from None


def table_of(tensors: list[Tensor], max_rows: int) -> tuple[Columns | Matrix, int]:
    """Tensors as a table with its number of rows: one for all columns, or one for each. Raises InvalidInput."""
    if not tensors:
        raise InvalidInput("A request must hold at least one input tensor. Got none.", where="inputs")
    names = [tensor.name for tensor in tensors]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise InvalidInput(f"Every tensor must be named once. Named more often: {listed(twice)}.", where="inputs")
    rows, width = extent(tensors[0].shape, max_rows, "inputs[0]")
    if len(tensors) == 1:
        return _matrix(tensors[0], rows, width), rows
    found = {}
    for place, tensor in enumerate(tensors):
        if extent(tensor.shape, max_rows, f"inputs[{place}]") != (rows, 1):
            raise InvalidInput(
                f"With one tensor for each column, every shape must be [rows] or [rows, 1], with {rows} rows as the "
                f"first has. {quoted(tensor.name)} has {_shown(tensor.shape)}.",
                where=f"inputs[{place}].shape",
            )
        found[tensor.name] = tensor.values
    return found, rows


def _matrix(tensor: Tensor, rows: int, width: int) -> Matrix:
    values = tensor.values
    if width == 1:
        return Matrix(tensor.name, [values], values)
    if type(values) is list:
        return Matrix(tensor.name, [values[place::width] for place in range(width)], values)
    import numpy as np

    block = np.ascontiguousarray(values.reshape(rows, width).T)
    return Matrix(tensor.name, list(block), block)


def raw_input(raw: memoryview, columns: tuple[InputColumn, ...], max_rows: int) -> Tensor:
    """A body that is one tensor and nothing else: row by row in the signature's one datatype. Raises InvalidInput."""
    kinds = {datatype_of(column) for column in columns}
    if len(kinds) != 1 or kinds == {"BYTES"}:
        raise InvalidInput(
            "A body without JSON can be read when all columns of the version are numbers of one type, which they are "
            "not here. Send JSON that describes the tensors before them.",
            where="Inference-Header-Content-Length",
        )
    (datatype,) = kinds
    row_bytes = SIZES[datatype] * len(columns)
    rows, rest = divmod(len(raw), row_bytes)
    if rest:
        raise InvalidInput(f"The body must be rows of {row_bytes} bytes each. Got {len(raw)} bytes.", where="body")
    check_rows(rows, max_rows, "body")
    shape = [rows, len(columns)]
    return Tensor("input", datatype, shape, from_bytes(raw, datatype, rows * len(columns), "body"))


def _shown(shape: list[int]) -> str:
    return clipped(str(shape[:5]), 60) if len(shape) <= 5 else f"{len(shape)} dimensions"


# --- what leaves ---


def outputs_of(outputs: Any) -> list[Tensor]:
    """A version's outputs as tensors: one for each column of a frame, else one that is called `predictions`.

    What is neither a number nor a text nor a row of equally many becomes JSON text in BYTES, so that nothing is lost.
    """
    if type(outputs) is not list:
        return [_of_array(ONLY_OUTPUT, outputs)]
    first = outputs[0]
    if type(first) is dict and all(type(row) is dict and row.keys() == first.keys() for row in outputs):
        return [_of_values(name, [row[name] for row in outputs]) for name in first] or [_of_values("", outputs)]
    return [_of_values(ONLY_OUTPUT, outputs)]


def tensor_of(name: str, values: Any) -> Tensor:
    """A column's values, at least one, as a tensor: a list, or an array."""
    return _of_values(name, values) if type(values) is list else _of_array(name, values)


def _of_array(name: str, values: NDArray[np.generic]) -> Tensor:
    return Tensor(name, DATATYPE_OF[values.dtype.str.lstrip("|<")], list(values.shape), values)


def _of_values(name: str, values: list[Any]) -> Tensor:
    first = values[0]
    if type(first) is list and first:
        flat = _flat(values, len(first))
        if flat is not None:
            return Tensor(name, _datatype(flat) or "BYTES", [len(values), len(first)], _held(flat))
    return Tensor(name, _datatype(values) or "BYTES", [len(values)], _held(values))


def _flat(values: list[Any], width: int) -> list[Any] | None:
    """Rows of equally many plain values one after the other; None when they are anything else."""
    if any(type(row) is not list or len(row) != width for row in values):
        return None
    flat = list(chain.from_iterable(values))
    return flat if _datatype(flat) else None


def _datatype(values: list[Any]) -> str | None:
    """The datatype that holds plain values of these kinds, missing ones among them; None when none does."""
    kinds = set(map(type, values))
    if kinds == {float}:
        return "FP64"
    if kinds == {bool}:
        return "BOOL"
    if kinds == {int} and min(values) >= -WHOLE_LIMIT and max(values) < WHOLE_LIMIT:
        return "INT64"
    if kinds <= {float, int, bool, _NONE}:
        return "FP64"
    return "BYTES" if kinds <= {str, _NONE} else None


def _held(values: list[Any]) -> list[Any]:
    return values if _datatype(values) else [msgspec.json.encode(value).decode() for value in values]


def to_bytes(tensor: Tensor) -> bytes:
    """A tensor's values as bytes. A number that is missing is NaN, a text that is missing is empty."""
    values: Any = tensor.values
    if tensor.datatype == "BYTES":
        encoded = [b"" if value is None else value.encode() for value in values]
        return b"".join(part for one in encoded for part in (len(one).to_bytes(LENGTH_BYTES, "little"), one))
    import numpy as np

    return np.asarray(values, dtype=DTYPES[tensor.datatype]).tobytes()


def to_list(tensor: Tensor) -> list[Any]:
    """A tensor's values for JSON, flat."""
    values: Any = tensor.values
    return values if type(values) is list else values.ravel().tolist()
