"""One chunk of rows: taken as the version takes them, held to the model's file, answered, made into what is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenure.batch import checking, rules
from tenure.batch.answering import Answering, scores_of
from tenure.batch.checking import Columns, Reason
from tenure.batch.journal import Scored, ids_of
from tenure.batch.sources import Source
from tenure.errors import InvalidInput
from tenure.records.base import Record, instant_of
from tenure.records.batches import BatchOrder
from tenure.serving.columns import Inputs
from tenure.serving.decoding import FIRST_SURE_MICROSECOND, LAST_MICROSECOND, REFERENCE_CHARACTERS
from tenure.serving.saying import PROBLEMS_SHOWN, listed, quoted

if TYPE_CHECKING:
    import pyarrow as pa

OURS = ("prediction_id", "prediction", "score")
Numbers = NDArray[np.int64]


class Wanted(Record):
    """What the caller asks: columns to carry along, which hold event time and reference, how many rows."""

    columns: list[str] = []
    event_time: str | None = None
    reference: str | None = None
    limit: int | None = None
    ignore_others: bool = False


class ChunkRead(NamedTuple):
    """Rows as they were read, and what the version is to be asked.

    `alive`: the numbers, within the chunk, of rows that are not rejected yet; `columns` are of those. The columns that
    stand beside them are of all rows, None where there is none.
    """

    table: pa.Table
    first_row: int
    alive: Numbers
    columns: Columns
    event_at: Numbers | None
    reference: pa.Array | None
    flagged: pa.Array | None
    clipped: pa.Array | None
    reasons: list[Reason]


class ChunkScored(NamedTuple):
    """What came of a chunk. `rejected`: its rejected rows as they were read, with why; None when there are none."""

    scored: Scored
    ids: pa.Array
    output: pa.Table
    rejected: pa.Table | None
    reasons: dict[str, int]
    first_problems: list[str]


class ChunkScorer:
    """Scores chunks of one source for one batch."""

    def __init__(self, order: BatchOrder, source: Source, wanted: Wanted, answering: Answering) -> None:
        self._order, self._source, self._wanted, self._answering = order, source, wanted, answering
        self._inputs = order.release.inputs
        self.columns = columns_of(order, source, wanted)
        aside = {*wanted.columns, wanted.event_time, wanted.reference}
        self._features = [name for name in self.columns if name not in aside]
        self.score_says_all = answering.score_says_all

    def score(self, table: pa.Table, first_row: int) -> ChunkScored:
        """All three steps, which may be taken by a thread each. Raises what they raise."""
        return self.finish(*self.answer(self.read(table, first_row)))

    def read(self, table: pa.Table, first_row: int) -> ChunkRead:
        """Take rows as the version takes them. Raises InvalidInput for a column of another kind."""
        rows = table.num_rows
        columns, reasons = self._taken(table)
        held = rules.held(columns, self._order.columns, self._inputs, rows)
        event_at, late = self._event_at(table)
        reference, unnamed = self._reference(table)
        reasons = [*reasons, *held.reasons, *late, *unnamed]
        alive, columns = _without(np.arange(rows), held.columns, reasons)
        refused = [_among(alive, one, rows) for one in self._answering.refused(columns, len(alive))]
        alive, columns = _without(alive, columns, refused)
        texts = (_texts(held.flagged), _texts(held.clipped))
        return ChunkRead(table, first_row, alive, columns, event_at, reference, *texts, [*reasons, *refused])

    def answer(self, chunk: ChunkRead) -> tuple[ChunkRead, pa.Array]:
        """Have the version answer; what is left of the rows, and its answers. Raises what the version raises."""
        alive, columns = chunk.alive, chunk.columns
        outputs, failed = self._answering.outputs(columns, len(alive)) if len(alive) else (_none(), [])
        if not failed:
            return chunk, outputs
        failed = [_among(alive, one, chunk.table.num_rows) for one in failed]
        left = ~np.logical_or.reduce([one.rows for one in failed])[alive]
        columns = {name: array.filter(_mask(left)) for name, array in columns.items()}
        chunk = chunk._replace(alive=alive[left], columns=columns, reasons=[*chunk.reasons, *failed])
        return chunk, outputs.filter(_mask(left))

    def finish(self, chunk: ChunkRead, outputs: pa.Array) -> ChunkScored:
        """Make of answers what is kept."""
        alive, rows = chunk.alive, chunk.table.num_rows
        numbers = alive + chunk.first_row
        ids = ids_of(self._order.batch.batch_id, numbers)
        scored = Scored(
            numbers,
            chunk.columns,
            outputs,
            scores_of(outputs),
            None if chunk.event_at is None else chunk.event_at[alive],
            _chosen(chunk.reference, alive, rows),
            _chosen(chunk.flagged, alive, rows),
            _chosen(chunk.clipped, alive, rows),
        )
        output = self._output(_chosen(chunk.table, alive, rows), scored, ids)
        return ChunkScored(scored, ids, output, *_rejected(chunk.table, chunk.reasons, chunk.first_row))

    def _taken(self, table: pa.Table) -> tuple[Columns, list[Reason]]:
        if self._inputs:
            return checking.taken(table, self._inputs, text=self._source.text)
        return checking.as_they_come(table.select(self._features)), []

    def _event_at(self, table: pa.Table) -> tuple[Numbers | None, list[Reason]]:
        """Event times in microseconds, None where they were not asked for."""
        name = self._wanted.event_time
        if name is None:
            return None, []
        instants, wrong = _instants(table.column(name))
        if not wrong.any():
            return instants, []
        message = (
            f"Column {quoted(name)} must hold ISO 8601, such as 2013-02-01T05:00:00Z, or whole microseconds since 1970."
        )
        return instants, [Reason(wrong, name, "event_time", message)]

    def _reference(self, table: pa.Table) -> tuple[pa.Array | None, list[Reason]]:
        import pyarrow as pa
        import pyarrow.compute as pc

        name = self._wanted.reference
        if name is None:
            return None, []
        array = checking.plain(table.column(name)).cast(pa.string())
        length = pc.utf8_length(array)
        wrong = pc.or_(pc.less(length, 1), pc.greater(length, REFERENCE_CHARACTERS)).fill_null(False)
        mask = np.asarray(wrong.to_numpy(zero_copy_only=False), dtype=bool)
        if not mask.any():
            return array, []
        message = f"Column {quoted(name)} must hold references of 1 to {REFERENCE_CHARACTERS} characters."
        return array, [Reason(mask, name, "reference", message)]

    def _output(self, table: pa.Table, scored: Scored, ids: pa.Array) -> pa.Table:
        import pyarrow as pa

        columns: dict[str, Any] = {name: table.column(name) for name in self._wanted.columns}
        columns |= {"prediction_id": ids, "prediction": scored.outputs}
        if pa.types.is_list(scored.outputs.type):
            columns["score"] = scored.scores
        return pa.table(columns)


def columns_of(order: BatchOrder, source: Source, wanted: Wanted) -> list[str]:
    """The columns to read. Raises InvalidInput for what is missing, not known, or named twice."""
    inputs = order.release.inputs
    named = [*wanted.columns, *filter(None, (wanted.event_time, wanted.reference))]
    for name in named:
        if name not in source.names:
            raise InvalidInput(f"The input has no column {quoted(name)}. It has {listed(source.names)}.", where=name)
    for name in wanted.columns:
        if name in OURS:
            raise InvalidInput(f"A column that is carried along must not be called {name!r}: an output is.", where=name)
    if not inputs:
        return list(source.names)
    taken = {column.name for column in inputs}
    if not wanted.ignore_others:
        try:
            Inputs(inputs).check_names([name for name in source.names if name in taken or name not in named], "input")
        except InvalidInput as problem:
            others = any(name not in taken and name not in named for name in source.names)
            more = " --columns carries a column along, --ignore-others leaves out what is not known." if others else ""
            raise InvalidInput(problem.message + more, where=problem.where) from None
    else:
        Inputs(inputs).check_names([name for name in source.names if name in taken], "input")
    return [name for name in source.names if name in taken or name in named]


def _without(alive: Numbers, columns: Columns, reasons: Sequence[Reason]) -> tuple[Numbers, Columns]:
    """What is left of rows and columns, which hold the rows that are alive, without those that are rejected."""
    if not reasons:
        return alive, columns
    left = ~np.logical_or.reduce([one.rows for one in reasons])[alive]
    return alive[left], {name: array.filter(_mask(left)) for name, array in columns.items()}


def _among(alive: Numbers, reason: Reason, rows: int) -> Reason:
    """A reason about the rows that are alive, told of all rows."""
    full = np.zeros(rows, dtype=bool)
    full[alive] = reason.rows
    return reason._replace(rows=full)


def _chosen(told: Any, alive: Numbers, rows: int) -> Any:
    """A table's or an array's rows that are alive."""
    return told if told is None or len(alive) == rows else told.take(alive)


def _rejected(
    table: pa.Table, reasons: Sequence[Reason], first_row: int
) -> tuple[pa.Table | None, dict[str, int], list[str]]:
    """The rejected rows with the first reason of each, how many by reason, and the first few in words."""
    if not reasons:
        return None, {}, []
    first = np.full(table.num_rows, -1)
    for place, one in enumerate(reasons):
        first[(first < 0) & one.rows] = place
    rows = np.flatnonzero(first >= 0)
    why = [reasons[place] for place in first[rows]]
    told = {
        "rejected_row": rows + first_row,
        "rejected_reason": [one.reason for one in why],
        "rejected_column": [one.column or None for one in why],
        "rejected_because": [one.message for one in why],
    }
    taken = table.take(rows)
    for name, values in told.items():
        taken = taken.append_column(name, _column(values))
    said = [f"Row {row + first_row}: {one.message}" for row, one in zip(rows[:PROBLEMS_SHOWN], why, strict=False)]
    return taken, dict(Counter(one.reason for one in why)), said


def _column(values: Any) -> Any:
    import pyarrow as pa

    return pa.array(values) if isinstance(values, np.ndarray) else pa.array(values, pa.string())


def _instants(column: Any) -> tuple[Numbers, NDArray[np.bool_]]:
    """Event times of a column as microseconds UTC, and which are none."""
    import pyarrow as pa

    array = column.combine_chunks()
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        sure = -LAST_MICROSECOND
    elif pa.types.is_integer(array.type):
        sure = FIRST_SURE_MICROSECOND
    else:
        encoded = checking.plain(array).dictionary_encode()
        read = pa.array([_instant(text) for text in encoded.dictionary.to_pylist()], pa.int64())
        array, sure = read.take(encoded.indices), -LAST_MICROSECOND
    values = array.cast(pa.int64()).fill_null(0)
    wrong = np.asarray(array.is_null().to_numpy(zero_copy_only=False), dtype=bool)
    found = values.to_numpy()
    return found, wrong | (found < sure) | (found > LAST_MICROSECOND)


def _instant(text: Any) -> int | None:
    if isinstance(text, str) and text.isdecimal():
        return int(text) if FIRST_SURE_MICROSECOND <= int(text) <= LAST_MICROSECOND else None
    try:
        return instant_of(datetime.fromisoformat(text))
    except (TypeError, ValueError, OverflowError):
        return None


def _texts(told: list[str | None] | None) -> Any:
    import pyarrow as pa

    return None if told is None else pa.array(told, pa.string())


def _mask(rows: NDArray[np.bool_]) -> Any:
    import pyarrow as pa

    return pa.array(rows)


def _none() -> Any:
    import pyarrow as pa

    return pa.nulls(0)
