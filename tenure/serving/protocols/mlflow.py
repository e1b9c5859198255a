"""MLflow's scoring protocol: JSON in four forms, CSV and Parquet; `{"predictions": …}` back.

A client that is given the URL of an endpoint finds below it what MLflow's own server has at its root.
"""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Awaitable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from tenure.errors import InvalidInput, UnsupportedType
from tenure.records.base import Instant
from tenure.serving.answers import JSON, Headers
from tenure.serving.decoding import (
    Answer,
    Asked,
    Columns,
    Request,
    Split,
    Texts,
    check_rows,
    event_times,
    references,
)
from tenure.serving.saying import clipped, kind, listed, listed_kinds, quoted
from tenure.serving.scoring import Read

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """A scoring request as it comes: MLflow's four forms of rows, and what is ours."""

    dataframe_split: Split | UnsetType = UNSET
    dataframe_records: list[dict[str, Any]] | UnsetType = UNSET
    instances: list[Any] | UnsetType = UNSET
    inputs: dict[str, Any] | list[Any] | UnsetType = UNSET
    params: dict[str, Any] | None = None
    event_time: str | int | list[str | int] | None = None
    reference: str | list[str] | None = None


_decoder = msgspec.json.Decoder(Body)
_parquet_thread = ThreadPoolExecutor(1, "parquet")


def reader(headers: Mapping[str, str]) -> Read:
    """How a body of this Content-Type is read, which must be in UTF-8. Raises UnsupportedType."""
    named, _, parameters = headers.get("content-type", "").partition(";")
    found = named.strip().lower()
    if found not in _READERS:
        raise UnsupportedType(
            f"A scoring request must have the Content-Type {', '.join(_READERS)}. "
            f"Got {found[:60] or 'none'}. With curl: -H 'Content-Type: application/json'.",
            where="Content-Type",
        )
    if parameters and parameters.strip().lower().replace('"', "") not in ("", "charset=utf-8"):
        raise UnsupportedType("A scoring request must be UTF-8.", where="Content-Type")
    return _READERS[found]


def encode(_asked: Asked, answer: Answer) -> tuple[Headers, bytes]:
    """The answer's headers and body. NaN and infinity are null."""
    outputs = answer.outputs if type(answer.outputs) is list else answer.outputs.tolist()
    return JSON, msgspec.json.encode({"predictions": outputs})


def server_version() -> str:
    """The version of MLflow whose protocol this is."""
    return metadata.version("mlflow-skinny")


def from_json(request: Request) -> Asked:
    """One of MLflow's four forms. Most requests fit the champion's own types, and are read in one go."""
    fitting = request.inputs.typed.read(request.body) if request.inputs and request.inputs.typed else None
    if fitting is not None:
        check_rows(fitting.rows, request.max_rows, fitting.form)
        return Asked(
            fitting.form,
            fitting.columns,
            fitting.rows,
            event_times(fitting.event_time, fitting.rows, request.now),
            references(fitting.reference, fitting.rows),
            fitting.params or None,
            checked=request.inputs,
        )
    decoded = _decoded(request.body)
    given = [form for form in FORMS if getattr(decoded, form) is not UNSET]
    if len(given) != 1:
        raise InvalidInput(
            f"A scoring request must hold exactly one of {', '.join(FORMS)}. "
            f"Got {' and '.join(given) if given else 'none of them'}."
        )
    form = given[0]
    table, rows = _counted(form, getattr(decoded, form))
    check_rows(rows, request.max_rows, form)
    return Asked(
        form,
        table,
        rows,
        event_times(decoded.event_time, rows, request.now),
        references(decoded.reference, rows),
        decoded.params or None,
    )


def from_csv(request: Request) -> Asked:
    """A line of column names, then a line for each row. What cells mean is known by the version's columns."""
    try:
        lines = csv.reader(io.StringIO(request.body.decode("utf-8-sig"), newline=""), strict=True)
        names = next(lines, [])
        rows = []
        for position, cells in enumerate(lines):
            if len(cells) != len(names):
                raise InvalidInput(
                    f"Every line must have {len(names)} cells, one per column. Row {position} has {len(cells)}.",
                    where=f"csv[{position}]",
                )
            if position >= request.max_rows:
                check_rows(position + 1, request.max_rows, "csv")
            rows.append(cells)
    except UnicodeDecodeError as problem:
        raise InvalidInput(f"The request must be UTF-8. It is not at byte {problem.start}.") from None
    except csv.Error as problem:
        raise InvalidInput(f"The request must be CSV: {problem}.") from None
    _check_once(names, "csv")
    check_rows(len(rows), request.max_rows, "csv")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return plain("csv", Texts(columns), len(rows), request.now)


def from_parquet(request: Request) -> Awaitable[Asked]:
    """A Parquet file of plain columns. It is read on a thread, since that and loading what reads it take their time;
    one after the other, so that many do not take many times the memory.
    """
    return asyncio.get_running_loop().run_in_executor(_parquet_thread, _from_parquet, request)


def _from_parquet(request: Request) -> Asked:
    from tenure.serving import parquet

    columns, rows = parquet.columns(request.body, request.max_rows)
    check_rows(rows, request.max_rows, "parquet")
    return plain("parquet", columns, rows, request.now)


_READERS: dict[str, Read] = {
    "application/json": from_json,
    CSV: from_csv,
    PARQUET: from_parquet,
}


def plain(form: str, table: Any, rows: int, now: Instant) -> Asked:
    """Rows of a form that has nothing beside them."""
    return Asked(form, table, rows, [now] * rows, None, None)


def _check_once(names: list[str], where: str) -> None:
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise InvalidInput(f"Every column must be named once. Named more often: {listed(twice)}.", where=where)


def _decoded(body: bytes) -> Body:
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as problem:
        raise InvalidInput(f"The request is not shaped as it must be: {clipped(str(problem), 300)}.") from None
    except RecursionError:
        raise InvalidInput("The request is nested too deeply. Send rows of plain values.") from None
    except UnicodeDecodeError as problem:
        raise InvalidInput(f"The request must be UTF-8. It is not at byte {problem.start}.") from None
    except ValueError as problem:
        hint = " NaN and Infinity are not JSON: send null." if b"NaN" in body or b"Infinity" in body else ""
        raise InvalidInput(f"The request must be JSON: {clipped(str(problem), 300)}.{hint}") from None


def _counted(form: str, table: Any) -> tuple[Any, int]:
    """The table with its number of rows. Rows that are objects and rows that are lists may not be mixed."""
    if isinstance(table, Split):
        return _of_split(table), len(table.data)
    if isinstance(table, dict):
        return _of_columns(table)
    if form == "dataframe_records" or all(type(row) is dict for row in table):
        return table, len(table)
    if all(type(row) is list for row in table):
        return Split(table), len(table)
    raise InvalidInput(
        f"Rows must be objects with the columns' names, or lists in the columns' order. Got {listed_kinds(table)}.",
        where=form,
    )


def _of_split(table: Split) -> Split:
    if table.columns is None:
        return table
    names = [str(name) for name in table.columns]
    _check_once(names, "dataframe_split.columns")
    return Split(table.data, names)  # type: ignore[arg-type]  # list is invariant; names are text from here on


def _of_columns(table: dict[str, Any]) -> tuple[Columns, int]:
    for name, values in table.items():
        if type(values) is not list:
            raise InvalidInput(
                f"Column {quoted(name)} must be a list with one value per row. Got {kind(values)}.",
                where=f"inputs.{clipped(name)}",
            )
    lengths = {name: len(values) for name, values in table.items()}
    if len(set(lengths.values())) > 1:
        (first, rows), *others = lengths.items()
        other, length = next((name, length) for name, length in others if length != rows)
        raise InvalidInput(
            f"All columns must have the same number of rows. {quoted(first)} has {rows}, {quoted(other)} {length}.",
            where=f"inputs.{clipped(other)}",
        )
    return table, next(iter(lengths.values()), 0)
