"""Take, score, write, let go: one batch after the other, so that nothing is taken while what was taken waits.

At least once, with the effect of once: a message is let go after its answer is written, a key that has an answer is not
scored again, and a row that was scored twice all the same is one prediction (`Tenure-Idempotent`).
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from typing import Protocol

from tenure.errors import Conflict, OverQuota, TenureError, Unavailable
from tenure.integrate.streams import messages
from tenure.integrate.streams.places import Sink, Source
from tenure.integrate.streams.scoring import Refuse
from tenure.records.streams import Counts, Dead, Message, Settled, Stream, Taken

log = logging.getLogger("tenure.streams")

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 30.0


class Scores(Protocol):
    """What the consumer needs of a scorer."""

    requests: int

    def score(self, messages: list[Message], refuse: Refuse, /) -> Settled: ...


class Consumer:
    """Runs a stream until it is told to stop, or its source has ended. `tell` is called after each look."""

    def __init__(
        self,
        stream: Stream,
        source: Source,
        sink: Sink,
        scorer: Scores,
        counts: Counts,
        tell: Callable[[], None] = lambda: None,
    ) -> None:
        self.counts = counts
        self._stream = stream
        self._source = source
        self._sink = sink
        self._scorer = scorer
        self._tell = tell
        self._stopping = threading.Event()
        self._died_in_a_row = 0
        self._failures = 0

    def stop(self) -> None:
        """Finish the batch at hand, then end. May be called from a signal handler."""
        self._stopping.set()

    def run(self, *, until_empty: bool = False) -> Counts:
        """Work until stopped; with `until_empty`, or where the source ends, until nothing is there.

        Raises Conflict when too many messages in a row cannot be scored, and what says that this stream cannot go on,
        such as NotFound for its endpoint. What was taken is given back then.
        """
        ends = until_empty or self._source.ends
        while not self._stopping.is_set():
            try:
                there = self._once()
            except Unavailable as problem:
                self._source.give_back()
                self._wait_for(problem)
                continue
            except BaseException:
                self._source.give_back()
                raise
            self._failures = 0
            self._tell()
            if not there:
                if ends:
                    break
                self._stopping.wait(self._stream.poll_ms / 1000)
        return self.counts

    def _once(self) -> bool:
        """Work off one batch; False when there was none."""
        taken = self._source.take(self._stream.batch)
        if not taken:
            return False
        settled, known = self._judged(taken)
        self._source.settle(taken, settled, self._sink)
        self._count(taken, settled, known)
        return True

    def _judged(self, taken: list[Taken]) -> tuple[Settled, int]:
        """What becomes of a batch, and how many of its keys had an answer already."""
        readable, unreadable = messages.read_all(taken, self._stream.endpoint)
        known = self._sink.known([one.key for one in readable])
        by_key = {one.key: one for one in reversed(taken)}
        dead: list[Dead] = []

        def refuse(message: Message, problem: TenureError) -> None:
            dead.append(messages.died(by_key[message.key], self._stream.endpoint, problem))

        fresh = [one for one in readable if one.key not in known]
        parts = [self._scorer.score(group, refuse) for group in messages.groups(fresh)]
        return messages.joined([*parts, unreadable, Settled(dead=dead)]), len(known)

    def _count(self, taken: list[Taken], settled: Settled, known: int) -> None:
        counts = self.counts
        counts.taken += len(taken)
        counts.scored += len(settled.answers)
        counts.known += known
        counts.dead += len(settled.dead)
        counts.batches += 1
        counts.requests = self._scorer.requests
        for one in settled.dead[:10]:
            log.warning("message %s cannot be scored (%s) and is laid aside", ascii(one.key), one.code)
        self._died_in_a_row = 0 if settled.answers or known else self._died_in_a_row + len(settled.dead)
        if self._died_in_a_row >= self._stream.stop_after_dead:
            raise Conflict(
                f"The last {self._died_in_a_row} messages could not be scored ({settled.dead[-1].code}), so the stream "
                "stops: something is wrong with all of them. They lie with what is dead, each with its reason; put "
                "them into the source again when it is set right."
            )

    def _wait_for(self, problem: Unavailable) -> None:
        """Wait longer each time, spread by a quarter, and as long as the gateway asks."""
        self.counts.waits += 1
        longer = min(FIRST_WAIT_S * 2**self._failures, LONGEST_WAIT_S) * random.uniform(0.75, 1.25)  # noqa: S311
        asked = float(problem.retry_after_s) if isinstance(problem, OverQuota) else 0.0
        self._failures = min(self._failures + 1, 16)
        log.warning("%s The stream waits and tries again.", problem.message)
        self._tell()
        self._stopping.wait(max(longer, min(asked, 3600.0)))
