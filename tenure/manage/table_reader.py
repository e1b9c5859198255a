"""The process that reads tables: `python -m tenure.manage.table_reader`. It reads one and ends.

It gets a line that says what is asked, and the file, on standard input. It answers a line that says how that went and,
when it went well, the table as an Arrow stream: plain columns, whose sizes were counted before they were written out.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from tenure.errors import InvalidInput, TooLarge
from tenure.store import confined
from tenure.store.lean import refuse_frameworks

if TYPE_CHECKING:
    import pyarrow as pa

CPU_S = 30
SPARE_BYTES = 256 * 1024 * 1024
"""What it may map besides the file, its columns as they are kept, and as they are written out."""
NUMBER_BYTES = 8
WIDEST_NUMBER_BYTES = 32
"""Of a decimal, which Parquet keeps in a block of a fixed length."""


class Asked(msgspec.Struct):
    """A table in so many bytes, of so many rows and bytes unpacked at most; `as_text` names columns of names."""

    kind: Literal["csv", "parquet"]
    size_bytes: int
    most_rows: int
    most_unpacked: int
    as_text: tuple[str, ...] = ()


class Said(msgspec.Struct):
    """How it went: the stream of the table follows, or there is a problem of that kind."""

    problem: Literal["", "unreadable", "invalid", "too_large"] = ""
    says: str = ""


def main() -> None:
    refuse_frameworks()
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    line = confined.question()
    if line:
        asked = msgspec.json.decode(line, type=Asked)
        confined.confine(asked.size_bytes + 3 * asked.most_unpacked + SPARE_BYTES, CPU_S)
        said, table = answer(asked, sys.stdin.buffer.read())
        sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n")
        if table is not None:
            with pa.ipc.new_stream(sys.stdout.buffer, table.schema) as stream:
                stream.write_table(table)
        sys.stdout.buffer.flush()


def answer(asked: Asked, body: bytes) -> tuple[Said, pa.Table | None]:
    """The table, or what is wrong with it."""
    import pyarrow as pa

    try:
        if asked.kind == "csv":
            return Said(), _from_csv(body, asked)
        return Said(), flat_parquet(body, asked.most_rows, asked.most_unpacked)
    except TooLarge as refusal:
        return Said("too_large", refusal.message), None
    except InvalidInput as refusal:
        return Said("invalid", refusal.message), None
    except MemoryError:
        return Said("too_large", "Reading it takes more memory than a table may have. Send several."), None
    except (pa.ArrowException, OSError, ValueError, OverflowError, RecursionError) as problem:
        return Said("unreadable", (str(problem).splitlines() or ["its bytes make no sense"])[0]), None


def _from_csv(body: bytes, asked: Asked) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    types = {name: pa.string() for name in asked.as_text}
    options = csv.ConvertOptions(column_types=types, strings_can_be_null=True)
    table = csv.read_csv(io.BytesIO(body), convert_options=options)
    if table.num_rows > asked.most_rows or table.nbytes > asked.most_unpacked:
        raise _too_large(asked.most_rows, asked.most_unpacked)
    return table


def flat_parquet(body: bytes, most_rows: int, most_unpacked: int, *, as_kept: tuple[str, ...] = ()) -> pa.Table:
    """A Parquet file of plain columns: `most_rows` of them and `most_unpacked` bytes once it is unpacked, or TooLarge.

    A text that is kept once and repeated by number takes a few bytes for gigabytes, so texts are read as they are kept,
    counted, and only then written out; not those of `as_kept`, in which none is repeated. For the same reason no column
    may hold lists. Raises InvalidInput for one that does, and what Arrow raises for what cannot be read.
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
        kept = [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]
        texts = [path for path in kept if path not in as_kept]
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


if __name__ == "__main__":
    main()
