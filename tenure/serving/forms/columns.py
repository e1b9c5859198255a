"""A form's columns: how one row's values become numbers, and which of them are refused as the version refuses them.

One row is what is asked most and costs most for its size, so it takes plain Python: NumPy needs 1 µs for each call.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenure.serving.forms.finishing import single
from tenure.serving.forms.program import Number, Program, Table

Columns = dict[str, list[Any]]
Floats = NDArray[np.float64]


class Refused(Exception):
    """The version itself fails at such a value. Names the column, never the value."""


class NumberColumn:
    """One column of numbers, checked."""

    def __init__(self, number: Number) -> None:
        self.name = number.name
        self.low, self.high = number.low, number.high
        self._null = number.null
        self.nan_is_null = number.null is not None and not number.null
        self.single = number.single

    def number(self, value: Any) -> float:
        """The value, NaN for a missing one. Raises Refused."""
        if value is None or value != value:  # noqa: PLR0124  NaN
            if self._null is None:
                raise Refused(self.name)
            return math.nan
        if self.single:
            value = single(value)
        if not self.low <= value <= self.high:
            raise Refused(self.name)
        return float(value)


def table_of(table: Table, convert: Callable[[list[float]], Any]) -> Callable[[Any], Any]:
    """What stands for a category: `convert` of its row. The returned function raises Refused."""
    rows = {key: convert(row) for key, row in zip(table.keys, table.rows, strict=True)}
    unknown = convert(table.unknown) if table.unknown is not None else None
    null = convert(table.null) if table.null is not None else None
    name = table.name

    def look_up(value: Any) -> Any:
        found = rows.get(value)
        if found is None:
            found = null if value is None or value != value else unknown  # noqa: PLR0124
            if found is None:
                raise Refused(name)
        return found

    return look_up


class Matrix:
    """Rows as one matrix of doubles: the numbers first, then the numbers that stand for each category."""

    def __init__(self, program: Program) -> None:
        self._numbers = [NumberColumn(number) for number in program.numbers]
        self._plain = [(column.name, column.low, column.high, column.number) for column in self._numbers]
        self._pack = struct.Struct(f"{len(self._numbers)}d").pack
        self._tables = [(table.name, table_of(table, _packed), _width(table)) for table in program.tables]
        self.width = len(self._numbers) + sum(width for *_, width in self._tables)

    def row(self, columns: Columns) -> Floats:
        """The first row, shape (1, width). Raises Refused."""
        values = []
        for name, low, high, checked in self._plain:
            value = columns[name][0]
            if value is None or not low <= value <= high:
                value = checked(value)
            values.append(value)
        packed = self._pack(*values)
        if self._tables:
            packed = b"".join([packed, *[look_up(columns[name][0]) for name, look_up, _ in self._tables]])
        return np.frombuffer(packed).reshape(1, -1)

    def rows(self, columns: Columns, count: int) -> Floats:
        """All rows, shape (count, width). Raises Refused."""
        matrix = np.empty((count, self.width))
        for position, column in enumerate(self._numbers):
            matrix[:, position] = numbers(column, columns[column.name])
        position = len(self._numbers)
        for name, look_up, width in self._tables:
            packed = b"".join([look_up(value) for value in columns[name]])
            matrix[:, position : position + width] = np.frombuffer(packed).reshape(count, width)
            position += width
        return matrix


def numbers(column: NumberColumn, values: list[Any]) -> Floats:
    """A column's values as doubles, NaN for missing ones. Raises Refused."""
    array = np.array(values, dtype=np.float64)
    if column.single:
        with np.errstate(over="ignore"):
            array = array.astype(np.float32).astype(np.float64)
    fine = (array >= column.low) & (array <= column.high)
    if not fine.all():
        for row in np.flatnonzero(~fine):
            column.number(values[row])
    return array


def _width(table: Table) -> int:
    return max(map(len, (*table.rows, table.unknown or (), table.null or ())))


def _packed(row: list[float]) -> bytes:
    return struct.pack(f"{len(row)}d", *row)
