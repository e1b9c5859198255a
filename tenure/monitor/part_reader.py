"""The process that looks into a batch's parts: `python -m tenure.monitor.part_reader`. It looks into some and ends.

It gets a line that names files and says what each must hold, and answers a list of what it saw. What a caller sent is
read here first, in limits, so that what the lake's readers find later is what they expect.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tenure.errors import TenureError
from tenure.records.base import HOUR_US
from tenure.records.batches import FEATURE_PREFIX, FEATURE_TYPES, PART_COLUMNS, PartAsked, PartsAsked, PartSeen
from tenure.serving import parquet
from tenure.store import confined
from tenure.store.lean import refuse_frameworks

if TYPE_CHECKING:
    import pyarrow as pa

MOST_UNPACKED = 512 * 1024 * 1024
CPU_S = 900
FIRST_US, LAST_US = -9_223_372_036_854_775, 9_223_372_036_854_775
"""Where nanoseconds of 64 bits end: the years 1677 and 2262."""


class _Wrong(Exception):
    """A part that is not what it must be; the text says why, and repeats no value."""


def main() -> None:
    refuse_frameworks()
    import pyarrow as pa
    import pyarrow.parquet

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    line = confined.question()
    if line:
        asked = msgspec.json.decode(line, type=PartsAsked)
        largest = max((Path(part.path).stat().st_size for part in asked.parts), default=0)
        confined.confine(largest + 4 * MOST_UNPACKED, CPU_S)
        sys.stdout.buffer.write(msgspec.json.encode([seen(asked, part) for part in asked.parts]))
        sys.stdout.buffer.flush()


def seen(asked: PartsAsked, part: PartAsked) -> PartSeen:
    """Look into one file."""
    import pyarrow as pa

    try:
        content = Path(part.path).read_bytes()
        table = parquet.as_kept(content, part.rows, MOST_UNPACKED, unrepeated=("prediction_id",))
        return _seen(asked, part, table)
    except _Wrong as wrong:
        return PartSeen(problem=str(wrong))
    except TenureError as problem:
        return PartSeen(problem=problem.message)
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError, RecursionError) as problem:
        return PartSeen(problem=f"it cannot be read ({type(problem).__name__})")


def _seen(asked: PartsAsked, part: PartAsked, table: pa.Table) -> PartSeen:
    import pyarrow as pa
    import pyarrow.compute as pc

    _check_shape(table, part)
    for name, value in asked.said.items():
        _check_said(table.column(name), name, value)
    ids = table.column("prediction_id")
    _check_ids(ids, asked.batch_id, part)
    events = table.column("event_at").cast(pa.int64())
    least, greatest = pc.min_max(events).as_py().values()
    if events.null_count or least < FIRST_US or greatest > LAST_US:
        raise _Wrong("event times must be there and lie between the years 1678 and 2262")
    named = pc.min_max(ids).as_py()
    hours = [least]
    if least // HOUR_US != greatest // HOUR_US:
        hours = pc.unique(pc.floor_temporal(table.column("event_at"), unit="hour")).cast(pa.int64()).to_pylist()
    return PartSeen(
        first_event_at=least,
        last_event_at=greatest,
        first_id=named["min"],
        last_id=named["max"],
        hours=[hour - hour % HOUR_US for hour in hours],
    )


def _check_shape(table: pa.Table, part: PartAsked) -> None:
    if table.num_rows != part.rows or part.rows < 1:
        raise _Wrong(f"it must have {part.rows} rows, and has {table.num_rows}")
    if len(set(table.column_names)) != table.num_columns or not set(PART_COLUMNS) <= set(table.column_names):
        raise _Wrong("it must have each of the columns of a part once")
    for field in table.schema:
        told, kind = PART_COLUMNS.get(field.name), str(parquet.plain_kind(field.type))
        if told is None and not field.name.startswith(FEATURE_PREFIX):
            raise _Wrong(f"{field.name[:64]!r} is no column of a part; a feature's name begins with {FEATURE_PREFIX}")
        if (told is None and kind not in FEATURE_TYPES) or (told is not None and kind != told):
            raise _Wrong(f"the column {field.name[:64]!r} must not hold {kind}")


def _check_said(column: Any, name: str, value: str | int | None) -> None:
    said = column.unique().to_pylist()
    if said != [value]:
        raise _Wrong(f"the column {name!r} must say in every row what the batch was opened with")


def _check_ids(ids: Any, batch_id: str, part: PartAsked) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    if part.rows == part.until_row - part.first_row:  # all rows of the part: mostly, no row was rejected
        every = ids_of(batch_id, pa.arange(part.first_row, part.until_row))
        if ids.combine_chunks().equals(every):
            return
    numbers = _row_numbers(ids, batch_id)
    bounds = pc.min_max(numbers).as_py()
    if bounds["min"] < part.first_row or bounds["max"] >= part.until_row:
        raise _Wrong(f"the ids must be about rows {part.first_row} to {part.until_row - 1}")
    steps = pc.pairwise_diff(numbers.combine_chunks()).drop_null()
    if len(steps) and pc.min(steps).as_py() < 1:
        raise _Wrong("the ids must be in the order of rows, each once")


def _row_numbers(ids: Any, batch_id: str) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if ids.null_count:
        raise _Wrong("every row must have a prediction id")
    try:
        numbers = pc.utf8_slice_codeunits(ids, len(batch_id) + 1).cast(pa.int64())
    except pa.ArrowInvalid:
        numbers = None
    if numbers is None or not pc.all(pc.equal(ids, ids_of(batch_id, numbers))).as_py():
        raise _Wrong("a prediction id must be the batch's id, a colon and the row's number")
    return numbers


def ids_of(batch_id: str, numbers: Any) -> Any:
    """The prediction ids of a batch's rows by their numbers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(pa.scalar(f"{batch_id}:"), numbers.cast(pa.string()), "")


if __name__ == "__main__":
    main()
    confined.leave()
