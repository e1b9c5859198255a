"""Parquet that somebody sends, unpacked within limits that are known before it is.

pyarrow is imported where it is used: it is heavy, and most processes never see a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tenure.errors import InvalidInput, TooLarge
from tenure.serving.decoding import Columns

if TYPE_CHECKING:
    import pyarrow as pa

NUMBER_BYTES = 8
WIDEST_NUMBER_BYTES = 32
"""Of a decimal, which Parquet keeps in a block of a fixed length."""
MOST_UNPACKED = 512 * 1024 * 1024


def columns(body: bytes, most_rows: int) -> tuple[Columns, int]:
    """A file's columns by name, and its number of rows. Numbers without a null are arrays. Raises InvalidInput."""
    import pyarrow as pa

    try:
        table = flat(body, most_rows, MOST_UNPACKED)
        if len(set(table.column_names)) < table.num_columns:
            raise InvalidInput("Every column must be named once. One comes twice.", where="parquet")
        return {name: _values(table.column(name)) for name in table.column_names}, table.num_rows
    except (pa.ArrowException, OSError, OverflowError) as problem:
        raise InvalidInput(f"The request cannot be read as Parquet: {str(problem).splitlines()[0][:200]}.") from None


def flat(body: bytes, most_rows: int, most_unpacked: int) -> pa.Table:
    """A Parquet file of plain columns: `most_rows` of them and `most_unpacked` bytes once it is unpacked, or TooLarge.

    A text that is kept once and repeated by number takes a few bytes for gigabytes, so texts are read as they are kept,
    counted, and only then written out. For the same reason no column may hold lists. Raises InvalidInput for one that
    does, and what Arrow raises for what cannot be read.
    """
    import pyarrow as pa

    table = as_kept(body, most_rows, most_unpacked)
    plain = [column.cast(plain_kind(column.type)) for column in table.columns]
    return pa.table(plain, names=table.column_names)


def as_kept(body: bytes, most_rows: int, most_unpacked: int, *, unrepeated: tuple[str, ...] = ()) -> pa.Table:
    """As `flat`, with texts as dictionaries; not those of `unrepeated`, in which none is repeated."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(pa.BufferReader(body)) as file:
        told = file.metadata
        groups = [told.row_group(number) for number in range(told.num_row_groups)]
        columns = [file.schema.column(number) for number in range(len(file.schema.names))]
        numbers = told.num_rows * len(columns) * NUMBER_BYTES
        if told.num_rows > most_rows or max(numbers, sum(one.total_byte_size for one in groups)) > most_unpacked:
            raise too_large(most_rows, most_unpacked)
        _check_flat(columns)
        kept = [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]
        texts = [path for path in kept if path not in unrepeated]
    with pq.ParquetFile(pa.BufferReader(body), read_dictionary=texts) as file:
        table = file.read(use_threads=False)
    if numbers + sum(written_out(column) for column in table.columns) > most_unpacked:
        raise too_large(most_rows, most_unpacked)
    return table


def _check_flat(columns: Sequence[Any]) -> None:
    for column in columns:
        if "." in column.path or column.max_repetition_level or column.length > WIDEST_NUMBER_BYTES:
            raise InvalidInput(f"A column must hold plain values. {column.path[:80]!r} holds lists, groups or blocks.")


def written_out(column: pa.ChunkedArray) -> int:
    """The bytes of a column's texts when each of them is written out."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type):
        return 0
    lengths = (pc.binary_length(chunk.dictionary).cast(pa.int64()).take(chunk.indices) for chunk in column.chunks)
    return sum(pc.sum(each).as_py() or 0 for each in lengths)


def plain_kind(kind: pa.DataType) -> pa.DataType:
    """What a dictionary's values are; other types are what they are."""
    import pyarrow as pa

    return kind.value_type if pa.types.is_dictionary(kind) else kind


def too_large(most_rows: int, most_unpacked: int) -> TooLarge:
    """What is said of a table beyond its limits."""
    return TooLarge(
        f"A table may have {most_rows:,} rows and unpack to {most_unpacked // 1024**2} MiB at most. Send several."
    )


def _values(column: pa.ChunkedArray) -> Any:
    """Numbers as an array, or as a list where one is missing; instants and dates as ISO 8601; decimals as floats."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return column.to_pylist() if column.null_count else column.to_numpy()
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return [None if one is None else one.isoformat() for one in _moments(column).to_pylist()]
    if pa.types.is_decimal(kind):
        return [None if one is None else float(one) for one in column.to_pylist()]
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind):
        return column.to_pylist()
    raise InvalidInput(f"A column must hold numbers, text, true or false, or dates. Got {kind}.", where="parquet")


def _moments(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """In microseconds, which Python's dates have; nanoseconds below them are dropped."""
    import pyarrow as pa

    kind = column.type
    return column.cast(pa.timestamp("us", tz=kind.tz), safe=False) if pa.types.is_timestamp(kind) else column
