"""A batch from its first row to its last: read, scored, journaled, kept; gone on with where it was cut off.

While the version answers one chunk, the next one is read and checked, the one before it is kept and sent, and those
that are done become part of the output.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import msgspec

from tenure.batch import fetching, journal, sources
from tenure.batch.answering import Answering, answering
from tenure.batch.environments import Say, Wheels
from tenure.batch.results import Begun, ChunkDone, Results, disk
from tenure.batch.scoring import ChunkRead, ChunkScored, ChunkScorer, Wanted, columns_of
from tenure.batch.sources import Source
from tenure.errors import Conflict, InvalidInput, OverQuota, TenureError, Unavailable, ValuesRefused
from tenure.records.batches import MOST_ROWS, BatchEnd, BatchInfo, BatchOrder, NewBatch
from tenure.sdk.client import Client
from tenure.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET = "application/vnd.apache.parquet"
PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
FEWEST_A_LOOK, MOST_A_LOOK = 32, 64
"""Chunks after which the server is asked to look into what it has, while the next ones are scored. A look costs it a
process of half a second, so each is for half of what was left, and the last leaves few for the end."""
AHEAD = 2
"""Chunks that wait to be written and sent, at most."""
SHOWN_ROWS = 10
SCORER_TIMEOUT_S = 600.0
Progress = Callable[[int, int | None], None]
"""Told how many rows are done, and of how many where that is known."""


class Summary(NamedTuple):
    """What came of a batch. `champion`: the version that answers at the endpoint when the batch is done."""

    batch: BatchInfo
    rows: int
    rejected: int
    reasons: dict[str, int]
    went_on_from: int
    said: str


class Batch:
    """One batch on this machine. `said` is told what a person should know meanwhile."""

    def __init__(
        self,
        client: Client,
        endpoint: str,
        source: Source,
        wanted: Wanted,
        new: NewBatch,
        wheels: Wheels = Wheels(),  # noqa: B008  it cannot be changed
    ) -> None:
        self._client, self._endpoint, self._source, self._wanted = client, endpoint, source, wanted
        self._new, self._wheels = new, wheels
        self._path = f"/api/v1/endpoints/{quote(endpoint, safe='')}/batches"
        self.pauses_s = PAUSES_S
        self._broken = False

    def preview(self, cache: Path, *, say: Say) -> tuple[ChunkScored, BatchOrder]:
        """Score the first rows and keep nothing, here or at the server."""
        order = self._order(dry_run=True)
        answers = self._answering(order, cache, say)
        try:
            scorer = ChunkScorer(order, self._source, self._wanted, answers)
            first = next(self._source.chunks(scorer.columns, 0), None)
            if first is None or not first.num_rows:
                raise _no_rows(self._source)
            return scorer.score(first.slice(0, SHOWN_ROWS), 0), order
        finally:
            answers.close()

    def run(self, results: Results, cache: Path, *, restart: bool, progress: Progress, say: Say) -> Summary:
        """Score everything that is not yet scored, and write the output as a whole.

        Raises ValuesRefused for rows that are not admitted when there is no file for them, Conflict when something else
        was begun here, Unavailable when server or disk fail for longer: the same command then goes on.
        """
        try:
            with disk():
                begun = self._begun(results, restart=restart, say=say)
                answers = self._answering(begun.order, cache, say)
                say(f"Version {begun.order.batch.version} of {begun.order.batch.model} answers: {answers.said}.")
                try:
                    return self._run(results, begun, answers, progress)
                finally:
                    answers.close()
        finally:
            results.close()

    def _run(self, results: Results, begun: Begun, answers: Answering, progress: Progress) -> Summary:
        order, done = begun.order, results.done()
        scorer = ChunkScorer(order, self._source, self._wanted, answers)
        if self._source.repeats and any(chunk.rows < sources.CHUNK_ROWS for chunk in done):
            chunks: Iterator[pa.Table] = iter(())  # the last one is done already
        else:
            chunks = self._chunks(scorer, done)
        with ThreadPoolExecutor(4, thread_name_prefix="batch") as pool:
            digest = pool.submit(self._source.sha256)
            went_on_from = sum(chunk.rows for chunk in done)
            self._score_all(results, order, scorer, chunks, done, answers, progress, pool)
            input_sha256 = digest.result() or _digest_of(done)
            if not done:
                results.forget()
                self._give_up(order)
                raise _no_rows(self._source)
            if self._source.stamps() != begun.stamps:
                raise Conflict("The input was changed while it was read. Start anew with --restart.")
            output_sha256 = results.join(done)
        end = BatchEnd(
            rows=sum(chunk.rows for chunk in done),
            rejected=sum(chunk.rejected for chunk in done),
            input_sha256=input_sha256,
            output_sha256=output_sha256,
        )
        place = f"{self._path}/{order.batch.batch_id}/finish"
        batch = msgspec.convert(self._patiently(lambda: self._client.post(place, end)), BatchInfo)
        results.publish()
        reasons: Counter[str] = Counter()
        for chunk in done:
            reasons.update(chunk.reasons)
        return Summary(batch, end.rows, end.rejected, dict(reasons), went_on_from, answers.said)

    def _score_all(
        self,
        results: Results,
        order: BatchOrder,
        scorer: ChunkScorer,
        chunks: Iterator[pa.Table],
        done: list[ChunkDone],
        answers: Answering,
        progress: Progress,
        pool: ThreadPoolExecutor,
    ) -> None:
        """Score chunk after chunk; what is done is added to `done` in the order of rows."""
        rows, number, before = sum(chunk.rows for chunk in done), len(done), list(done)
        total = self._total()
        progress(rows, total)
        keeping: deque[Future[ChunkDone]] = deque()
        next_look = _next_look(number, total)

        def settle() -> None:
            nonlocal rows, next_look
            done.append(keeping.popleft().result())
            joiner.submit(results.join_ahead, done[-1])
            rows += done[-1].rows
            progress(rows, total)
            if len(done) >= next_look:
                pool.submit(self._look_ahead, order)
                next_look = _next_look(len(done), total)

        with (
            ThreadPoolExecutor(1, thread_name_prefix="keeping") as keeper,
            ThreadPoolExecutor(1, thread_name_prefix="joining") as joiner,
        ):
            for earlier in before:
                joiner.submit(results.join_ahead, earlier)
            reading = pool.submit(self._read, chunks, scorer, number)
            try:
                while (chunk := reading.result()) is not None:
                    reading = pool.submit(self._read, chunks, scorer, number + 1)
                    answered = scorer.answer(chunk)
                    keeping.append(keeper.submit(self._keep, results, order, scorer, number, answered, answers))
                    number += 1
                    if len(keeping) > AHEAD:
                        settle()
            finally:
                reading.cancel()
                while keeping and not self._broken:  # what is scored is kept, so that it need not be scored again
                    settle()
        pool.submit(self._look_ahead, order)

    def _read(self, chunks: Iterator[pa.Table], scorer: ChunkScorer, number: int) -> ChunkRead | None:
        """The next chunk, as the version takes it; None when there is none."""
        table = next(chunks, None)
        if table is None:
            return None
        first_row = number * sources.CHUNK_ROWS
        if first_row + table.num_rows > MOST_ROWS:
            raise InvalidInput(f"A batch may have {MOST_ROWS:,} rows at most. Send several.")
        return scorer.read(table, first_row)

    def _chunk(self, number: int, table: pa.Table, scored: ChunkScored, results: Results) -> ChunkDone:
        rejected = scored.rejected.num_rows if scored.rejected is not None else 0
        if rejected and results.rejected is None:
            first, last = number * sources.CHUNK_ROWS, number * sources.CHUNK_ROWS + table.num_rows - 1
            raise ValuesRefused(
                f"{rejected:,} of the rows {first:,} to {last:,} are not admitted. {' '.join(scored.first_problems)} "
                "Correct them, or run the command again with --rejected FILE, which takes them.",
                reason=next(iter(scored.reasons)),
            )
        digest = "" if self._source.repeats else _digest(table)
        return ChunkDone(number=number, rows=table.num_rows, rejected=rejected, reasons=scored.reasons, digest=digest)

    def _keep(
        self,
        results: Results,
        order: BatchOrder,
        scorer: ChunkScorer,
        number: int,
        answered: tuple[ChunkRead, pa.Array],
        answers: Answering,
    ) -> ChunkDone:
        """Keep a chunk here and at the server, then note that it is done. After one that failed none is."""
        if self._broken:
            raise Unavailable("An earlier chunk could not be kept.")
        try:
            scored = scorer.finish(*answered)
            chunk = self._chunk(number, answered[0].table, scored, results)
            with disk():
                results.keep(chunk, scored.output, scored.rejected)
            table = journal.table_of(order, scored.scored, scored.ids, score_says_all=answers.score_says_all)
            for part in journal.parts_of(table, scored.scored.numbers, order.most_part_bytes):
                self._patiently(lambda part=part: self._send(order, part))  # type: ignore[misc]
            with disk():
                results.note(chunk)
        except BaseException:
            self._broken = True
            raise
        return chunk

    def _look_ahead(self, order: BatchOrder) -> None:
        """Only to be quicker at the end, which finds out whatever this does not."""
        with contextlib.suppress(TenureError):
            self._client.post(f"{self._path}/{order.batch.batch_id}/look")

    def _send(self, order: BatchOrder, part: journal.Part) -> Any:
        """Send a part piece by piece, which spares copies of all of it."""
        import pyarrow as pa

        path = f"{self._path}/{order.batch.batch_id}/parts/{part.first_row}"
        asked = {"until_row": part.until_row, "rows": part.rows}
        return self._client.send_file("PUT", path, pa.BufferReader(part.content), PARQUET, asked)

    def _patiently(self, send: Callable[[], Any]) -> Any:
        """Ask again for a minute while the server is away."""
        for pause_s in self.pauses_s:
            try:
                return send()
            except OverQuota:
                raise
            except Unavailable:
                time.sleep(pause_s)
        try:
            return send()
        except OverQuota:
            raise
        except Unavailable as problem:
            raise Unavailable(
                f"{problem.message} What is scored is kept: run the same command again to go on."
            ) from None

    def _begun(self, results: Results, *, restart: bool, say: Say) -> Begun:
        """What is gone on with, or what is begun now."""
        begun = results.open()
        if begun is not None and restart:
            self._give_up(begun.order)
            begun = None
        if begun is not None:
            return self._gone_on(results, begun, say)
        columns_of(self._order(dry_run=True), self._source, self._wanted)  # what is refused here leaves no batch behind
        begun = Begun(order=self._order(dry_run=False), asked=self._asked(), stamps=self._source.stamps())
        results.begin(begun)
        return begun

    def _gone_on(self, results: Results, begun: Begun, say: Say) -> Begun:
        if begun.asked != self._asked():
            raise Conflict(
                f"A batch into {results.output} was begun with other options. Run it with the same ones to go on, or "
                "with --restart to begin anew."
            )
        if begun.stamps != self._source.stamps():
            raise Conflict(f"The input changed since the batch into {results.output} was begun. Use --restart.")
        place = f"{self._path}/{begun.order.batch.batch_id}"
        batch = msgspec.convert(self._client.get(place), BatchInfo)
        if batch.state == "abandoned":
            raise Conflict("The server has given up the batch that was begun here. Use --restart.")
        results.mend()
        rows = sum(chunk.rows for chunk in results.done())
        say(f"Goes on from row {rows:,}.")
        if batch.champion != batch.version:
            say(f"The champion is {_named(batch.champion)} by now; the batch goes on with version {batch.version}.")
        return begun

    def _order(self, *, dry_run: bool) -> BatchOrder:
        new = msgspec.structs.replace(self._new, rows=self._total(), dry_run=dry_run)
        return msgspec.convert(self._client.post(self._path, new), BatchOrder)

    def _asked(self) -> dict[str, Any]:
        said = {name: getattr(self._new, name) for name in ("jurisdiction", "purpose", "channel")}
        return {"url": self._client.url, "endpoint": self._endpoint, **said, **msgspec.to_builtins(self._wanted)}

    def _answering(self, order: BatchOrder, cache: Path, say: Say) -> Answering:
        settings = Settings(
            data=str(cache),
            wheel_index=self._wheels.wheel_index,
            wheel_folder=self._wheels.wheel_folder,
            scoring_timeout_s=SCORER_TIMEOUT_S,
            spare_scorer=False,
        )
        form = fetching.fetcher(self._client, self._endpoint, cache, form=True)
        return answering(order, form, fetching.fetcher(self._client, self._endpoint, cache), settings, say)

    def _give_up(self, order: BatchOrder) -> None:
        with contextlib.suppress(TenureError):
            self._client.delete(f"{self._path}/{order.batch.batch_id}")

    def _total(self) -> int | None:
        rows, limit = self._source.rows, self._wanted.limit
        return rows if limit is None or (rows is not None and rows < limit) else limit if rows is not None else None

    def _chunks(self, scorer: ChunkScorer, done: list[ChunkDone]) -> Iterator[pa.Table]:
        """What is left to be scored. Where reading again may give something else, what is done is compared first."""
        skipped = sum(chunk.rows for chunk in done)
        limit = self._wanted.limit
        if self._source.repeats:
            return _limited(self._source.chunks(scorer.columns, skipped), skipped, limit)
        every = _limited(self._source.chunks(scorer.columns, 0), 0, limit)
        for chunk in done:
            again = next(every, None)
            if again is None or _digest(again) != chunk.digest:
                raise Conflict(
                    "The query gives other rows than when the batch was begun, or in another order. Give it an "
                    "ORDER BY and rows that stay, and use --restart."
                )
        return every


def _next_look(done: int, total_rows: int | None) -> int:
    """After how many chunks the server is asked to look the next time, when so many are done.

    >>> [_next_look(0, 10_000_000), _next_look(64, 10_000_000), _next_look(109, 10_000_000), _next_look(64, None)]
    [64, 108, 141, 128]
    """
    left = 2 * MOST_A_LOOK if total_rows is None else total_rows // sources.CHUNK_ROWS - done
    return done + min(max(left // 2, FEWEST_A_LOOK), MOST_A_LOOK)


def _limited(chunks: Iterator[pa.Table], first_row: int, limit: int | None) -> Iterator[pa.Table]:
    for table in chunks:
        if limit is None:
            yield table
            continue
        if first_row >= limit:
            return
        yield table.slice(0, limit - first_row)
        first_row += table.num_rows


def _digest(table: pa.Table) -> str:
    """The digest of rows as they were read."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table.combine_chunks())
    return hashlib.sha256(sink.getvalue()).hexdigest()


def _digest_of(done: list[ChunkDone]) -> str:
    return hashlib.sha256("\n".join(chunk.digest for chunk in done).encode()).hexdigest()


def _no_rows(source: Source) -> InvalidInput:
    return InvalidInput(f"The input must have rows. {source.said} has none.")


def _named(version: int | None) -> str:
    return "none" if version is None else f"version {version}"
