"""What a batch writes on this machine: a folder of parts beside the output while it runs, then the output as a whole.

A part counts once a line about it stands in the folder's list, which is written after the part has its name and the
server has its predictions. Whatever is killed goes on after the last line.
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import hashlib
import io
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec

from tenure.batch.sources import Stamp
from tenure.errors import Conflict, InvalidInput, Unavailable
from tenure.records.base import Record
from tenure.records.batches import BatchOrder

if TYPE_CHECKING:
    import pyarrow as pa

ENDINGS = (".parquet", ".csv")


class Begun(Record):
    """With what a batch began: whoever goes on with it must ask the same. `asked` is what the caller said."""

    order: BatchOrder
    asked: dict[str, Any]
    stamps: list[Stamp]


class ChunkDone(Record):
    """A chunk that is scored, journaled and kept: its rows, how many were rejected, for which reasons.

    `digest` is that of what was read, where reading again may give something else.
    """

    number: int
    rows: int
    rejected: int = 0
    reasons: dict[str, int] = {}
    digest: str = ""


class Results:
    """The folder beside the output. Only one process at a time works in it. Raises Conflict when another does."""

    def __init__(self, output: Path, rejected: Path | None) -> None:
        for file in filter(None, (output, rejected)):
            if file.suffix.lower() not in ENDINGS:
                raise InvalidInput(f"A file that is written must end in {' or '.join(ENDINGS)}. Got {file.name!r}.")
        self.output, self.rejected = output, rejected
        self.folder = output.with_name(f".{output.name}.partial")
        self._lock: IO[str] | None = None
        self._ahead: Draft | None = None
        self._ahead_chunks = 0

    def open(self) -> Begun | None:
        """What was begun here before, None when nothing was."""
        if not self.output.parent.is_dir():
            raise InvalidInput(f"The folder {self.output.parent} must be there. Make it first.", where="output")
        self.folder.mkdir(exist_ok=True)
        self._lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise Conflict(f"Another command is writing {self.output} right now. Let it finish.") from None
        try:
            return msgspec.json.decode((self.folder / "begun.json").read_bytes(), type=Begun)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def begin(self, begun: Begun) -> None:
        self.forget()
        self._whole("begun.json", msgspec.json.encode(begun))

    def forget(self) -> None:
        """Throw away what was kept, but hold on to the folder."""
        for file in self.folder.iterdir():
            if file.name != "lock":
                file.unlink()

    def done(self) -> list[ChunkDone]:
        """The chunks that are done, from the first on. A line that was torn off is not one."""
        try:
            lines = (self.folder / "chunks.jsonl").read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        return [msgspec.json.decode(line, type=ChunkDone) for line in lines]

    def keep(self, chunk: ChunkDone, scored: pa.Table, rejected: pa.Table | None) -> None:
        """Keep a chunk's output; the line about it follows by `note`."""
        self._table(_scored(chunk), scored)
        if rejected is not None and rejected.num_rows:
            self._table(f"rejected-{chunk.number:06d}", rejected)

    def note(self, chunk: ChunkDone) -> None:
        """Say that a chunk is done. What was torn off by a kill is cut off first."""
        path = self.folder / "chunks.jsonl"
        with path.open("ab") as file:
            file.write(msgspec.json.encode(chunk) + b"\n")
            file.flush()

    def mend(self) -> None:
        """Cut off a line that was torn, and drop parts that no line tells of."""
        path = self.folder / "chunks.jsonl"
        if path.exists():
            content = path.read_bytes()
            path.write_bytes(content[: content.rfind(b"\n") + 1])

    def join_ahead(self, chunk: ChunkDone) -> None:
        """Write a chunk that is done into the output already, so that `join` finds it there.

        They come in the order of rows. Whatever stands against it, as a column that is of another kind now or a disk
        that is full, is left to `join`.
        """
        if chunk.number != self._ahead_chunks:
            return
        try:
            table = self._kept(_scored(chunk), lambda kept: kept.read_all())
            schema = table.schema.remove_metadata()
            if self._ahead is None:
                self._ahead = Draft(self._draft(self.output), schema)
            if self._ahead.schema == schema:
                self._ahead.add(table)
                self._ahead_chunks += 1
                return
        except OSError:
            pass
        self._drop_ahead()

    def join(self, chunks: Sequence[ChunkDone]) -> str:
        """Write the outputs whole, still under names of their own; the digest of what was scored."""
        if self._ahead is not None and self._ahead_chunks == len(chunks):
            digest = self._ahead.finish()
        else:
            self._drop_ahead()
            digest = self._joined([_scored(chunk) for chunk in chunks], self._draft(self.output))
        if self.rejected is not None:
            held = [f"rejected-{chunk.number:06d}" for chunk in chunks if chunk.rejected]
            if held:
                self._joined(held, self._draft(self.rejected))
        return digest

    def publish(self) -> None:
        """Give the outputs their names, and drop the folder."""
        if self.rejected is not None and self._draft(self.rejected).exists():
            self._draft(self.rejected).replace(self.rejected)
        self._draft(self.output).replace(self.output)
        self._ahead = None
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        self._drop_ahead()
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if not (self.folder / "begun.json").exists():
            shutil.rmtree(self.folder, ignore_errors=True)

    def _draft(self, file: Path) -> Path:
        return self.folder / f"{file.name}.draft"

    def _joined(self, names: Sequence[str], path: Path) -> str:
        schema = _common([self._kept(name, lambda kept: kept.schema) for name in names])
        with contextlib.closing(Draft(path, schema)) as draft:
            for name in names:
                draft.add(self._kept(name, lambda kept: kept.read_all()))
            return draft.finish()

    def _drop_ahead(self) -> None:
        """Leave the output to `join`: no chunk is the next one any more."""
        self._ahead_chunks = -1
        if self._ahead is not None:
            self._ahead.close()
            self._draft(self.output).unlink(missing_ok=True)
            self._ahead = None

    def _table(self, name: str, table: pa.Table) -> None:
        """Keep a table as it lies in memory: written and read again in a tenth of what Parquet takes."""
        import pyarrow as pa

        draft = self.folder / f"{name}.draft"
        with pa.OSFile(str(draft), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        draft.replace(self.folder / f"{name}.arrow")

    def _kept(self, name: str, look: Callable[[Any], Any]) -> Any:
        import pyarrow as pa

        with pa.ipc.open_file(pa.memory_map(str(self.folder / f"{name}.arrow"))) as kept:
            return look(kept)

    def _whole(self, name: str, content: bytes) -> None:
        draft = self.folder / f"{name}.draft"
        draft.write_bytes(content)
        draft.replace(self.folder / name)


class Hashed(io.RawIOBase):
    """A file whose digest is known when it is written."""

    def __init__(self, file: IO[bytes]) -> None:
        self.digest = hashlib.sha256()
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self.digest.update(content)
        return self._file.write(content)


@contextlib.contextmanager
def disk() -> Iterator[None]:
    """What the disk refuses, in words: what is done stays done."""
    try:
        yield
    except OSError as problem:
        said = problem.strerror or (str(problem).splitlines() or ["it failed"])[0][:200]
        raise Unavailable(
            f"The disk refuses what is to be written: {said}. Make room, and run the same command again to go on."
        ) from None


class Draft:
    """An output while it is written, Parquet or CSV by its name, every table as `schema` says."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.schema = schema
        self._file = path.open("wb")
        self._hashed = Hashed(self._file)
        is_csv = path.name.removesuffix(".draft").endswith(".csv")
        self._writer = _Csv(self._hashed, schema) if is_csv else _parquet(self._hashed, schema)

    def add(self, table: pa.Table) -> None:
        self._writer.write_table(_as(table, self.schema))

    def finish(self) -> str:
        """What was written is on the disk then; its digest."""
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return self._hashed.digest.hexdigest()

    def close(self) -> None:
        """What was not finished before is of no use then."""
        with contextlib.suppress(OSError):
            self._writer.close()
        with contextlib.suppress(OSError):
            self._file.close()


def _parquet(file: Hashed, schema: pa.Schema) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = [field.name for field in schema if pa.types.is_string(field.type) and field.name != "prediction_id"]
    return pq.ParquetWriter(file, schema, compression="lz4", use_dictionary=texts)


class _Csv:
    """As Parquet's writer, with a header."""

    def __init__(self, file: Hashed, schema: pa.Schema) -> None:
        self._file = file
        self._write([schema.names])

    def write_table(self, table: pa.Table) -> None:
        columns = [[_cell(value) for value in column.to_pylist()] for column in table.columns]
        self._write(zip(*columns, strict=True))

    def close(self) -> None:
        pass

    def _write(self, rows: Iterable[Sequence[Any]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        self._file.write(text.getvalue().encode())


def _scored(chunk: ChunkDone) -> str:
    """The name of what was scored of a chunk."""
    return f"scored-{chunk.number:06d}"


def _cell(value: Any) -> Any:
    """Lists as JSON, true and false as JSON writes them, nothing as an empty field."""
    if isinstance(value, list | bool):
        return msgspec.json.encode(value).decode()
    return value


def _common(schemas: Sequence[pa.Schema]) -> pa.Schema:
    import pyarrow as pa

    try:
        return pa.unify_schemas([schema.remove_metadata() for schema in schemas], promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        raise InvalidInput(
            "A column must be of one kind in every row. One of those carried along, or the version's answer, is not."
        ) from None


def _as(table: pa.Table, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    columns = [
        table.column(field.name).cast(field.type)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
