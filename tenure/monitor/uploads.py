"""Outcomes as files: CSV or Parquet with the columns value, prediction_id or reference, and event_time."""

from __future__ import annotations

import csv
import io
from typing import Any

import msgspec

from tenure.errors import InvalidInput, TooLarge
from tenure.manage import tables
from tenure.records.outcomes import Outcome, OutcomeBatch

COLUMNS = ("prediction_id", "reference", "value", "event_time")
UNPACKED_LIMIT = 256 * 1024 * 1024
YES_NO = {"true": True, "false": False}


def from_csv(body: bytes, max_rows: int) -> OutcomeBatch:
    """A CSV file with a header line, UTF-8. Raises InvalidInput naming the line."""
    try:
        lines = csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        _check_columns(list(lines.fieldnames or []))
        rows = []
        for number, line in enumerate(lines):
            if number >= max_rows:
                raise _too_many(max_rows)
            if None in line or None in line.values():
                raise InvalidInput(
                    f"Line {number + 2} must have as many fields as the header.", where=f"outcomes[{number}]"
                )
            rows.append({name: value for name, value in line.items() if value != ""})
    except UnicodeDecodeError as problem:
        raise InvalidInput(f"The file must be UTF-8. Byte {problem.start} is not.") from None
    except csv.Error as problem:
        raise InvalidInput(f"The file cannot be read as CSV: {problem}.") from None
    return _batch([{**row, **_from_text(row)} for row in rows])


def from_parquet(body: bytes, max_rows: int) -> OutcomeBatch:
    """A Parquet file. Sizes are checked before anything is written out. Raises InvalidInput, TooLarge."""
    table = tables.flat_parquet(body, max_rows, UNPACKED_LIMIT)
    _check_columns(table.column_names)
    return _batch(_plain(table).to_pylist())


def _plain(table: Any) -> Any:
    """The table with instants as whole microseconds UTC."""
    import pyarrow as pa

    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            column = table.column(place).cast(pa.timestamp("us", tz=field.type.tz)).cast(pa.int64())
            table = table.set_column(place, field.name, column)
    return table


def _from_text(row: dict[str, str]) -> dict[str, Any]:
    """Fields of a line that are not text."""
    found: dict[str, Any] = {}
    if "value" in row:
        found["value"] = YES_NO.get(row["value"].strip().lower(), _number(row["value"], float))
    if "event_time" in row:
        found["event_time"] = _number(row["event_time"], int)
    return found


def _number(text: str, kind: type[int] | type[float]) -> int | float | str:
    """A number, or the text as it is: what checks it next says what it must be."""
    try:
        return kind(text)
    except ValueError:
        return text


def _batch(rows: list[dict[str, Any]]) -> OutcomeBatch:
    try:
        return OutcomeBatch(outcomes=msgspec.convert(rows, list[Outcome]))
    except msgspec.ValidationError as problem:
        reason, _, place = str(problem).partition(" - at `$[")
        number, _, field = place.rstrip("`").partition("]")
        raise InvalidInput(f"Row {number}: {reason}.", where=f"outcomes[{number}]{field}") from None


def _check_columns(names: list[str]) -> None:
    unknown = sorted(set(names) - set(COLUMNS))
    if (
        unknown
        or "value" not in names
        or not {"prediction_id", "reference"} & set(names)
        or len(set(names)) < len(names)
    ):
        raise InvalidInput(
            "The columns must be `value`, one or both of `prediction_id` and `reference`, and perhaps `event_time`. "
            f"Got {', '.join(names[:20]) or 'none'}."
        )


def _too_many(max_rows: int) -> TooLarge:
    return TooLarge(f"A file may hold {max_rows:,} outcomes. Send several.", where="outcomes")
