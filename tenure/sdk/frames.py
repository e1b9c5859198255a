"""A table as a caller has it (pandas, polars, a dict of columns, one row) as plain columns. Imports none of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from tenure.errors import InvalidInput

_PLAIN = {str, int, bool, type(None)}


def columns_of(frame: Any) -> dict[str, Any]:
    """Columns by name, in order: lists, arrays or Series, all of the same length.

    `frame`: a DataFrame (anything with `.columns` that gives a column by name), a dict of columns, or a dict of
    plain values, which is one row. Raises InvalidInput for anything else, for columns of different lengths and for
    two columns of one name.
    """
    if isinstance(frame, Mapping):
        columns = {str(name): column for name, column in frame.items()}
        if columns and not any(_is_column(column) for column in columns.values()):
            columns = {name: [value] for name, value in columns.items()}
        for name, column in columns.items():
            if not _is_column(column):
                raise InvalidInput(
                    f"Every column must be a list or an array. Got one value, {type(column).__name__}. "
                    "Give lists for all columns, or plain values for all of them for a single row.",
                    where=name,
                )
    elif hasattr(frame, "columns"):
        names = [str(name) for name in frame.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InvalidInput(f"Column names must differ. Got {twice[0]!r} more than once.", where=twice[0])
        columns = dict(zip(names, (frame[name] for name in frame.columns), strict=True))
    else:
        raise InvalidInput(
            f"A table must be a DataFrame or a dict of columns. Got {type(frame).__name__}. "
            "Write {'name': [values], …} with one list for each column."
        )
    _check_lengths(columns)
    return columns


def _is_column(value: Any) -> bool:
    return hasattr(value, "__len__") and hasattr(value, "__iter__") and not isinstance(value, str | bytes | Mapping)


def _check_lengths(columns: dict[str, Any]) -> None:
    if not columns:
        raise InvalidInput("A table must have at least one column. Got none.")
    first = next(iter(columns))
    for name, column in columns.items():
        if getattr(column, "ndim", 1) != 1:
            raise InvalidInput(f"A column must have one dimension. Got {column.ndim}.", where=name)
        if len(column) != len(columns[first]):
            raise InvalidInput(
                f"All columns must have the same length. {first!r} has {len(columns[first])} rows, "
                f"{name!r} has {len(column)}.",
                where=name,
            )


def json_values(column: Any, where: str) -> list[Any]:
    """A column as JSON values: missing ones (None, NaN, NaT, NA) become None, moments ISO texts.

    Raises InvalidInput for infinity, which JSON does not know, and for what is no plain value.
    """
    values = _listed(column)
    if set(map(type, values)) <= _PLAIN:
        return values
    return [_json_value(value, where, row) for row, value in enumerate(values)]


def _listed(column: Any) -> list[Any]:
    array = column.to_numpy() if hasattr(column, "to_numpy") else column
    dtype = getattr(array, "dtype", None)
    if dtype is not None and dtype.kind == "M":  # of nanoseconds, tolist would make bare integers
        array = array.astype("datetime64[us]")
    return array.tolist() if hasattr(array, "tolist") else list(array)


def _json_value(value: Any, where: str, row: int) -> Any:
    if hasattr(value, "dtype") and hasattr(value, "tolist"):  # a numpy number in a list
        value = value.tolist()
    if isinstance(value, float | Decimal):
        number = float(value)
        if math.isinf(number):
            raise InvalidInput(
                f"Numbers must be finite, since JSON has no infinity. Got {number} in row {row} of {where!r}. "
                "Send None where the value is not known.",
                where=f"{where}[{row}]",
            )
        return None if math.isnan(number) else number
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str | int | list | dict):
        return value
    raise InvalidInput(
        f"Values must be numbers, texts, booleans or moments. Got {type(value).__name__} in row {row} of {where!r}.",
        where=f"{where}[{row}]",
    )


def split_of(frame: Any) -> dict[str, Any]:
    """A table in MLflow's `dataframe_split` form."""
    columns = {name: json_values(column, name) for name, column in columns_of(frame).items()}
    return {"columns": list(columns), "data": [list(row) for row in zip(*columns.values(), strict=True)]}


def event_time_of(moment: Any) -> Any:
    """Event time as the API takes it: ISO text or microseconds UTC, one for all rows or a list. Naive is UTC."""
    if isinstance(moment, str | int) or moment is None:
        return moment
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()
    if isinstance(moment, date):
        return datetime(moment.year, moment.month, moment.day, tzinfo=UTC).isoformat()
    if getattr(moment, "ndim", None) == 0:  # one numpy value
        return event_time_of((moment.astype("datetime64[us]") if moment.dtype.kind == "M" else moment).tolist())
    if _is_column(moment):
        return [event_time_of(one) for one in _listed(moment)]
    raise InvalidInput(
        f"An event time must be a datetime, an ISO 8601 text or microseconds UTC. Got {type(moment).__name__}.",
        where="event_time",
    )


def texts_of(values: Any) -> list[str]:
    """References or prediction ids as texts."""
    return [values] if isinstance(values, str) else [str(value) for value in _listed(values)]
