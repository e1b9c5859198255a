"""Events on their way: chosen from what the journal brings, kept in memory, sent by threads beside the worker's loop.

Each endpoint has a backlog of its own and at most one thread, so a receiver that is slow or gone holds up nobody but
itself; what is too much for it falls out at the old end and is counted. Nothing of it is on disk but the counts: what
waits when the worker ends is dropped, and counted when the next one begins. So nothing of the journal has to be read
twice, and the database holds no payload. An event is sent at most once after it was accepted, and in the order of the
journal.
"""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from tenure.build import webhook_addresses
from tenure.build.webhook_addresses import Allowed
from tenure.deploy.exports import owner_of
from tenure.integrate.deliveries import next_attempt, receiver_of
from tenure.integrate.events import Event, events_of
from tenure.integrate.rounds import Receiver, Round, Rounds, line_to
from tenure.records.base import SECOND_US, Instant
from tenure.records.exports import Export
from tenure.records.frames import Frame
from tenure.store import exports
from tenure.store.database import Transaction
from tenure.store.ground import Ground

log = logging.getLogger("tenure.exports")

MOST_WAITING = 10_000
MOST_WAITING_BYTES = 8 * 1024 * 1024
MOST_ATTEMPTS = 10
LONGEST_WAIT_S = 300.0
ROUND_EVENTS = 5_000
LATER = (408, 425, 429)
"""What a receiver answers that wants the event, but not now; as any status from 500 on."""


class Tried(NamedTuple):
    """One attempt to send one event. Without a status nobody answered."""

    status: int | None
    problem: str | None
    retry_after_s: float = 0.0


class Chosen(NamedTuple):
    """What a bite of the journal brings for one export, and how many frames could not be told."""

    export: Export
    events: list[Event]
    failed: int


def outcome(status: int | None) -> Literal["sent", "failed", "again"]:
    """What becomes of an event after an attempt. A receiver that refuses it would refuse it again.

    >>> [outcome(status) for status in (204, 302, 400, 429, 503, None)]
    ['sent', 'failed', 'failed', 'again', 'again', 'again']
    """
    if status is None or status >= 500 or status in LATER:
        return "again"
    return "sent" if 200 <= status < 300 else "failed"


class Backlog:
    """What waits for one receiver, the oldest first, and how its newest attempts went."""

    def __init__(self, export: Export) -> None:
        self.export = export
        self.events: deque[Event] = deque()
        self.size_bytes = 0
        self.dropped = 0
        self.failures = 0  # in a row
        self.due_at = 0

    def keep(self, events: Iterable[Event]) -> None:
        """Add to the new end; drop from the old one what is too much."""
        for one in events:
            self.events.append(one)
            self.size_bytes += len(one.body)
        self._drop()

    def take(self) -> list[Event]:
        """The oldest events, for one round."""
        taken = [self.events.popleft() for _ in range(min(len(self.events), ROUND_EVENTS))]
        self.size_bytes -= sum(len(one.body) for one in taken)
        return taken

    def put_back(self, events: list[Event]) -> None:
        """Events that were taken and not settled are the oldest again."""
        self.events.extendleft(reversed(events))
        self.size_bytes += sum(len(one.body) for one in events)
        self._drop()

    def _drop(self) -> None:
        while len(self.events) > MOST_WAITING or self.size_bytes > MOST_WAITING_BYTES:
            self.size_bytes -= len(self.events.popleft().body)
            self.dropped += 1


class EventRound(Round):
    """Some events to one receiver, over one connection, until one is wanted later."""

    def __init__(self, backlog: Backlog, receiver: Receiver, allowed: Allowed, *, limit_s: float, now: Instant) -> None:
        super().__init__("tenure-export", f"the receiver of endpoint {backlog.export.endpoint!r}", now)
        self.backlog, self.events = backlog, backlog.take()
        self.tried: list[Tried] = []
        self._receiver, self._allowed, self._limit_s = receiver, allowed, limit_s

    def send_all(self) -> None:
        from tenure.integrate import receivers  # with its HTTP client: a worker without exports does without

        with line_to(self._receiver, self._allowed, self._limit_s) as line:
            for one in self.events:
                if self.over():
                    return
                signed_at_s = self.at() // SECOND_US
                headers = receivers.headers_of(one.message_id, one.body.decode(), self._receiver.secret, signed_at_s)
                answer = line.post([*headers, *one.headers], one.body)
                self.tried.append(Tried(answer.status, answer.problem, answer.retry_after_s))
                if outcome(answer.status) == "again":
                    return

    def fail(self, problem: str) -> None:
        self.tried.append(Tried(None, problem))


class Exporter:
    """One worker's hands for exports. It follows the intake (`monitor/intake.py`) and sends at every look."""

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._backlogs: dict[str, Backlog] = {}
        self._rounds: Rounds[EventRound] = Rounds()
        self._begun = False

    def choose(self, ground: Ground, frames: list[Frame]) -> list[Chosen]:
        """What frames bring for exports. Nothing that is wrong with a frame holds the journal up."""
        self._begin(ground)
        found = ground.database.read(exports.all_of)
        chosen = []
        for export in (export for export, _ in found.values()):
            events, failed = _events([one for one in frames if one.endpoint == export.endpoint], export)
            if events or failed:
                chosen.append(Chosen(export, events, failed))
        return chosen

    def note(self, tx: Transaction, chosen: list[Chosen]) -> None:
        """Count what was chosen, in the transaction that moves the journal's cursor."""
        for one in chosen:
            exports.chose(tx, one.export, len(one.events), one.failed)

    def keep(self, chosen: list[Chosen]) -> None:
        """Have what was counted wait for its receiver."""
        for one in chosen:
            held = self._backlog(one.export)
            if held.export.set_at == one.export.set_at:
                held.keep(one.events)

    def send_due(self, ground: Ground, now: Instant) -> bool:
        """Settle what was sent and start sending what is due; returns at once. True when any moved."""
        self._begin(ground)
        settled = self._settle_ended(ground, now)
        if not self._backlogs and not self._rounds:
            return settled
        found = ground.database.read(exports.all_of)
        self._forget_old({endpoint: export for endpoint, (export, _) in found.items()})
        return self._start_rounds(ground, found, now) or settled

    def busy(self) -> bool:
        """Whether something is being sent, or was and is not settled yet."""
        return bool(self._rounds)

    def stop(self, ground: Ground, now: Instant) -> None:
        """Let what is being sent come to its end, for a moment, and settle it. The rest is dropped."""
        self._rounds.stop()
        self._settle_ended(ground, now)

    def _begin(self, ground: Ground) -> None:
        if not self._begun:
            ground.database.write(exports.drop_waiting)
            self._begun = True

    def _backlog(self, export: Export) -> Backlog:
        """The export's backlog; another one when it was set anew."""
        held = self._backlogs.get(export.endpoint)
        if held is None or held.export.set_at < export.set_at:
            held = self._backlogs[export.endpoint] = Backlog(export)
        return held

    def _forget_old(self, standing: dict[str, Export]) -> None:
        """Let go of what waits for an export that ended or was set anew, and of what is being sent for it."""

        def stands(export: Export) -> bool:
            known = standing.get(export.endpoint)
            return known is not None and known.set_at == export.set_at

        self._backlogs = {endpoint: held for endpoint, held in self._backlogs.items() if stands(held.export)}
        for one in self._rounds:
            if not stands(one.backlog.export):
                one.stopping.set()

    def _start_rounds(self, ground: Ground, found: dict[str, tuple[Export, bytes | None]], now: Instant) -> bool:
        self._tell_dropped(ground)
        sending = {one.backlog.export.endpoint for one in self._rounds}
        due = [
            held
            for endpoint, held in self._backlogs.items()
            if held.events and held.due_at <= now and endpoint not in sending
        ]
        due = sorted(due, key=lambda held: held.due_at)[: self._rounds.places()]
        allowed, limit_s = _means(ground)
        for held in due:
            endpoint = held.export.endpoint
            receiver = receiver_of(ground, owner_of(endpoint), held.export.url, found[endpoint][1])
            self._rounds.start(EventRound(held, receiver, allowed, limit_s=limit_s, now=now))
        return bool(due)

    def _tell_dropped(self, ground: Ground) -> None:
        full = [held for held in self._backlogs.values() if held.dropped]

        def write(tx: Transaction) -> None:
            for held in full:
                exports.settle(tx, held.export, dropped=held.dropped)

        if full:
            ground.database.write(write)
        for held in full:
            held.dropped = 0

    def _settle_ended(self, ground: Ground, now: Instant) -> bool:
        return self._rounds.settle_ended(lambda ended: self._settle(ground, ended, now))

    def _settle(self, ground: Ground, ended: EventRound, now: Instant) -> None:
        """Count what was sent and refused; what is wanted later waits, or is given up after ten attempts."""
        held, tried = ended.backlog, ended.tried
        outcomes = [outcome(one.status) for one in tried]
        held.due_at = now
        if outcomes and outcomes[-1] == "again":
            held.failures = held.failures + 1 if len(outcomes) == 1 else 1
            waiting_s = min(next_attempt(held.failures, self._jitter()), LONGEST_WAIT_S)
            held.due_at = now + int(max(waiting_s, tried[-1].retry_after_s) * SECOND_US)
            if held.failures % MOST_ATTEMPTS == 0:
                outcomes[-1] = "failed"
        elif outcomes:
            held.failures = 0
        sent, failed = outcomes.count("sent"), outcomes.count("failed")

        def write(tx: Transaction) -> None:
            exports.settle(tx, held.export, sent=sent, failed=failed)
            if tried:
                exports.tried(tx, held.export, _problem(tried[-1]), now)

        ground.database.write(write)
        held.put_back(ended.events[sent + failed :])


def _events(frames: list[Frame], export: Export) -> tuple[list[Event], int]:
    """What an export tells of frames, and how many cannot be told."""
    found: list[Event] = []
    failed = 0
    for frame in frames:
        try:
            found += events_of(frame, export)
        except Exception:
            log.exception("a frame of the endpoint %s cannot be exported", export.endpoint)
            failed += 1
    return found, failed


def _means(ground: Ground) -> tuple[Allowed, float]:
    return webhook_addresses.allowed_of(ground.settings.webhook_allow), ground.settings.webhook_timeout_s


def _problem(tried: Tried) -> str | None:
    if tried.status is None or not 200 <= tried.status < 300:
        return tried.problem or f"It was answered with the status {tried.status}."
    return None
