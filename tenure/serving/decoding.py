"""What every protocol turns a request into: rows that are counted, and what belongs to them.

Each protocol (`serving/protocols/`) reads its own body; from here on there is one way. Errors say where a request is
wrong and never repeat a value: it may be somebody's secret.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from tenure.errors import InvalidInput, TooLarge
from tenure.records.base import Instant, instant_of

if TYPE_CHECKING:
    from tenure.serving.columns import Inputs

REFERENCE_CHARACTERS = 512
FIRST_SURE_MICROSECOND = 10**14
"""Below it an integer is more likely in seconds or milliseconds (until the year 5138 each)."""
LAST_MICROSECOND = 9_223_372_036_854_775
"""2262-04-11: what fits into nanoseconds of 64 bits."""

Columns = dict[str, Any]
"""Values by the column's name, one per row: a list of Python's own, or an array of NumPy that came as bytes and was
never taken apart. Which of both is asked as `type(values) is not list`, which needs no NumPy: a gateway that only reads
JSON never loads it.
"""


class Request(msgspec.Struct, gc=False):
    """A scoring request as it came: headers by their lower-case name, those that are known; the whole body.

    `inputs`: what the endpoint's champion takes, for the one form of a body that says nothing about itself.
    """

    headers: Mapping[str, str]
    body: bytes
    now: Instant
    max_rows: int
    inputs: Inputs | None = None


class Split(msgspec.Struct, forbid_unknown_fields=True):
    """Rows as lists of values."""

    data: list[list[Any]]
    columns: list[str | int] | None = None
    index: list[Any] | None = None


class Matrix(msgspec.Struct):
    """Columns in the order of the signature, under one name that is theirs together.

    `values`: all of them together, a flat list or an array, for a look at all at once.
    """

    name: str
    columns: list[Any]
    values: Any


class Texts(msgspec.Struct):
    """Columns of cells that are text yet, as CSV has them; what they mean is known by the signature alone."""

    columns: dict[str, list[str]]


class Asked(msgspec.Struct):
    """A request whose rows are counted, but not yet checked against a version's columns.

    `table` is a Split, a Matrix, Texts, a list of rows as objects, or columns by name. `form` is what errors call it.
    `wants`: how the protocol that read it shall answer; nobody else looks at it. `checked`: the version's columns that
    the table was decoded into already, in their order.
    """

    form: str
    table: Any
    rows: int
    event_at: list[int]
    reference: list[str] | None
    params: dict[str, Any] | None
    wants: Any = None
    checked: Inputs | None = None


class Answer(msgspec.Struct):
    """What a version said, ready to be told in the protocol that asked. `outputs`: a list, or an array of NumPy."""

    endpoint: str
    version: int
    prediction_id: str
    outputs: Any


def check_rows(rows: int, max_rows: int, form: str) -> None:
    """Raise InvalidInput for no row, TooLarge for too many."""
    if rows == 0:
        raise InvalidInput("A scoring request must hold at least one row. Got an empty batch.", where=form)
    if rows > max_rows:
        raise TooLarge(f"A scoring request may hold at most {max_rows} rows. Got {rows}. Send several.", where=form)


def event_times(given: str | int | list[str | int] | None, rows: int, now: Instant) -> list[int]:
    """When each row happened: now, at one instant, or at one for each. Raises InvalidInput."""
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


def references(given: str | list[str] | None, rows: int) -> list[str] | None:
    """The caller's own name of each row. Raises InvalidInput."""
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
