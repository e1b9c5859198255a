"""The gateway's side of the scorers: one process per version in service, watched, restarted, drained, stopped.

Batching is drain-what-is-queued: one batch is with the scorer, and whatever arrives meanwhile is the next one. Nothing
waits for a timer, so a lone request is never slower for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import msgspec

from tenure.errors import ModelFailed, TenureError, TooMany, Unavailable
from tenure.records.routing import Release
from tenure.serving import processes, wire
from tenure.serving.columns import Inputs, joined, packed
from tenure.serving.decoding import Columns
from tenure.serving.processes import Processes, Started, environment_folder
from tenure.settings import Settings

log = logging.getLogger("tenure.gateway")

State = Literal["starting", "serving", "failed", "stopped"]
Fetch = Callable[[Release], Path]

PAUSES_S = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
STEADY_AFTER_S = 30.0
STOP_TIMEOUT_S = 5.0
BATCH_ROWS = 4096
_fetching = ThreadPoolExecutor(4, thread_name_prefix="fetching")
"""Threads of their own: fetching may take minutes, and what has died must be cleared away meanwhile."""


@dataclass(eq=False)
class _Waiting:
    """A request's rows on their way through a scorer."""

    columns: Columns
    rows: int
    params: dict[str, Any] | None
    deadline: float
    outputs: asyncio.Future[list[Any]] = field(repr=False)
    queued_at: float
    alone: bool = False

    def fail(self, problem: TenureError) -> None:
        if not self.outputs.done():
            self.outputs.set_exception(problem)


class Scorer:
    """One version's scorer process and the requests that wait for it.

    `changed` is called whenever `state` changes. `ready` stays true while a scorer that has served is being
    restarted: requests wait in its queue for the second or two that this takes. `starts` bounds how many load at once:
    loading costs seconds of CPU, and all together would only be late together. `stock` gives out the processes.
    """

    def __init__(
        self,
        release: Release,
        settings: Settings,
        fetch: Fetch,
        starts: asyncio.Semaphore,
        stock: Processes,
        changed: Callable[[], None],
    ) -> None:
        self.release = release
        self.inputs = Inputs(release.inputs)
        self.state: State = "starting"
        self.detail = "the scorer is loading the model"
        self.example: dict[str, Any] | None = None
        self.answer: Any = None
        self.ready = False
        self._settings = settings
        self._fetch = fetch
        self._starts = starts
        self.batches = self.batched = 0
        self.queue_s = 0.0
        self._processes = stock
        self._changed = changed
        self._queue: deque[_Waiting] = deque()
        self._batch: list[_Waiting] = []
        self._batch_started = 0.0
        self._line: _Line | None = None
        self._started: Started | None = None
        self._stopping = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._keep())

    @property
    def waiting(self) -> int:
        return len(self._queue) + len(self._batch)

    @property
    def pid(self) -> int | None:
        return self._started.process.pid if self._started else None

    async def outputs(self, columns: Columns, rows: int, params: dict[str, Any] | None = None) -> list[Any]:
        """One output per row. Raises TooMany, Unavailable (try again) or ModelFailed."""
        if not self.ready:
            raise self._unready()
        if len(self._queue) >= self._settings.queue_limit:
            raise TooMany(
                f"{len(self._queue)} requests wait for version {self.release.version} of {self.release.model} already. "
                "Try again in a second, or send more rows per request."
            )
        loop = asyncio.get_running_loop()
        now = time.monotonic()
        deadline = now + self._settings.scoring_timeout_s
        waiting = _Waiting(columns, rows, params, deadline, loop.create_future(), now)
        self._queue.append(waiting)
        if not self._batch:
            self._send_next()
        return await waiting.outputs

    def look(self) -> None:
        """Called a few times a second: give up what has waited too long, and kill a scorer that hangs."""
        now = time.monotonic()
        late = Unavailable(
            f"Version {self.release.version} of {self.release.model} did not answer within "
            f"{self._settings.scoring_timeout_s:g} s. Nothing was answered or journaled; try again."
        )
        while self._queue and self._queue[0].deadline < now:
            self._queue.popleft().fail(late)
        for waiting in self._batch:
            if waiting.deadline < now:
                waiting.fail(late)
        if self._batch and self._batch_started + self._settings.scoring_timeout_s < now:
            log.error("the scorer of %s hangs; it is started again", self._name())
            self._kill()

    async def stop(self, *, drain: bool = True) -> None:
        """Finish what waits (for as long as a request may take), then end the process."""
        deadline = time.monotonic() + (self._settings.scoring_timeout_s if drain else 0.0)
        while self.ready and self.waiting and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        self.ready = False
        self._stopping.set()
        self._kill()
        await asyncio.wait({self._task}, timeout=STOP_TIMEOUT_S)  # a slow fetch cannot be called off
        self._fail_all(Unavailable("This version was taken out of service. Try again: another one answers."))

    async def _keep(self) -> None:
        """Start the process again and again until told to stop, with growing pauses while it fails."""
        failures = 0
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                self._tell_of_building()
                if not self.release.environment:
                    self._processes.restock()  # it imports libraries while the files are fetched
                folder = await asyncio.get_running_loop().run_in_executor(_fetching, self._fetch, self.release)
                async with self._starts:
                    line = await self._start(folder, self._settings.scorer_start_timeout_s * 2 ** min(failures, 4))
                await line.closed
                self._died()
            except TenureError as problem:
                self._failed(problem.message)
            except Exception:
                log.exception("the scorer of %s cannot be started", self._name())
                self._failed("the scorer cannot be started; the gateway's log says why")
            await self._reap()
            failures = 1 if self.ready and time.monotonic() - started > STEADY_AFTER_S else failures + 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), PAUSES_S[min(failures - 1, len(PAUSES_S) - 1)])
        self._set("stopped", "")

    def _tell_of_building(self) -> None:
        """Fetching makes the environment when it is not there yet, which may take minutes: say so meanwhile."""
        digest = self.release.environment
        if digest and not self.ready and not environment_folder(self._settings.folder, digest).is_dir():
            self._set("starting", "the environment that the version asks for is being made")

    async def _start(self, folder: Path, timeout_s: float) -> _Line:
        """Spawn the process and wait until the model is loaded; each failure gives the next try twice the time."""
        if self._stopping.is_set():
            raise Unavailable("it was stopped before it started")
        self._started = started = self._processes.take(self.release.environment)
        _, line = await asyncio.get_running_loop().create_unix_connection(lambda: _Line(self._told), sock=started.line)
        self._line = line
        first = line.first
        log_file = str(processes.log_path(self._settings.folder, self.release))
        line.send(wire.Load(folder=str(folder), files=self.release.files, inputs=self.release.inputs, log=log_file))
        try:
            told = await asyncio.wait_for(first, timeout_s)
        except TimeoutError:
            raise Unavailable(f"it did not load within {timeout_s:g} s") from None
        if isinstance(told, wire.Refused):
            raise Unavailable(told.reason)
        self.example, self.answer, self.ready = told.example, told.answer, True
        self._set("serving", "")
        self._send_next()
        self._processes.restock()
        return line

    def _died(self) -> None:
        if self._stopping.is_set():
            return
        log.warning("the scorer of %s died; it is started again", self._name())
        self._fail_batch()
        self._set("starting", "the scorer died and is started again")

    def _failed(self, reason: str) -> None:
        if self._stopping.is_set():
            return
        log.error("the scorer of %s failed: %s", self._name(), reason)
        self.ready = False
        self._set("failed", reason)
        self._fail_batch()
        self._fail_all(self._unready())

    def _fail_batch(self) -> None:
        batch, self._batch = self._batch, []
        for waiting in batch:
            waiting.fail(
                Unavailable(
                    "The scorer died while it had this request. Nothing was answered or journaled; try again at once."
                )
            )

    def _fail_all(self, problem: TenureError) -> None:
        self._fail_batch()
        while self._queue:
            self._queue.popleft().fail(problem)

    def _unready(self) -> Unavailable:
        version = f"Version {self.release.version} of {self.release.model}"
        if self.state == "starting":
            return Unavailable(f"{version} is starting. Try again in a few seconds.")
        return Unavailable(f"{version} cannot answer: {self.detail or 'it was stopped'}. Promote another version.")

    def _send_next(self) -> None:
        """Give the scorer whatever waits: requests with the same columns, together, up to a cap on rows."""
        if self._line is None or self.state != "serving":
            return
        batch: list[_Waiting] = []
        rows = 0
        while self._queue:
            first = self._queue[0]
            if first.outputs.done():  # given up meanwhile
                self._queue.popleft()
                continue
            if batch and (rows + first.rows > BATCH_ROWS or not _fit(batch[0], first)):
                break
            batch.append(self._queue.popleft())
            rows += first.rows
        if not batch:
            return
        self._send(batch)

    def _send(self, batch: list[_Waiting]) -> None:
        assert self._line is not None
        self._batch, self._batch_started = batch, time.monotonic()
        self.batches += 1
        self.batched += len(batch)
        self.queue_s += sum(self._batch_started - part.queued_at for part in batch)
        columns = packed(joined([part.columns for part in batch]))
        self._line.send(wire.Ask(rows=sum(part.rows for part in batch), columns=columns, params=batch[0].params))

    def _told(self, told: wire.Told) -> None:
        batch, self._batch = self._batch, []
        if not told.failure and len(told.outputs) != sum(part.rows for part in batch):
            told = wire.Told(outputs=[], failure=wire.WRONG_NUMBER)
        if told.failure and len(batch) > 1:  # one request's rows must not fail another's: ask for each alone
            for part in batch:
                part.alone = True
            self._queue.extendleft(reversed(batch))
            self._send_next()
            return
        start = 0
        for part in batch:
            if told.failure:
                part.fail(_model_failed(told.failure, self.release))
            elif not part.outputs.done():
                part.outputs.set_result(told.outputs[start : start + part.rows])
            start += part.rows
        self._send_next()

    def _set(self, state: State, detail: str) -> None:
        self.state, self.detail = state, detail
        self._changed()

    def _kill(self) -> None:
        if self._started is not None:
            self._started.kill()

    async def _reap(self) -> None:
        self._kill()
        if self._line is not None:
            self._line.close()
            self._line = None
        if self._started is not None:
            started, self._started = self._started, None
            await asyncio.to_thread(started.end)

    def _name(self) -> str:
        return f"{self.release.model} version {self.release.version}"


class _Line(asyncio.Protocol):
    """The gateway's end of the socket: messages out, `Ready | Refused` first, then one Told per Ask."""

    def __init__(self, told: Callable[[wire.Told], None]) -> None:
        loop = asyncio.get_running_loop()
        self.first: asyncio.Future[wire.Ready | wire.Refused] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self._told = told
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        while len(buffer) >= wire.LENGTH_BYTES:
            end = wire.LENGTH_BYTES + int.from_bytes(buffer[: wire.LENGTH_BYTES], "little")
            if end > wire.LARGEST_BYTES:
                log.error("a scorer's message would have %d bytes, more than is read; it is started again", end)
                self.close()
                return
            if len(buffer) < end:
                return
            message = bytes(buffer[wire.LENGTH_BYTES : end])
            del buffer[:end]
            try:
                self._understand(message)
            except msgspec.DecodeError:
                log.exception("a scorer said what cannot be understood; it is started again")
                self.close()
                return

    def _understand(self, message: bytes) -> None:
        if self.first.done():
            self._told(_told.decode(message))
        else:
            self.first.set_result(_first.decode(message))

    def connection_lost(self, problem: Exception | None) -> None:
        del problem
        if not self.first.done():
            self.first.set_exception(Unavailable("the scorer died while it was loading the model; its log says why"))
        if not self.closed.done():
            self.closed.set_result(None)

    def send(self, message: wire.Load | wire.Ask) -> None:
        if self._transport is not None:
            self._transport.write(wire.packed(message))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


_told = msgspec.msgpack.Decoder(wire.Told)
_first = msgspec.msgpack.Decoder(wire.Ready | wire.Refused)


def _fit(first: _Waiting, other: _Waiting) -> bool:
    """Whether two requests can be one batch."""
    alone = first.alone or other.alone or first.params or other.params
    return not alone and first.columns.keys() == other.columns.keys()


def _model_failed(kind: str, release: Release) -> ModelFailed:
    if kind == wire.WRONG_NUMBER:
        return ModelFailed(
            f"Version {release.version} of {release.model} must give one output for each row, and gave another number "
            "of them. Score with a version that keeps to it."
        )
    return ModelFailed(
        f"Version {release.version} of {release.model} failed at this input with {kind}. The columns are right, so "
        "look for values that the model was not trained for; the scorer's log has its traceback."
    )
