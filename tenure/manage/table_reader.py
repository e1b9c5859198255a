"""The process that reads tables: `python -m tenure.manage.table_reader`. It reads one and ends.

It gets a line that says what is asked, and the file, on standard input. It answers a line that says how that went and,
when it went well, the table as an Arrow stream: plain columns, whose sizes were counted before they were written out.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

import msgspec

from tenure.errors import InvalidInput, TooLarge
from tenure.serving import parquet
from tenure.store import confined
from tenure.store.lean import refuse_frameworks

if TYPE_CHECKING:
    import pyarrow as pa

CPU_S = 30
SPARE_BYTES = 256 * 1024 * 1024
"""What it may map besides the file, its columns as they are kept, and as they are written out."""
BLOCK_ROWS = 65_536
READ_BYTES = 1024 * 1024


class Asked(msgspec.Struct):
    """A table in so many bytes, of so many rows and bytes unpacked at most; `as_text` names columns of names.

    `in_blocks`: told block by block, and the limit on what is unpacked is one of each block. CSV and Arrow streams are
    read so; of Parquet, whose foot comes last, the whole file is read first.
    """

    kind: Literal["csv", "parquet", "arrow"]
    size_bytes: int
    most_rows: int
    most_unpacked: int
    as_text: tuple[str, ...] = ()
    in_blocks: bool = False


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
        held = 0 if asked.in_blocks and asked.kind != "parquet" else asked.size_bytes
        confined.confine(held + 3 * asked.most_unpacked + SPARE_BYTES, CPU_S)
        if asked.in_blocks:
            tell_blocks(asked)
            return
        said, table = answer(asked, sys.stdin.buffer.read())
        sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n")
        if table is not None:
            with pa.ipc.new_stream(sys.stdout.buffer, table.schema) as stream:
                stream.write_table(table)
        sys.stdout.buffer.flush()


def tell_blocks(asked: Asked) -> None:
    """Tell a table block by block, each an Arrow stream of its own; then, as the last bit, how that went."""
    confined.say(msgspec.json.encode(_said(lambda: _say_blocks(asked))))
    sys.stdout.buffer.flush()


def _say_blocks(asked: Asked) -> None:
    import pyarrow as pa

    rows = 0
    for table in _blocks(asked):
        for start in range(0, table.num_rows, BLOCK_ROWS):
            block = table.slice(start, BLOCK_ROWS)
            rows += block.num_rows
            if rows > asked.most_rows:
                raise TooLarge(f"A table may have at most {asked.most_rows:,} rows. Send several.")
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, block.schema) as stream:
                stream.write_table(block)
            confined.say(memoryview(sink.getvalue()))


def _blocks(asked: Asked) -> Iterator[pa.Table]:
    import pyarrow as pa
    from pyarrow import csv

    if asked.kind == "parquet":
        yield parquet.flat(sys.stdin.buffer.read(), asked.most_rows, asked.most_unpacked)
    elif asked.kind == "csv":
        types = {name: pa.string() for name in asked.as_text}
        options = csv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""])
        reading = csv.ReadOptions(block_size=READ_BYTES, use_threads=False)
        with csv.open_csv(sys.stdin.buffer, read_options=reading, convert_options=options) as file:
            for batch in file:
                yield pa.Table.from_batches([batch])
    else:
        with pa.ipc.open_stream(sys.stdin.buffer) as file:
            _check_plain(file.schema)
            for batch in file:
                batch.validate(full=True)
                yield _plain(pa.Table.from_batches([batch]), asked)


def _check_plain(schema: pa.Schema) -> None:
    import pyarrow as pa

    for field in schema:
        kind = parquet.plain_kind(field.type)
        plain = pa.types.is_primitive(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)
        if not (plain or pa.types.is_null(kind) or pa.types.is_string_view(kind) or pa.types.is_decimal(kind)):
            raise InvalidInput(f"A column must hold plain values. {field.name[:80]!r} holds {str(kind)[:40]}.")


def _plain(table: pa.Table, asked: Asked) -> pa.Table:
    """A block whose texts are written out, once it is known how long they will be."""
    import pyarrow as pa

    if table.nbytes + sum(parquet.written_out(column) for column in table.columns) > asked.most_unpacked:
        raise parquet.too_large(asked.most_rows, asked.most_unpacked)
    return pa.Table.from_arrays(
        [column.cast(parquet.plain_kind(column.type)) for column in table.columns], table.column_names
    )


def answer(asked: Asked, body: bytes) -> tuple[Said, pa.Table | None]:
    """The table, or what is wrong with it."""
    found: list[pa.Table] = []

    def read() -> None:
        csv = asked.kind == "csv"
        found.append(_from_csv(body, asked) if csv else parquet.flat(body, asked.most_rows, asked.most_unpacked))

    return _said(read), found[0] if found else None


def _said(work: Callable[[], None]) -> Said:
    """Do something with a table, and say how that went."""
    import pyarrow as pa

    try:
        work()
        return Said()
    except TooLarge as refusal:
        return Said("too_large", refusal.message)
    except InvalidInput as refusal:
        return Said("invalid", refusal.message)
    except MemoryError:
        return Said("too_large", "Reading it takes more memory than a table may have. Send several.")
    except (pa.ArrowException, OSError, ValueError, OverflowError, RecursionError) as problem:
        return Said("unreadable", (str(problem).splitlines() or ["its bytes make no sense"])[0])


def _from_csv(body: bytes, asked: Asked) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    types = {name: pa.string() for name in asked.as_text}
    options = csv.ConvertOptions(column_types=types, strings_can_be_null=True)
    table = csv.read_csv(io.BytesIO(body), convert_options=options)
    if table.num_rows > asked.most_rows or table.nbytes > asked.most_unpacked:
        raise parquet.too_large(asked.most_rows, asked.most_unpacked)
    return table


if __name__ == "__main__":
    main()
    confined.leave()
