"""From a request's body to rows: MLflow's four forms, and what is ours beside them, read once and counted.

Errors say where the body is wrong and never repeat a value: it may be somebody's secret.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import msgspec

from tenure.errors import InvalidInput, TooLarge
from tenure.records.base import Instant, instant_of
from tenure.serving.saying import clipped, kind, listed, listed_kinds, quoted

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
REFERENCE_CHARACTERS = 512
FIRST_SURE_MICROSECOND = 10**14
"""Below it an integer is more likely in seconds or milliseconds (until the year 5138 each)."""
LAST_MICROSECOND = 9_223_372_036_854_775
"""2262-04-11: what fits into nanoseconds of 64 bits."""

Columns = dict[str, list[Any]]


class Split(msgspec.Struct, forbid_unknown_fields=True):
    data: list[list[Any]]
    columns: list[str | int] | None = None
    index: list[Any] | None = None


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """A scoring request as it comes: MLflow's four forms of rows, and what is ours."""

    dataframe_split: Split | None = None
    dataframe_records: list[dict[str, Any]] | None = None
    instances: list[Any] | None = None
    inputs: dict[str, Any] | list[Any] | None = None
    params: dict[str, Any] | None = None
    event_time: str | int | list[str | int] | None = None
    reference: str | list[str] | None = None


class Asked(msgspec.Struct):
    """A request whose rows are counted, but not yet checked against a version's columns."""

    form: str
    table: Any
    rows: int
    event_at: list[int]
    reference: list[str] | None
    params: dict[str, Any] | None


_decoder = msgspec.json.Decoder(Body)


def parse(body: bytes, *, now: Instant, max_rows: int) -> Asked:
    """Read a request's body. Raises InvalidInput or TooLarge, saying where it is wrong."""
    decoded = _decoded(body)
    given = [form for form in FORMS if getattr(decoded, form) is not None]
    if len(given) != 1:
        raise InvalidInput(
            f"A scoring request must hold exactly one of {', '.join(FORMS)}. "
            f"Got {' and '.join(given) if given else 'none of them'}."
        )
    form = given[0]
    table, rows = _counted(form, getattr(decoded, form))
    if rows == 0:
        raise InvalidInput("A scoring request must hold at least one row. Got an empty batch.", where=form)
    if rows > max_rows:
        raise TooLarge(f"A scoring request may hold at most {max_rows} rows. Got {rows}. Send several.", where=form)
    return Asked(
        form,
        table,
        rows,
        _event_times(decoded.event_time, rows, now),
        _references(decoded.reference, rows),
        decoded.params or None,
    )


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
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise InvalidInput(
            f"Every column must be named once. Named more often: {listed(twice)}.", where="dataframe_split.columns"
        )
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


def _event_times(given: str | int | list[str | int] | None, rows: int, now: Instant) -> list[int]:
    if given is None:
        return [now] * rows
    if not isinstance(given, list):
        return [_event_time(given, "event_time")] * rows
    if len(given) != rows:
        raise InvalidInput(
            f"`event_time` must be one instant for all rows or a list with one per row: {rows}. Got {len(given)}.",
            where="event_time",
        )
    return [_event_time(value, f"event_time[{row}]") for row, value in enumerate(given)]


def _event_time(given: str | int, where: str) -> int:
    if isinstance(given, str):
        try:
            instant = instant_of(datetime.fromisoformat(given))
        except (ValueError, OverflowError):
            raise InvalidInput(
                "An event time must be ISO 8601, such as 2013-02-01T05:00:00Z, or whole microseconds since 1970.",
                where=where,
            ) from None
        if abs(instant) <= LAST_MICROSECOND:
            return instant
    elif FIRST_SURE_MICROSECOND <= given <= LAST_MICROSECOND:
        return given
    elif 0 <= given < FIRST_SURE_MICROSECOND:
        raise InvalidInput(
            "An event time as a number must be microseconds since 1970. What was given looks like seconds or "
            "milliseconds. Multiply it, or write ISO 8601.",
            where=where,
        )
    raise InvalidInput("An event time must lie between the years 1678 and 2262.", where=where)


def _references(given: str | list[str] | None, rows: int) -> list[str] | None:
    if given is None:
        return None
    references = [given] if isinstance(given, str) else given
    if len(references) != rows:
        raise InvalidInput(
            f"`reference` must be a list with one text per row: {rows}. Got {len(references)}.", where="reference"
        )
    if len(set(references)) < rows:
        raise InvalidInput(
            "A reference may stand for one row of a request only, since outcomes are told by it. "
            f"Row {_second_of_its_kind(references)} repeats an earlier one.",
            where=f"reference[{_second_of_its_kind(references)}]",
        )
    for row, reference in enumerate(references):
        if not 0 < len(reference) <= REFERENCE_CHARACTERS:
            raise InvalidInput(
                f"A reference must have 1 to {REFERENCE_CHARACTERS} characters. Got {len(reference)}.",
                where=f"reference[{row}]",
            )
    return references


def _second_of_its_kind(values: list[str]) -> int:
    seen: set[str] = set()
    for position, value in enumerate(values):
        if value in seen:
            return position
        seen.add(value)
    return 0


def score_of(output: Any) -> float | None:
    """A row's score: the output when it is one number, the second of two (predict_proba), else None.

    >>> [score_of(output) for output in (0.25, [0.9, 0.1], True, "late", [1, 2, 3], float("nan"))]
    [0.25, 0.1, 1.0, None, None, None]
    """
    if type(output) is list and len(output) == 2:
        output = output[1]
    if isinstance(output, int | float) and math.isfinite(output):
        return float(output)
    return None
