"""Tables that somebody sends, as CSV or Parquet: read within limits, as columns of texts or numbers.

A process of its own reads each (`table_reader`). What it hands back is held to what it must be before it is believed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, Literal

import msgspec

from tenure.errors import InvalidInput, TooLarge, TooMany, UnsupportedType
from tenure.manage.table_reader import Asked, Said
from tenure.store import confined

if TYPE_CHECKING:
    import pyarrow as pa

CSV, PARQUET = "text/csv", "application/vnd.apache.parquet"
ARROW = "application/vnd.apache.arrow.stream"
Kind = Literal["csv", "parquet", "arrow"]
KINDS: dict[str, Kind] = {CSV: "csv", PARQUET: "parquet", ARROW: "arrow"}
SAID_AS = {"csv": "CSV", "parquet": "Parquet", "arrow": "an Arrow stream"}
MOST_IN_A_BLOCK = 64 * 1024 * 1024
MOST_ROWS = 2_000_000
MOST_UNPACKED = 512 * 1024 * 1024
FRAMING = 2
"""How many times as large the stream of a table may be as its values: with offsets, masks and names beside them."""
STREAM_SPARE_BYTES = 16 * 1024 * 1024
processes = confined.Processes(
    (sys.executable, "-m", "tenure.manage.table_reader"), at_once=2, turn_s=20.0, wall_s=60.0
)
"""Of this process."""
Values = list[str | float | None]


def read(body: bytes, content_type: str, *, as_text: tuple[str, ...] = ()) -> dict[str, Values]:
    """Columns by name; numbers as floats, everything else as texts, None where nothing is.

    `as_text` names columns whose digits are names, such as a key: `007` stays `007`. Raises InvalidInput, TooLarge.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in (CSV, PARQUET):
        raise UnsupportedType(f"The content type must be {CSV} or {PARQUET}. Got {kind!r}.", where="content-type")
    table = _asked(
        Asked("csv" if kind == CSV else "parquet", len(body), MOST_ROWS, MOST_UNPACKED, as_text=as_text), body
    )
    if len(set(table.column_names)) != table.num_columns:
        raise InvalidInput("Every column must have a name of its own. One comes twice.")
    return {name: _column(table.column(name), name in as_text) for name in table.column_names}


def flat_parquet(body: bytes, most_rows: int, most_unpacked: int) -> pa.Table:
    """A Parquet file of plain columns: `most_rows` of them and `most_unpacked` bytes once it is unpacked, or TooLarge.

    Raises InvalidInput for a column that holds more than plain values, and for what cannot be read.
    """
    return _asked(Asked("parquet", len(body), most_rows, most_unpacked), body)


def blocks(
    source: BinaryIO, kind: Kind, *, size_bytes: int, most_rows: int, as_text: tuple[str, ...] = ()
) -> Iterator[pa.Table]:
    """A table block by block, without ever holding all of it. Raises InvalidInput, TooLarge, TooMany, also midway."""
    most = MOST_UNPACKED if kind == "parquet" else MOST_IN_A_BLOCK
    asked = Asked(kind, size_bytes, most_rows, most, as_text=as_text, in_blocks=True)
    try:
        said: Said | None = None
        for part in processes.parts(msgspec.json.encode(asked), source, most_bytes=FRAMING * MOST_IN_A_BLOCK):
            if part[:1] != b"{":
                yield _checked(part, 0, asked)
                continue
            said = msgspec.json.decode(part, type=Said)
    except confined.Busy:
        raise _busy() from None
    except confined.Failed as failure:
        raise _failed(failure) from None
    except msgspec.MsgspecError:
        raise InvalidInput("The table cannot be read: what reads it made no sense of it.") from None
    if said is None:
        raise _failed(confined.Failed("the process that read it ended"))
    if said.problem:
        raise _problem(said, kind)


def _busy() -> TooMany:
    return TooMany("Other tables are being read. Try again in a few seconds.")


def _failed(failure: confined.Failed) -> TooLarge:
    return TooLarge(f"The table could not be read: {failure}. Send a smaller one.")


def _problem(said: Said, kind: Kind) -> InvalidInput:
    if said.problem == "too_large":
        return TooLarge(said.says)
    if said.problem == "unreadable":
        return InvalidInput(f"The table cannot be read as {SAID_AS[kind]}: {said.says}.")
    return InvalidInput(said.says)


def _asked(asked: Asked, body: bytes) -> pa.Table:
    """What the process makes of a file. Raises InvalidInput, TooLarge, TooMany."""
    try:
        most = FRAMING * asked.most_unpacked + STREAM_SPARE_BYTES
        told = processes.answer(msgspec.json.encode(asked), body, most_bytes=most)
    except confined.Busy:
        raise _busy() from None
    except confined.Failed as failure:
        raise _failed(failure) from None
    first, _, _ = told.partition(b"\n")
    try:
        said = msgspec.json.decode(first, type=Said)
        if not said.problem:
            return _checked(told, len(first) + 1, asked)
    except msgspec.MsgspecError:
        raise InvalidInput("The table cannot be read: what reads it made no sense of it.") from None
    raise _problem(said, asked.kind)


def _checked(told: bytes, start: int, asked: Asked) -> pa.Table:
    """The table that was handed back, once its values have been held to its types. Nothing of it is copied."""
    import pyarrow as pa

    try:
        table = pa.ipc.open_stream(pa.py_buffer(memoryview(told)[start:])).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError):
        raise InvalidInput("The table cannot be read: what reads it handed back none.") from None
    if table.num_rows > asked.most_rows:
        raise TooLarge(f"A table may have at most {asked.most_rows:,} rows. Got {table.num_rows:,}.")
    return table


def _column(column: pa.ChunkedArray, as_text: bool) -> Values:
    import pyarrow as pa

    kind = column.type
    if not as_text and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return [None if value is None else float(value) for value in column.to_pylist()]
    return [None if value is None else str(value) for value in column.to_pylist()]
