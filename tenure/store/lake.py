"""The lake: predictions, shadow scores, outcomes and refusals as Parquet files in a folder that any tool can read.

A file lies at `<kind>/endpoint=<name>/date=<date>/<name>.parquet`, where date is the UTC date of its earliest row; a
file that several were merged into holds later dates too, so the column `event_at` decides, never the folder.
Features are columns of their own, named `f_` and the feature's name as it came, so that none collides with ours.
A feature's type is what its values were: bool, int64, double or string; mixed and nested values are kept as JSON.

Only files that are registered in the table `lake_files` belong to the lake. They never change: a merge writes a new
one.
"""

from __future__ import annotations

import hashlib
import os
import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tenure.records.base import DAY_US, HOUR_US, moment_of
from tenure.store.lake_files import Kind, LakeFile

ROW_GROUP_ROWS = 8_192
GROUPS_AT_ONCE = 32
KEPT_BYTES = 32 * 1024 * 1024
KEPT_AT_MOST = KEPT_BYTES // 8
"""Of one reading: what is larger takes so long to compute with that reading it again does not matter."""
Table = Any
"""A pyarrow.Table; pyarrow comes without types and is imported where it is used, since it is heavy."""


class Lake:
    """Reads and writes the lake's files. `root` is the folder that paths of the register are relative to."""

    def __init__(self, root: Path, *, fsync: bool = False) -> None:
        self.root = root
        self._fsync = fsync
        self._kept = _Kept()

    def write(self, endpoint: str, kind: Kind, name: str, table: Table) -> list[LakeFile]:
        """Write a table, one file a UTC date of its rows, and say what to register: nothing for a table without rows.

        Names are made from what is given, so that a second attempt replaces what the first had left.
        """
        written = []
        for day, part in _by_day(table):
            date = moment_of(day * DAY_US).date().isoformat()
            path = f"{kind}/endpoint={endpoint}/date={date}/{name}.parquet"
            written.append(_described(path, kind, endpoint, part, self._write(path, part)))
        return written

    def merge(self, parts: Sequence[LakeFile], name: str) -> LakeFile:
        """Write one file with the rows of several of one endpoint and kind, in the order of event time."""
        first = parts[0]
        table = self.read(parts).sort_by("event_at")
        path = f"{first.path.rsplit('/', 1)[0]}/{name}.parquet"
        return _described(path, first.kind, first.endpoint, table, self._write(path, table))

    def read(
        self,
        files: Iterable[LakeFile],
        *,
        columns: Sequence[str] | None = None,
        from_at: int | None = None,
        until_at: int | None = None,
    ) -> Table:
        """Rows of some files with an event time in [from_at, until_at), all columns or those named.

        A column that a file lacks is null in its rows. Without any file the answer has no columns.
        """
        import pyarrow as pa

        parts = [self._kept_or_read(file, columns, from_at, until_at) for file in files]
        filled = [part for part in parts if part.num_rows] or parts[:1]
        return pa.concat_tables(_alike(filled), promote_options="default") if filled else pa.table({})

    def pick(self, file: LakeFile, ids: Sequence[str], columns: Sequence[str]) -> Iterator[Table]:
        """Rows of a file with one of some prediction ids, which must be sorted, a few row groups at a time.

        Ids begin with their time, so that most row groups cannot hold any of them and are not read.
        """
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        ids = ids[bisect_left(ids, file.first_id) : bisect_right(ids, file.last_id)]
        if not ids:
            return
        with pq.ParquetFile(self.root / file.path) as opened:
            for groups, low, high in _groups_with(opened.metadata, ids):
                table = opened.read_row_groups(groups, columns=list(columns), use_threads=False)
                wanted = pa.array(ids[low:high], pa.string())
                yield table.filter(pc.is_in(table.column("prediction_id"), value_set=wanted))

    def delete(self, paths: Iterable[str]) -> None:
        for path in paths:
            (self.root / path).unlink(missing_ok=True)

    def _write(self, path: str, table: Table) -> str:
        """Write a file and return the SHA-256 of its bytes."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd", row_group_size=ROW_GROUP_ROWS)
        written = sink.getvalue()
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_suffix(f".{os.getpid()}.draft")
        try:
            with draft.open("wb") as file:
                file.write(written)
                if self._fsync:
                    file.flush()
                    os.fsync(file.fileno())
            draft.replace(target)
        except OSError:
            draft.unlink(missing_ok=True)  # what a full disk took of it, it needs
            raise
        return hashlib.sha256(written).hexdigest()

    def _kept_or_read(
        self, file: LakeFile, columns: Sequence[str] | None, from_at: int | None, until_at: int | None
    ) -> Table:
        """Windows are judged one after the other, and each looks back at the same ones before it."""
        key = (file.path, file.sha256, None if columns is None else tuple(columns), from_at, until_at)
        table = self._kept.get(key)
        if table is None:
            table = self._read(file, columns, from_at, until_at)
            self._kept.keep(key, table)
        return table

    def _read(self, file: LakeFile, columns: Sequence[str] | None, from_at: int | None, until_at: int | None) -> Table:
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.root / file.path) as opened:
            present = set(opened.schema_arrow.names)
            wanted = None if columns is None else [name for name in columns if name in present]
            whole = (from_at is None or file.first_event_at >= from_at) and (
                until_at is None or file.last_event_at < until_at
            )
            if whole:
                return opened.read(columns=wanted, use_threads=False)
            read = wanted if wanted is None or "event_at" in wanted else [*wanted, "event_at"]
            groups = _groups_between(opened.metadata, from_at, until_at)
            table = opened.read_row_groups(groups, columns=read, use_threads=False)
            table = table.filter(_mask_between(table.column("event_at"), from_at, until_at))
            return table if wanted is None else table.select(wanted)


class _Kept:
    """What was read a short while ago, of files that never change; the oldest makes room. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tables: OrderedDict[object, Table] = OrderedDict()
        self._bytes = 0

    def get(self, key: object) -> Table | None:
        with self._lock:
            if key in self._tables:
                self._tables.move_to_end(key)
            return self._tables.get(key)

    def keep(self, key: object, table: Table) -> None:
        size = table.nbytes
        if size > KEPT_AT_MOST:
            return
        with self._lock:
            if key not in self._tables:
                self._tables[key] = table
                self._bytes += size
            while self._bytes > KEPT_BYTES:
                _, oldest = self._tables.popitem(last=False)
                self._bytes -= oldest.nbytes


def instants(column: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """A timestamp column as microseconds UTC."""
    import pyarrow as pa

    numbers: np.ndarray[Any, np.dtype[np.int64]] = column.cast(pa.int64()).to_numpy()
    return numbers


def hours_of(table: Table) -> set[int]:
    """The hours of event time that rows lie in, by where they begin; instants."""
    return set((np.unique(instants(table.column("event_at")) // HOUR_US) * HOUR_US).tolist())


def timestamps(values: Any) -> Any:
    """Microseconds UTC as an Arrow timestamp array."""
    import pyarrow as pa

    return pa.array(np.asarray(values, dtype=np.int64)).cast(pa.timestamp("us", tz="UTC"))


def _by_day(table: Table) -> list[tuple[int, Table]]:
    """The rows of each UTC day, in their order; days since 1970."""
    days = instants(table.column("event_at")) // DAY_US
    found = np.unique(days)
    if len(found) == 0:
        return []
    if len(found) == 1:
        return [(int(found[0]), table)]
    return [(int(day), table.take(np.flatnonzero(days == day))) for day in found]


def _described(path: str, kind: Kind, endpoint: str, table: Table, sha256: str) -> LakeFile:
    import pyarrow.compute as pc

    ids, events = pc.min_max(table.column("prediction_id")), instants(table.column("event_at"))
    return LakeFile(
        path=path,
        kind=kind,
        endpoint=endpoint,
        row_count=table.num_rows,
        first_event_at=int(events.min()),
        last_event_at=int(events.max()),
        first_id=ids["min"].as_py(),
        last_id=ids["max"].as_py(),
        sha256=sha256,
    )


def _groups_between(metadata: Any, from_at: int | None, until_at: int | None) -> list[int]:
    """Row groups that may hold event times in [from_at, until_at), by the statistics in the file's foot."""
    place = metadata.schema.names.index("event_at")
    chosen = []
    for group in range(metadata.num_row_groups):
        seen = metadata.row_group(group).column(place).statistics
        if seen is None or not seen.has_min_max:
            chosen.append(group)
            continue
        low, high = int(seen.min_raw), int(seen.max_raw)
        if (until_at is None or low < until_at) and (from_at is None or high >= from_at):
            chosen.append(group)
    return chosen


def _groups_with(metadata: Any, ids: Sequence[str]) -> Iterator[tuple[list[int], int, int]]:
    """Row groups that may hold some sorted ids, several at a time, and from where to where those ids stand."""
    place = metadata.schema.names.index("prediction_id")
    groups: list[int] = []
    low = high = 0
    for group in range(metadata.num_row_groups):
        seen = metadata.row_group(group).column(place).statistics
        first, last = 0, len(ids)
        if seen is not None and seen.has_min_max:
            first, last = bisect_left(ids, _text(seen.min)), bisect_right(ids, _text(seen.max))
        if first >= last:
            continue
        low, high = (min(low, first), max(high, last)) if groups else (first, last)
        groups.append(group)
        if len(groups) == GROUPS_AT_ONCE:
            yield groups, low, high
            groups = []
    if groups:
        yield groups, low, high


def _text(told: Any) -> str:
    return told.decode() if isinstance(told, bytes) else str(told)


def _mask_between(column: Any, from_at: int | None, until_at: int | None) -> Any:
    import pyarrow as pa

    events = instants(column)
    inside = np.ones(len(events), dtype=bool)
    if from_at is not None:
        inside &= events >= from_at
    if until_at is not None:
        inside &= events < until_at
    return pa.array(inside)


def _alike(tables: list[Table]) -> list[Table]:
    """Tables whose columns of one name have one type: int and double meet as double, anything else as text."""
    import pyarrow as pa

    kinds: dict[str, set[Any]] = {}
    for table in tables:
        for field in table.schema:
            kinds.setdefault(field.name, set()).add(field.type)
    common = {name: _common_type(types) for name, types in kinds.items() if len(types) > 1}
    if not common:
        return tables

    def cast(table: Table) -> Table:
        fields = [pa.field(field.name, common.get(field.name, field.type)) for field in table.schema]
        return table.cast(pa.schema(fields))

    return [cast(table) for table in tables]


def _common_type(types: set[Any]) -> Any:
    import pyarrow as pa

    return (
        pa.float64() if all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in types) else pa.string()
    )
