"""A table in a file, Parquet or CSV, counted part by part: memory does not grow with its rows.

Where to cut a file's own columns is decided on a sample of its rows (all of them up to `SAMPLE`, then every second,
every fourth, …); counted are all.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from tenure.errors import InvalidInput, NotFound
from tenure.records.profiles import ColumnProfile, NumericProfile, Profile, Reference
from tenure.sdk import profiles
from tenure.sdk.csv_values import kind_of_texts, numbers_of_texts, plain_levels

SAMPLE = 200_000
BATCH_ROWS = 65_536
BUFFER_BYTES = 262_144
"""Read of a column at a time. Without it, whole columns of a row group are read before the first value is seen."""
THREADS = 2
ARTIFACT_SCHEMES = ("runs:", "models:", "mlflow-artifacts:")

Arrow = Any
"""An array of pyarrow, which ships no types."""
Progress = Callable[[int, int | None], None]
"""Told how many rows were read, of how many; None when a file does not say."""


def quiet(_rows: int, _total: int | None) -> None:
    pass


class TableFile(NamedTuple):
    """A file that can be read. `kinds`: what each column holds, in order; `rows` is None where it does not say."""

    path: Path
    kinds: dict[str, str]
    rows: int | None
    is_csv: bool

    def batches(self, names: Collection[str], texts: Collection[str] = ()) -> Iterator[dict[str, Arrow]]:
        """The columns of these names, a part of the rows at a time. `texts` are expected to repeat: read as codes.

        Raises InvalidInput where the file is broken.
        """
        import pyarrow as pa

        try:
            for batch in self._read([name for name in self.kinds if name in names], list(texts)):
                yield dict(zip(batch.schema.names, batch.columns, strict=True))
        except (pa.ArrowInvalid, OSError) as problem:
            raise InvalidInput(f"{self.path.name} cannot be read: {problem}.", where=self.path.name) from None

    def _read(self, names: list[str], texts: list[str]) -> Iterator[Arrow]:
        if not self.is_csv:
            import pyarrow.parquet as pq

            file = pq.ParquetFile(self.path, read_dictionary=texts, pre_buffer=False, buffer_size=BUFFER_BYTES)
            return iter(file.iter_batches(BATCH_ROWS, columns=names))
        import pyarrow as pa
        from pyarrow import csv

        as_text = dict.fromkeys(self.kinds, pa.string())
        how = csv.ConvertOptions(column_types=as_text, include_columns=names, strings_can_be_null=True)
        return iter(csv.open_csv(self.path, convert_options=how))


def open_table(path: str | os.PathLike[str]) -> TableFile:
    """Look at a .parquet or .csv file. Raises NotFound, and InvalidInput for another ending or what cannot be read."""
    import pyarrow as pa

    file = Path(path)
    if file.suffix.lower() not in (".parquet", ".csv"):
        raise InvalidInput(f"A table must be a .parquet or a .csv file. Got {file.name!r}.")
    if not file.is_file():
        raise NotFound(f"There is no file {str(file)!r}.")
    try:
        return _csv(file) if file.suffix.lower() == ".csv" else _parquet(file)
    except pa.ArrowInvalid as problem:
        raise InvalidInput(f"{file.name} cannot be read as {file.suffix[1:]}: {problem}.", where=file.name) from None


def profile_of_file(source: str | os.PathLike[str], texts: Collection[str] = (), progress: Progress = quiet) -> Profile:
    """The profile of a table in a file, or in an artifact that mlflow fetches (`runs:/…`), with the file's SHA-256."""
    if str(source).startswith(ARTIFACT_SCHEMES):
        with tempfile.TemporaryDirectory() as folder:
            from mlflow import artifacts

            fetched = artifacts.download_artifacts(artifact_uri=str(source), dst_path=folder)
            return _profile(open_table(fetched), str(source), texts, progress)
    return _profile(open_table(source), Path(source).name, texts, progress)


def _profile(table: TableFile, name: str, texts: Collection[str], progress: Progress) -> Profile:
    with table.path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    reference = Reference(kind="artifact", name=name, sha256=sha256)
    sample, rows = _sample(table)
    bins = columns_profile(sample, texts, is_csv=table.is_csv)
    if not rows:
        raise InvalidInput(f"{table.path.name} has no rows, so that nothing can be compared with it.")
    if len(next(iter(sample.values()))) < rows:
        rows, bins = count(table, bins, progress)
    else:
        progress(rows, rows)
    return Profile(rows=rows, columns=bins, reference=reference, outcome="none")


def columns_profile(
    columns: Mapping[str, Arrow], texts: Collection[str] = (), *, is_csv: bool = False
) -> dict[str, ColumnProfile]:
    """Columns of pyarrow cut and counted by their kind; in a CSV file texts may stand for something else."""
    from tenure.sdk import baselines

    found: dict[str, Any] = {}
    for name, column in columns.items():
        kind = kind_of_type(column.type)
        if kind == "other":
            continue
        if kind == "text" and is_csv and name not in texts:
            column, kind = kind_of_texts(column)  # noqa: PLW2901 - the same column, read as what it stands for
            if kind == "number":
                found[name] = column
                continue
        found[name] = _moments(column) if kind == "moment" else _values(column, kind)
    return baselines.columns_profile(found, texts)


def count(
    table: TableFile, like: Mapping[str, ColumnProfile], progress: Progress = quiet
) -> tuple[int, dict[str, ColumnProfile]]:
    """The rows of a file, and its columns in the bins of others'; a column that it lacks is missing in every row.

    Two threads count, each a column at a time: numpy leaves the interpreter to others while it works.
    """
    counters = {name: _Counter(name, one, table.is_csv) for name, one in like.items()}
    sources = {counter.source for counter in counters.values()} & table.kinds.keys()
    groups: dict[str, list[_Counter]] = {source: [] for source in sources}
    for counter in counters.values():
        groups.setdefault(counter.source, []).append(counter)
    codes = [name for name in sources if table.kinds[name] == "text" and _is_chosen(like.get(name))]
    rows, batches = 0, table.batches(sources, codes)
    with ThreadPoolExecutor(THREADS) as pool:
        batch = next(batches, None)
        while batch is not None:
            size = len(next(iter(batch.values()))) if batch else 0
            jobs = [pool.submit(_add, groups[name], column) for name, column in batch.items()]
            batch = next(batches, None)  # read while the others count
            for job in jobs:
                job.result()
            rows += size
            progress(rows, table.rows)
    return rows, {name: counter.counted(rows, counter.source in sources) for name, counter in counters.items()}


def count_column(name: str, like: ColumnProfile, column: Arrow) -> ColumnProfile:
    """One array of pyarrow, whole, in the bins of another column."""
    counter = _Counter(name, like, is_csv=False)
    counter.add(column, {})
    return counter.counted(len(column), was_there=True)


def kind_of_type(kind: Arrow) -> str:
    """What a column of a type of pyarrow holds: number, text, boolean, moment, nothing, or other (not counted)."""
    import pyarrow.types as of

    if of.is_dictionary(kind):
        kind = kind.value_type
    if of.is_integer(kind) or of.is_floating(kind) or of.is_decimal(kind):
        return "number"
    if of.is_string(kind) or of.is_large_string(kind) or of.is_string_view(kind):
        return "text"
    if of.is_boolean(kind):
        return "boolean"
    if of.is_timestamp(kind) or of.is_date(kind):
        return "moment"
    return "nothing" if of.is_null(kind) else "other"


class _Counter:
    """One column of a profile, counted in another's bins, from arrays of pyarrow."""

    def __init__(self, name: str, like: ColumnProfile, is_csv: bool) -> None:
        from tenure.stats.histograms import CategoricalCounter, NumericCounter

        self._name, self._like, self.source, self._is_csv = name, like, like.of or name, is_csv
        if isinstance(like, NumericProfile):
            within = None if like.min is None or like.max is None else (like.min, like.max)
            self._numbers = NumericCounter(like.edges, like.points, within)
        else:
            self._levels = CategoricalCounter(like.levels, like.other_levels)

    def add(self, column: Arrow, measured: dict[str, Any]) -> None:
        kind = kind_of_type(column.type)
        if self._like.measure is not None:
            self._add_measured(column, kind, measured)
        elif isinstance(self._like, NumericProfile):
            self._add_numbers(column, kind)
        else:
            if self._is_csv and set(self._like.levels) <= {"true", "false"}:
                column = plain_levels(column)
            self._levels.add(_level_counts(column))

    def counted(self, rows: int, was_there: bool) -> ColumnProfile:
        like = self._like
        if isinstance(like, NumericProfile):
            if not was_there:
                self._numbers.add_nulls(rows)
            numbers = profiles.numeric_profile(self._numbers.counted(), like.edges, like.points)
            return profiles.measured(numbers, like.of, like.measure)
        if not was_there:
            self._levels.add({None: rows})
        levels = profiles.categorical_profile(self._levels.counted(), like.levels, like.other_levels)
        return profiles.measured(levels, like.of, like.measure)

    def _add_numbers(self, column: Arrow, kind: str) -> None:
        if kind == "text" and self._is_csv:
            values, wrong_type = numbers_of_texts(column)
            self._numbers.add(values)
            self._numbers.add_nulls(0, wrong_type)
        elif kind in ("number", "boolean"):
            self._numbers.add(_values(column, "number"))
        else:
            self._numbers.add_nulls(len(column), wrong_type=len(column) - column.null_count)

    def _add_measured(self, column: Arrow, kind: str, measured: dict[str, Any]) -> None:
        from collections import Counter

        from tenure.stats.columns import levels_of

        if "values" not in measured:
            measured["values"] = _moments(column) if kind == "moment" else _values(column, kind)
        values = profiles.values_of(self._like, self._name, {self.source: measured["values"]}, measured)
        if isinstance(self._like, NumericProfile):
            self._numbers.add(values)
        else:
            self._levels.add(Counter(levels_of(values)))


def _add(counters: list[_Counter], column: Arrow) -> None:
    measured: dict[str, Any] = {}
    for counter in counters:
        counter.add(column, measured)


def _level_counts(column: Arrow) -> dict[str | None, int]:
    """How often each level occurs, by its name."""
    import pyarrow.compute as pc

    from tenure.stats.columns import level_name

    if _is_dictionary(column) and kind_of_type(column.type) == "text":
        return _code_counts(column)
    found: dict[str | None, int] = {}
    for one in pc.value_counts(column).to_pylist():
        name = level_name(one["values"])
        found[name] = found.get(name, 0) + one["counts"]
    return found


def _code_counts(column: Arrow) -> dict[str | None, int]:
    import numpy as np

    codes = _plain(column.indices.drop_null() if column.null_count else column.indices)
    counts = np.bincount(codes, minlength=len(column.dictionary)).tolist()
    found: dict[str | None, int] = dict(zip(column.dictionary.to_pylist(), counts, strict=True))
    if column.null_count:
        found[None] = column.null_count
    return {level: count for level, count in found.items() if count}


def _values(column: Arrow, kind: str) -> Any:
    """A column of pyarrow as the values that are counted: numpy's where it can be, else Python's."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind == "number":
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            column = column.cast("float64")
        if column.null_count:
            column = pc.fill_null(column.cast("float64"), float("nan"))
        return _plain(column)
    return column.to_pylist()


def _plain(column: Arrow) -> Any:
    """Numbers without nulls as numpy's, not copied. `to_numpy` would import pandas: a quarter of a second."""
    import numpy as np
    import pyarrow as pa

    if pa.types.is_null(column.type) or not len(column):
        return np.full(len(column), np.nan)
    name = str(column.type)
    kind = np.dtype({"halffloat": "float16", "float": "float32", "double": "float64"}.get(name, name))
    return np.frombuffer(column.buffers()[1], kind, len(column), column.offset * kind.itemsize)


def _moments(column: Arrow) -> Any:
    """Moments, and texts that stand for them, as numpy's, in microseconds UTC."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from tenure.stats.measures import moments_of

    if kind_of_type(column.type) != "moment":
        told = moments_of(column.to_pylist()).tolist()
        return np.array([np.datetime64("NaT") if at is None else np.datetime64(at, "us") for at in told])
    in_us = column.cast(pa.timestamp("us", getattr(column.type, "tz", None)), safe=False).cast("int64")
    missing = -(2**63)  # which is what numpy calls not a time
    return _plain(pc.fill_null(in_us, missing)).view("datetime64[us]")


def _is_dictionary(column: Arrow) -> bool:
    import pyarrow.types as of

    return bool(of.is_dictionary(column.type))


def _is_chosen(like: ColumnProfile | None) -> bool:
    return like is not None and not isinstance(like, NumericProfile) and like.measure is None


def _parquet(path: Path) -> TableFile:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    kinds = {field.name: kind_of_type(field.type) for field in file.schema_arrow}
    return TableFile(path, _all_different(kinds, file.schema_arrow.names), file.metadata.num_rows, is_csv=False)


def _csv(path: Path) -> TableFile:
    from pyarrow import csv

    names = csv.open_csv(path).schema.names
    return TableFile(path, _all_different(dict.fromkeys(names, ""), names), None, is_csv=True)


def _all_different(kinds: dict[str, str], names: list[str]) -> dict[str, str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInput(f"Column names must differ. Got {twice[0]!r} more than once.", where=twice[0])
    if not kinds:
        raise InvalidInput("A table must have at least one column. Got none.")
    return kinds


def _sample(table: TableFile) -> tuple[dict[str, Arrow], int]:
    """Some of a file's rows, evenly spread over it, and how many it has."""
    import pyarrow as pa

    kept: list[Arrow] = []
    rows, step, size = 0, 1, 0
    wanted = [name for name, kind in table.kinds.items() if kind != "other"]
    for batch in table.batches(wanted):
        part = pa.table(batch)
        chosen = range(-rows % step, part.num_rows, step)
        kept.append(part.take(list(chosen)) if step > 1 else part)
        rows, size = rows + part.num_rows, size + len(chosen)
        while size > SAMPLE:
            whole = pa.concat_tables(kept)
            kept = [whole.take(list(range(0, whole.num_rows, 2)))]
            step, size = step * 2, kept[0].num_rows
    if not kept:
        return {}, 0
    whole = pa.concat_tables(kept)
    return {name: _one(whole.column(name)) for name in whole.column_names}, rows


def _one(column: Arrow) -> Arrow:
    joined = column.combine_chunks()
    return joined if not hasattr(joined, "num_chunks") else joined.chunk(0)
