"""Outcomes as columns: what each must be, asked of all of them at once.

A row that does not fit is told by its number, its field and what must be there; rows that fit come out as keys, values
and instants. A hundred thousand of them take a tenth of a second, where one after the other they would take one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import numpy as np

from tenure.monitor.outcome_classes import Classes
from tenure.records.base import Instant, instant_of
from tenure.records.frames import BY_REFERENCE
from tenure.records.outcomes import RowProblem
from tenure.serving.decoding import REFERENCE_CHARACTERS

PREDICTION_ID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(:(0|[1-9][0-9]{0,8}))?$"
ID_CHARACTERS = 36
FIRST_SURE_US = 10**14  # 1973: smaller numbers are seconds or milliseconds in disguise
LAST_US = 9_223_372_036_854_775  # 2262, where nanoseconds of 64 bits end
TRUTH = {"true": 1.0, "false": 0.0}
NO_CLASSES = Classes({}, "")
MOST_TOLD = 20
"""How many rows that do not fit are told of; the others are counted."""
EITHER = "An outcome must name its prediction by either `prediction_id` or `reference`. Got {got}."
REFERENCE = f"A reference must have 1 to {REFERENCE_CHARACTERS} characters. Got {{got}}."
ID = (
    "A prediction id must be what the answer's header Tenure-Prediction-Id says, with `:` and the row's number "
    "for a batch, such as 0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b:0."
)
VALUE = "An outcome's value must be a finite number, true/false or the name of a class. Got {got}."
TIME = (
    "An event time must be ISO 8601, such as 2013-02-01T05:00:00Z, or whole microseconds since 1970, "
    "before the year 2262."
)

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Column = Any
"""An Arrow array."""


class Checked(msgspec.Struct):
    """The rows that fit, and which of them they were; the first problems, and how many rows do not fit."""

    key: Column
    value: np.ndarray[Any, np.dtype[np.float64]]
    event_at: np.ndarray[Any, np.dtype[np.int64]]
    rows: np.ndarray[Any, np.dtype[np.int64]]
    problems: list[RowProblem]
    wrong: int


class _Trouble(msgspec.Struct):
    """Rows that do not fit for one reason: which, in which field, and what to say of one of them."""

    rows: Mask
    field: str
    says: Callable[[int], str]


def checked(
    table: Any,
    now: Instant,
    first: int = 0,
    named: str = "outcomes",
    classes: Callable[[], Classes] = lambda: NO_CLASSES,
) -> Checked:
    """Hold a table with the columns value, prediction_id or reference, and perhaps event_time to what they must be.

    `first`: the number of its first row within what was sent; `named`: what rows are called in `where`; `classes`:
    asked for the classes of the endpoint where a value is neither a number nor true or false.
    """
    import pyarrow.compute as pc

    columns = {name: table.column(name).combine_chunks() for name in table.column_names}
    ids, references = _texts(columns.get("prediction_id"), table), _texts(columns.get("reference"), table)
    by_id, by_reference = _mask(pc.is_valid(ids)), _mask(pc.is_valid(references))
    length = pc.fill_null(pc.utf8_length(references), 1).to_numpy(zero_copy_only=False)
    lower = pc.utf8_lower(ids)
    is_id = _mask(pc.fill_null(pc.match_substring_regex(lower, PREDICTION_ID), True))
    value, no_value, values_say = _values(columns["value"], classes)
    event_at, no_time = event_times(columns.get("event_time"), now, table.num_rows)
    troubles = [
        _Trouble(by_id == by_reference, "", lambda row: EITHER.format(got="both" if by_id[row] else "neither")),
        _Trouble(
            (length < 1) | (length > REFERENCE_CHARACTERS), ".reference", lambda row: REFERENCE.format(got=length[row])
        ),
        _Trouble(~is_id, ".prediction_id", lambda _: ID),
        _Trouble(no_value, ".value", values_say),
        _Trouble(no_time, ".event_time", lambda _: TIME),
    ]
    wrong = np.logical_or.reduce([one.rows for one in troubles])
    key = _keys(lower, references, by_reference)
    return Checked(
        key=key.filter(_arrow(~wrong)) if wrong.any() else key,
        value=value[~wrong],
        event_at=event_at[~wrong],
        rows=first + np.flatnonzero(~wrong),
        problems=[_told(int(row), troubles, first, named) for row in np.flatnonzero(wrong)[:MOST_TOLD]],
        wrong=int(wrong.sum()),
    )


def event_time(given: Any, now: Instant) -> int | None:
    """When it happened: ISO 8601 (UTC where no offset is given) or microseconds since 1970; now when not given.

    None for what is neither.
    """
    if given is None:
        return now
    if isinstance(given, str) and not given.strip().lstrip("-").isdecimal():
        try:
            instant = instant_of(datetime.fromisoformat(given))
        except (ValueError, OverflowError):
            return None
        return instant if abs(instant) <= LAST_US else None
    number = int(given)
    return number if FIRST_SURE_US <= number <= LAST_US else None


def _told(row: int, troubles: Sequence[_Trouble], first: int, named: str) -> RowProblem:
    found = next(one for one in troubles if one.rows[row])
    return RowProblem(row=first + row, where=f"{named}[{first + row}]{found.field}", message=found.says(row))


def _keys(ids: Column, references: Column, by_reference: Mask) -> Column:
    """A prediction id with its row, or `ref:` and the caller's reference."""
    import pyarrow.compute as pc

    alone = pc.equal(pc.utf8_length(ids), ID_CHARACTERS)
    with_row = pc.if_else(alone, pc.binary_join_element_wise(ids, "0", ":"), ids)
    return pc.if_else(_arrow(by_reference), pc.binary_join_element_wise(BY_REFERENCE, references, ""), with_row)


def _texts(column: Column | None, table: Any) -> Column:
    import pyarrow as pa

    return pa.nulls(table.num_rows, pa.string()) if column is None else column.cast(pa.string())


def _values(
    column: Column, classes: Callable[[], Classes]
) -> tuple[np.ndarray[Any, np.dtype[np.float64]], Mask, Callable[[int], str]]:
    """Numbers, which of them are none (missing, not finite, or nothing that is known), and what to say of one."""
    import pyarrow as pa

    given, known = column, NO_CLASSES
    if not (pa.types.is_primitive(column.type) or pa.types.is_null(column.type)):
        column, known = _numbers_of_texts(column.cast(pa.string()), classes)
    number = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)

    def says(row: int) -> str:
        return f"{VALUE.format(got=_shown(given[row].as_py()))} {known.said}".rstrip()

    return number, ~np.isfinite(number), says


def _shown(value: object) -> str:
    return "none" if value is None else repr(value)[:60]


def _numbers_of_texts(column: Column, classes: Callable[[], Classes]) -> tuple[Column, Classes]:
    """Texts as numbers, each different one looked at once: numbers, true and false, then names of classes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return column.cast(pa.float64()), NO_CLASSES
    except pa.ArrowInvalid:
        encoded = pc.dictionary_encode(column)
        texts = encoded.dictionary.to_pylist()
        told, known = [_number(text) for text in texts], NO_CLASSES
        if None in told:
            known = classes()
            by_name = [known.number.get(text.strip()) for text in texts]
            told = [name if one is None else one for one, name in zip(told, by_name, strict=True)]
        return pa.array(told, pa.float64()).take(encoded.indices), known


def _number(text: str) -> float | None:
    told = text.strip().lower()
    try:
        return TRUTH[told] if told in TRUTH else float(told)
    except ValueError:
        return None


def event_times(column: Column | None, now: Instant, rows: int) -> tuple[np.ndarray[Any, np.dtype[np.int64]], Mask]:
    """Microseconds since 1970, `now` where none are given; and which rows hold no instant that can be meant."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if column is None or pa.types.is_null(column.type):
        return np.full(rows, now, np.int64), np.zeros(rows, bool)
    if pa.types.is_string(column.type):
        told = [event_time(given, now) for given in column.to_pylist()]
        bad = np.array([one is None for one in told], bool)
        return np.array([0 if one is None else one for one in told], np.int64), bad
    missing = _mask(pc.is_null(column))
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        column, least = _microseconds(column), -LAST_US
    elif pa.types.is_integer(column.type):
        least = FIRST_SURE_US
    else:
        return np.full(rows, now, np.int64), ~missing
    number = pc.fill_null(column.cast(pa.int64(), safe=False), 0).to_numpy(zero_copy_only=False)
    bad = ~missing & ((number < least) | (number > LAST_US))
    return np.where(missing, now, number), bad


def _microseconds(column: Column) -> Column:
    """Instants as whole microseconds; finer ones are cut, and what overflows is beyond what can be meant."""
    import pyarrow as pa
    import pyarrow.compute as pc

    zone = getattr(column.type, "tz", None)
    finer = pa.types.is_timestamp(column.type) and column.type.unit == "ns"
    try:
        return column.cast(pa.timestamp("us", tz=zone), safe=not finer).cast(pa.int64())
    except pa.ArrowInvalid:  # seconds that overflow as microseconds
        beyond = pa.array([LAST_US + 1] * len(column), pa.int64())
        return pc.if_else(pc.is_null(column), pa.scalar(None, pa.int64()), beyond)


def _mask(column: Column) -> Mask:
    found: Mask = column.to_numpy(zero_copy_only=False).astype(bool)
    return found


def _arrow(mask: Mask) -> Column:
    import pyarrow as pa

    return pa.array(mask)
