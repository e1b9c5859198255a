"""Cells of a CSV table as values of a version's columns.

What cannot be read stays the text that it is, and the check of the column says what it must be. An empty cell is null,
except in a column of text that must have a value: there it is an empty text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from tenure.records.routing import InputColumn


def values(column: InputColumn, cells: list[str]) -> list[Any]:
    """A column's cells as the values that JSON would have had."""
    if column.type == "string" and column.required:
        return list(cells)
    read = _READERS.get(column.type, _text)
    return [read(cell) if cell else None for cell in cells]


def guessed(cells: list[str]) -> list[Any]:
    """Cells of a version without a signature: whole numbers or numbers when all are, text else."""
    for read, kinds in ((_whole, (int, type(None))), (_number, (float, type(None)))):
        found = [read(cell) if cell else None for cell in cells]
        if all(isinstance(value, kinds) for value in found):
            return found
    return [cell or None for cell in cells]


def _text(cell: str) -> Any:
    return cell


def _number(cell: str) -> Any:
    """NaN is how pandas writes what is missing. Infinity stays text: JSON has no word for it either."""
    try:
        value = float(cell) if "_" not in cell else math.inf
    except ValueError:
        return cell
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else cell


def _whole(cell: str) -> Any:
    try:
        return int(cell) if "_" not in cell else cell
    except ValueError:
        return _number(cell)


def _boolean(cell: str) -> Any:
    return {"true": True, "false": False}.get(cell.strip().lower(), cell)


_READERS: Mapping[str, Callable[[str], Any]] = {
    "double": _number,
    "float": _number,
    "long": _whole,
    "integer": _whole,
    "boolean": _boolean,
}
