"""A batch from its first row to its last: begun, scored, ended; gone on with where it was cut off."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tenure.batch import fetching, sources
from tenure.batch.answering import Answering, answering
from tenure.batch.environments import Say, Wheels
from tenure.batch.pipeline import Pipeline, Progress, digest_of
from tenure.batch.results import Begun, ChunkDone, Results, disk
from tenure.batch.scoring import ChunkScored, ChunkScorer, Wanted, columns_of
from tenure.batch.sending import Sending
from tenure.batch.sources import Source
from tenure.errors import Conflict, InvalidInput
from tenure.records.batches import BatchEnd, BatchInfo, BatchOrder, NewBatch
from tenure.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN_ROWS = 10
SCORER_TIMEOUT_S = 600.0


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
        sending: Sending,
        source: Source,
        wanted: Wanted,
        new: NewBatch,
        wheels: Wheels = Wheels(),  # noqa: B008  it cannot be changed
    ) -> None:
        self._sending, self._source, self._wanted = sending, source, wanted
        self._new, self._wheels = new, wheels

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
        order = begun.order
        scorer = ChunkScorer(order, self._source, self._wanted, answers)
        pipeline = Pipeline(self._sending, results, order, scorer, digests=not self._source.repeats)
        went_on_from = pipeline.rows
        with ThreadPoolExecutor(1, thread_name_prefix="digest") as pool:
            digest = pool.submit(self._source.sha256)
            pipeline.run(self._left(scorer, pipeline.done), self._total(), progress)
            done = pipeline.done
            input_sha256 = digest.result() or _digest_of(done)
        if not done:
            results.forget()
            self._sending.give_up(order)
            raise _no_rows(self._source)
        if self._source.stamps() != begun.stamps:
            raise Conflict("The input was changed while it was read. Start anew with --restart.")
        end = BatchEnd(
            rows=pipeline.rows,
            rejected=sum(chunk.rejected for chunk in done),
            input_sha256=input_sha256,
            output_sha256=results.join(done),
        )
        batch = self._sending.finish(order, end)
        results.publish()
        reasons: Counter[str] = Counter()
        for chunk in done:
            reasons.update(chunk.reasons)
        return Summary(batch, end.rows, end.rejected, dict(reasons), went_on_from, answers.said)

    def _begun(self, results: Results, *, restart: bool, say: Say) -> Begun:
        """What is gone on with, or what is begun now."""
        begun = results.open()
        if begun is not None and restart:
            self._sending.give_up(begun.order)
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
        batch = self._sending.get(begun.order.batch.batch_id)
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
        return self._sending.open(new)

    def _asked(self) -> dict[str, Any]:
        said = {name: getattr(self._new, name) for name in ("jurisdiction", "purpose", "channel")}
        server = {"url": self._sending.client.url, "endpoint": self._sending.endpoint}
        return {**server, **said, **msgspec.to_builtins(self._wanted)}

    def _answering(self, order: BatchOrder, cache: Path, say: Say) -> Answering:
        settings = Settings(
            data=str(cache),
            wheel_index=self._wheels.wheel_index,
            wheel_folder=self._wheels.wheel_folder,
            scoring_timeout_s=SCORER_TIMEOUT_S,
            spare_scorer=False,
        )
        client, endpoint = self._sending.client, self._sending.endpoint
        form = fetching.fetcher(client, endpoint, cache, form=True)
        return answering(order, form, fetching.fetcher(client, endpoint, cache), settings, say)

    def _total(self) -> int | None:
        rows, limit = self._source.rows, self._wanted.limit
        return rows if limit is None or (rows is not None and rows < limit) else limit if rows is not None else None

    def _left(self, scorer: ChunkScorer, done: list[ChunkDone]) -> Iterator[pa.Table]:
        """What is left to be scored. Where reading again may give something else, what is done is compared first."""
        if self._source.repeats and any(chunk.rows < sources.CHUNK_ROWS for chunk in done):
            return iter(())  # the last one is done already
        skipped = sum(chunk.rows for chunk in done)
        limit = self._wanted.limit
        if self._source.repeats:
            return _limited(self._source.chunks(scorer.columns, skipped), skipped, limit)
        every = _limited(self._source.chunks(scorer.columns, 0), 0, limit)
        for chunk in done:
            again = next(every, None)
            if again is None or digest_of(again) != chunk.digest:
                raise Conflict(
                    "The query gives other rows than when the batch was begun, or in another order. Give it an "
                    "ORDER BY and rows that stay, and use --restart."
                )
        return every


def _limited(chunks: Iterator[pa.Table], first_row: int, limit: int | None) -> Iterator[pa.Table]:
    for table in chunks:
        if limit is None:
            yield table
            continue
        if first_row >= limit:
            return
        yield table.slice(0, limit - first_row)
        first_row += table.num_rows


def _digest_of(done: list[ChunkDone]) -> str:
    return hashlib.sha256("\n".join(chunk.digest for chunk in done).encode()).hexdigest()


def _no_rows(source: Source) -> InvalidInput:
    return InvalidInput(f"The input must have rows. {source.said} has none.")


def _named(version: int | None) -> str:
    return "none" if version is None else f"version {version}"
