"""Where rows come from: Parquet and CSV files, a folder of Parquet files, or a query. Read piece by piece.

Rows have numbers from 0 on, and chunks always hold the same rows, so that what was begun can be gone on with.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tenure.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK_ROWS = 65_536
BLOCK_BYTES = 8 * 1024 * 1024
HASHED_BYTES = 4 * 1024 * 1024
Stamp = tuple[str, int, int]
"""Of a file: its name, size in bytes and time of change in nanoseconds."""


class Source(Protocol):
    """Rows with named columns. `text`: all values are texts that are to be read. `rows`: None when not known ahead."""

    said: str
    names: list[str]
    rows: int | None
    text: bool
    repeats: bool
    """Whether reading again gives the same rows as long as the stamps stay; else chunks are held against digests."""

    def chunks(self, columns: Sequence[str], first_row: int) -> Iterator[pa.Table]:
        """Tables of `CHUNK_ROWS` rows, the last one perhaps shorter, from a row on. Raises InvalidInput."""

    def stamps(self) -> list[Stamp]:
        """What changes when the source does."""

    def sha256(self) -> str:
        """The digest of all that is read, in hex; empty where it is known only once everything was read."""


def open_files(path: Path) -> Source:
    """A file by its ending, or a folder of Parquet files. Raises InvalidInput, NotFound."""
    if path.is_dir():
        files = sorted(one for one in path.rglob("*.parquet") if one.is_file())
        if not files:
            raise InvalidInput(f"The folder {path} must hold files that end in .parquet. It holds none.")
        return ParquetFiles(path, files)
    if not path.is_file():
        raise NotFound(f"There is no file {path}.")
    if path.stat().st_size == 0:
        raise InvalidInput(f"{path} is empty.")
    if path.suffix.lower() == ".parquet":
        return ParquetFiles(path, [path])
    if path.suffix.lower() == ".csv":
        return CsvFile(path)
    raise InvalidInput(f"The input must end in .parquet or .csv, or be a folder of Parquet files. Got {path.name!r}.")


class ParquetFiles:
    text, repeats = False, True

    def __init__(self, root: Path, files: Sequence[Path]) -> None:
        self.said = root.name
        self._root, self._files = root, files
        shapes = [self._shape(file) for file in files]
        self.names = shapes[0][0]
        for file, (names, _) in zip(files, shapes, strict=True):
            if set(names) != set(self.names):
                raise InvalidInput(f"Every file must have the same columns. {file} has others than {files[0]}.")
        self._counts = [count for _, count in shapes]
        self.rows: int | None = sum(self._counts)

    def chunks(self, columns: Sequence[str], first_row: int) -> Iterator[pa.Table]:
        return rechunked(self._batches(columns, first_row))

    def stamps(self) -> list[Stamp]:
        return [_stamp(file) for file in self._files]

    def sha256(self) -> str:
        if self._root.is_file():
            return _sha256(self._root)
        lines = [f"{_sha256(file)}  {file.relative_to(self._root).as_posix()}\n" for file in self._files]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def _batches(self, columns: Sequence[str], first_row: int) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        left = first_row
        for file, count in zip(self._files, self._counts, strict=True):
            if left >= count:
                left -= count
                continue
            try:
                with pq.ParquetFile(file, pre_buffer=False) as opened:  # else all that was read stays in memory
                    groups, left = _groups_from(opened.metadata, left)
                    for batch in opened.iter_batches(CHUNK_ROWS, row_groups=groups, columns=list(columns)):
                        skipped = min(left, batch.num_rows)
                        left -= skipped
                        yield batch.slice(skipped)
            except (pa.ArrowException, OSError) as problem:
                raise _unreadable(file, "Parquet", problem) from None

    def _shape(self, file: Path) -> tuple[list[str], int]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(file) as opened:
                return opened.schema_arrow.names, opened.metadata.num_rows
        except (pa.ArrowException, OSError) as problem:
            raise _unreadable(file, "Parquet", problem) from None


class CsvFile:
    """UTF-8 with a header line. An empty field is missing; a quoted one is an empty text."""

    text, repeats = True, True

    def __init__(self, path: Path) -> None:
        self.said = path.name
        self.rows: int | None = None
        self._path = path
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                self.names = next(csv.reader(file), [])
        except (UnicodeDecodeError, csv.Error):
            raise InvalidInput(f"{path} must be a CSV file in UTF-8. Its first line is not.") from None
        if not self.names:
            raise InvalidInput(f"{path} must begin with a line of column names. It is empty.")

    def chunks(self, columns: Sequence[str], first_row: int) -> Iterator[pa.Table]:
        return rechunked(self._batches(columns, first_row))

    def stamps(self) -> list[Stamp]:
        return [_stamp(self._path)]

    def sha256(self) -> str:
        return _sha256(self._path)

    def _batches(self, columns: Sequence[str], first_row: int) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa
        from pyarrow import csv as arrow

        converting = arrow.ConvertOptions(
            column_types=dict.fromkeys(self.names, pa.string()),
            include_columns=list(columns),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
        )
        left = first_row
        try:
            reading = arrow.ReadOptions(block_size=BLOCK_BYTES)
            parsing = arrow.ParseOptions(newlines_in_values=True)
            with arrow.open_csv(self._path, reading, parsing, converting) as opened:
                for batch in opened:
                    skipped = min(left, batch.num_rows)
                    left -= skipped
                    yield batch.slice(skipped)
        except (pa.ArrowException, OSError) as problem:
            raise _unreadable(self._path, "CSV", problem) from None


def rechunked(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The same rows in chunks of `CHUNK_ROWS`, the last one perhaps shorter."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        while rows + batch.num_rows >= CHUNK_ROWS:
            wanted = CHUNK_ROWS - rows
            yield pa.Table.from_batches([*held, batch.slice(0, wanted)])
            held, rows, batch = [], 0, batch.slice(wanted)  # noqa: PLW2901  what is left of it
        if batch.num_rows:
            held.append(batch)
            rows += batch.num_rows
    if held:
        yield pa.Table.from_batches(held)


def _groups_from(metadata: Any, first_row: int) -> tuple[list[int], int]:
    """The row groups that hold rows from one on, and how many rows of the first of them lie before it."""
    for group in range(metadata.num_row_groups):
        count = metadata.row_group(group).num_rows
        if first_row < count:
            return list(range(group, metadata.num_row_groups)), first_row
        first_row -= count
    return [], 0


def _stamp(file: Path) -> Stamp:
    told = file.stat()
    return str(file.resolve()), told.st_size, told.st_mtime_ns


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb", buffering=0) as opened:
        while content := opened.read(HASHED_BYTES):
            digest.update(content)
    return digest.hexdigest()


def _unreadable(file: Path, kind: str, problem: Exception) -> InvalidInput:
    """What Arrow says, without the values that it repeats."""
    said = (str(problem).splitlines() or ["its bytes make no sense"])[0]
    said = re.sub(r"(got \d+): .*", r"\1", re.sub(r"'[^']*'", "…", said))
    return InvalidInput(f"{file} cannot be read as {kind}: {said[:200]}.")
