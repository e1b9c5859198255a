"""The process that reads Parquet: `python -m tenure.web.parquet_reader`. It reads one file and ends.

The file is from anybody and the decoder is C++, so it runs here: without the server's memory, settings and keys, and
within limits of its own. It opens nothing: what it needs of the file it asks for on standard output, a line each,
and gets on standard input. A process that was started early waits a minute at most for its file.
"""

from __future__ import annotations

import io
import sys
from typing import Any

import msgspec

from tenure.store import confined
from tenure.store.lean import refuse_frameworks
from tenure.web.cells import cell

CPU_S = 5
MEMORY_BYTES = 512 * 1024 * 1024
"""What it may map besides what it is made of. A row group of 64 MiB and its values in Python need about half."""


class Asked(msgspec.Struct):
    """A file of `size_bytes`, to be shown as `rows` rows and `columns` columns of it at most."""

    size_bytes: int
    rows: int
    columns: int
    group_bytes: int  # a larger first row group is not read


class Wanted(msgspec.Struct, tag=True):
    """The process asks for these bytes of the file; they are the answer, without a line around them."""

    at: int
    count: int


class Found(msgspec.Struct, tag=True):
    """The beginning of the table, and how large all of it is."""

    heads: list[str]
    rows: list[list[str]]
    row_count: int
    column_count: int


class Refused(msgspec.Struct, tag=True):
    """Why there is nothing to show, as a sentence."""

    reason: str


Said = Wanted | Found | Refused


def main() -> None:
    refuse_frameworks()
    import pyarrow as pa
    import pyarrow.parquet

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    line = confined.question()
    if line:
        confined.confine(MEMORY_BYTES, CPU_S)
        _say(_answer(msgspec.json.decode(line, type=Asked)))


def _answer(asked: Asked) -> Found | Refused:
    import pyarrow as pa

    try:
        return read(_Ranges(asked.size_bytes), asked)
    except MemoryError:
        return Refused("It could not be previewed: reading it takes more memory than a preview may have.")
    except (pa.ArrowException, OSError, ValueError, OverflowError, RecursionError):
        return Refused("This is not Parquet that can be read.")


def read(file: Any, asked: Asked) -> Found | Refused:
    """The first rows, by reading the footer and the first row group, if that is not too large."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(file, pre_buffer=False) as opened:
        told = opened.metadata
        names = opened.schema_arrow.names
        group = told.row_group(0) if told.num_row_groups else None
        if group is not None and group.total_byte_size > asked.group_bytes:
            return Refused("Its first row group is too large for a preview.")
        batches = opened.iter_batches(
            batch_size=asked.rows,
            row_groups=[0] if group else [],
            columns=names[: asked.columns],
            use_threads=False,
        )
        batch = next(batches, None)
        columns = [] if batch is None else [_cells(column, asked.rows) for column in batch.columns]
        return Found(
            heads=[cell(name) for name in names[: asked.columns]],
            rows=[list(row) for row in zip(*columns, strict=True)],
            row_count=told.num_rows,
            column_count=len(names),
        )


def _cells(column: Any, count: int) -> list[str]:
    """One value at a time: a hundred that are long are not all held at once."""
    return [cell(column[place].as_py()) for place in range(min(count, len(column)))]


class _Ranges(io.RawIOBase):
    """The file, as one that can be sought in: every read asks for a range of it."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(start + offset, 0)
        return self._at

    def read(self, size: int = -1) -> bytes:
        count = max(min(self._size - self._at, self._size if size < 0 else size), 0)
        if not count:
            return b""
        _say(Wanted(self._at, count))
        found = sys.stdin.buffer.read(count)
        if len(found) < count:
            raise SystemExit  # nobody listens any more
        self._at += count
        return found


def _say(said: Said) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
    confined.leave()
