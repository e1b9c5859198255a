"""A batch's chunks on their way, each step on a thread of its own.

While the version answers one chunk, the next one is read and checked, the one before it is kept and sent, and those
that are done become part of the output.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from tenure.batch import journal, sources
from tenure.batch.results import ChunkDone, Results, disk
from tenure.batch.scoring import ChunkRead, ChunkScored, ChunkScorer
from tenure.batch.sending import Sending
from tenure.errors import InvalidInput, Unavailable, ValuesRefused
from tenure.records.batches import MOST_ROWS, BatchOrder

if TYPE_CHECKING:
    import pyarrow as pa

AHEAD = 2
"""Chunks that wait to be written and sent, at most."""
FEWEST_A_LOOK, MOST_A_LOOK = 32, 64
"""Chunks after which the server is asked to look into what it has, while the next ones are scored. A look costs it a
process of half a second, so each is for half of what was left, and the last leaves few for the end."""
Progress = Callable[[int, int | None], None]
"""Told how many rows are done, and of how many where that is known."""


class Pipeline:
    """The way of one batch. `digests`: whether reading again may give other rows, so that each chunk's digest is kept.

    `done` grows by what is kept here and at the server, in the order of rows; what it begins with was so before.
    """

    def __init__(
        self, sending: Sending, results: Results, order: BatchOrder, scorer: ChunkScorer, *, digests: bool
    ) -> None:
        self.done = results.done()
        self._sending, self._results, self._order, self._scorer = sending, results, order, scorer
        self._digests = digests
        self._keeping: deque[Future[ChunkDone]] = deque()
        self._broken = False

    @property
    def rows(self) -> int:
        """Rows that are done."""
        return sum(chunk.rows for chunk in self.done)

    def run(self, chunks: Iterator[pa.Table], total_rows: int | None, progress: Progress) -> None:
        """Take what is left, chunk after chunk, until all is done.

        Raises ValuesRefused for rows that are not admitted when there is no file for them, InvalidInput for a column of
        another kind, Unavailable when server or disk fail for longer: whatever was scored before is done then.
        """
        number, rows = len(self.done), self.rows
        next_look = _next_look(number, total_rows)
        progress(rows, total_rows)
        with (
            ThreadPoolExecutor(1, thread_name_prefix="reading") as reader,
            ThreadPoolExecutor(1, thread_name_prefix="keeping") as keeper,
            ThreadPoolExecutor(1, thread_name_prefix="joining") as joiner,
            ThreadPoolExecutor(1, thread_name_prefix="looking") as looker,
        ):

            def settle() -> None:
                nonlocal rows, next_look
                self.done.append(self._keeping.popleft().result())
                joiner.submit(self._results.join_ahead, self.done[-1])
                rows += self.done[-1].rows
                progress(rows, total_rows)
                if len(self.done) >= next_look:
                    looker.submit(self._sending.look_ahead, self._order)
                    next_look = _next_look(len(self.done), total_rows)

            for before in self.done:
                joiner.submit(self._results.join_ahead, before)
            reading = reader.submit(self._read, chunks, number)
            try:
                while (chunk := reading.result()) is not None:
                    reading = reader.submit(self._read, chunks, number + 1)
                    answered = self._scorer.answer(chunk)
                    self._keeping.append(keeper.submit(self._keep, number, *answered))
                    number += 1
                    if len(self._keeping) > AHEAD:
                        settle()
                while self._keeping:
                    settle()
            except BaseException:
                reading.cancel()
                while self._keeping and not self._broken:  # what is scored is kept, so that it is not scored again
                    settle()
                raise
            looker.submit(self._sending.look_ahead, self._order)

    def _read(self, chunks: Iterator[pa.Table], number: int) -> ChunkRead | None:
        """The next chunk, as the version takes it; None when there is none."""
        table = next(chunks, None)
        if table is None:
            return None
        first_row = number * sources.CHUNK_ROWS
        if first_row + table.num_rows > MOST_ROWS:
            raise InvalidInput(f"A batch may have {MOST_ROWS:,} rows at most. Send several.")
        return self._scorer.read(table, first_row)

    def _keep(self, number: int, chunk: ChunkRead, outputs: pa.Array) -> ChunkDone:
        """Keep a chunk here and at the server, then note that it is done. After one that failed none is."""
        if self._broken:
            raise Unavailable("An earlier chunk could not be kept.")
        try:
            scored = self._scorer.finish(chunk, outputs)
            done = self._judged(number, chunk.table, scored)
            with disk():
                self._results.keep(done, scored.output, scored.rejected)
            says_all = self._scorer.score_says_all
            table = journal.table_of(self._order, scored.scored, scored.ids, score_says_all=says_all)
            for part in journal.parts_of(table, scored.scored.numbers, self._order.most_part_bytes):
                self._sending.patiently(partial(self._sending.part, self._order, part))
            with disk():
                self._results.note(done)
        except BaseException:
            self._broken = True
            raise
        return done

    def _judged(self, number: int, table: pa.Table, scored: ChunkScored) -> ChunkDone:
        """What is said of a chunk once it is done. Raises ValuesRefused for rejected rows that nobody takes."""
        rejected = scored.rejected.num_rows if scored.rejected is not None else 0
        if rejected and self._results.rejected is None:
            first, last = number * sources.CHUNK_ROWS, number * sources.CHUNK_ROWS + table.num_rows - 1
            raise ValuesRefused(
                f"{rejected:,} of the rows {first:,} to {last:,} are not admitted. {' '.join(scored.first_problems)} "
                "Correct them, or run the command again with --rejected FILE, which takes them.",
                reason=next(iter(scored.reasons)),
            )
        digest = digest_of(table) if self._digests else ""
        return ChunkDone(number=number, rows=table.num_rows, rejected=rejected, reasons=scored.reasons, digest=digest)


def digest_of(table: pa.Table) -> str:
    """The digest of rows as they were read."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table.combine_chunks())
    return hashlib.sha256(sink.getvalue()).hexdigest()


def _next_look(done: int, total_rows: int | None) -> int:
    """After how many chunks the server is asked to look the next time, when so many are done.

    >>> [_next_look(0, 10_000_000), _next_look(64, 10_000_000), _next_look(109, 10_000_000), _next_look(64, None)]
    [64, 108, 141, 128]
    """
    left = 2 * MOST_A_LOOK if total_rows is None else total_rows // sources.CHUNK_ROWS - done
    return done + min(max(left // 2, FEWEST_A_LOOK), MOST_A_LOOK)
