"""Tables that somebody sends, as CSV or Parquet: read within limits, as columns of texts or numbers."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tenure.errors import InvalidInput, TooLarge, UnsupportedType

if TYPE_CHECKING:
    import pyarrow as pa

CSV, PARQUET = "text/csv", "application/vnd.apache.parquet"
MOST_ROWS = 2_000_000
MOST_UNPACKED = 512 * 1024 * 1024
NUMBER_BYTES = 8
WIDEST_NUMBER_BYTES = 32
"""Of a decimal, which Parquet keeps in a block of a fixed length."""
Values = list[str | float | None]


def read(body: bytes, content_type: str, *, as_text: tuple[str, ...] = ()) -> dict[str, Values]:
    """Columns by name; numbers as floats, everything else as texts, None where nothing is.

    `as_text` names columns whose digits are names, such as a key: `007` stays `007`. Raises InvalidInput.
    """
    import pyarrow as pa

    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == CSV:
            table = _from_csv(body, as_text)
        elif kind == PARQUET:
            table = _from_parquet(body)
        else:
            raise UnsupportedType(f"The content type must be {CSV} or {PARQUET}. Got {kind!r}.", where="content-type")
        if table.num_rows > MOST_ROWS:
            raise TooLarge(f"A table may have at most {MOST_ROWS:,} rows. Got {table.num_rows:,}.")
        if len(set(table.column_names)) != table.num_columns:
            raise InvalidInput("Every column must have a name of its own. One comes twice.")
        return {name: _column(table.column(name), name in as_text) for name in table.column_names}
    except (pa.ArrowException, OSError, OverflowError) as problem:
        raise InvalidInput(f"The table cannot be read: {str(problem).splitlines()[0]}.") from None


def _from_csv(body: bytes, as_text: tuple[str, ...]) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    types = {name: pa.string() for name in as_text}
    options = csv.ConvertOptions(column_types=types, strings_can_be_null=True)
    return csv.read_csv(io.BytesIO(body), convert_options=options)


def _from_parquet(body: bytes) -> pa.Table:
    return flat_parquet(body, MOST_ROWS, MOST_UNPACKED)


def flat_parquet(body: bytes, most_rows: int, most_unpacked: int) -> pa.Table:
    """A Parquet file of plain columns: `most_rows` of them and `most_unpacked` bytes once it is unpacked, or TooLarge.

    A text that is kept once and repeated by number takes a few bytes for gigabytes, so texts are read as they are kept,
    counted, and only then written out. For the same reason no column may hold lists. Raises InvalidInput for one that
    does, and what Arrow raises for what cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(pa.BufferReader(body)) as file:
        told = file.metadata
        groups = [told.row_group(number) for number in range(told.num_row_groups)]
        columns = [file.schema.column(number) for number in range(len(file.schema.names))]
        numbers = told.num_rows * len(columns) * NUMBER_BYTES
        if told.num_rows > most_rows or max(numbers, sum(one.total_byte_size for one in groups)) > most_unpacked:
            raise _too_large(most_rows, most_unpacked)
        _check_flat(columns)
        texts = [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]
    with pq.ParquetFile(pa.BufferReader(body), read_dictionary=texts) as file:
        table = file.read(use_threads=False)
    if numbers + sum(_written_out(column) for column in table.columns) > most_unpacked:
        raise _too_large(most_rows, most_unpacked)
    plain = [column.cast(_kept(column.type)) for column in table.columns]
    return pa.table(plain, names=table.column_names)


def _check_flat(columns: Sequence[Any]) -> None:
    for column in columns:
        if "." in column.path or column.max_repetition_level or column.length > WIDEST_NUMBER_BYTES:
            raise InvalidInput(f"A column must hold plain values. {column.path[:80]!r} holds lists, groups or blocks.")


def _written_out(column: pa.ChunkedArray) -> int:
    """The bytes of a column's texts when each of them is written out."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type):
        return 0
    lengths = (pc.binary_length(chunk.dictionary).cast(pa.int64()).take(chunk.indices) for chunk in column.chunks)
    return sum(pc.sum(each).as_py() or 0 for each in lengths)


def _kept(kind: pa.DataType) -> pa.DataType:
    """What a dictionary's values are; other types are what they are."""
    return getattr(kind, "value_type", kind)


def _too_large(most_rows: int, most_unpacked: int) -> TooLarge:
    return TooLarge(
        f"A table may have {most_rows:,} rows and unpack to {most_unpacked // 1024**2} MiB at most. Send several."
    )


def _column(column: pa.ChunkedArray, as_text: bool) -> Values:
    import pyarrow as pa

    kind = column.type
    if not as_text and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return [None if value is None else float(value) for value in column.to_pylist()]
    return [None if value is None else str(value) for value in column.to_pylist()]
