"""Messages on their way: what is due is leased, sent by threads beside the worker's loop, and settled at a later look.

No transaction is open while something is sent. At most one thread sends to a webhook, and at most `MOST_ROUNDS` send at
all, so a receiver that is slow or gone holds up nobody but itself. A message is delivered at least once: a worker that
is killed between sending and settling leaves a lease behind, and when that has run out the same message, with the same
id, is sent again.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import NamedTuple

from tenure.build import webhook_addresses, webhooks
from tenure.build.announcements import example, message, written
from tenure.build.webhook_addresses import Allowed
from tenure.errors import TooMany
from tenure.integrate.answers import Answer
from tenure.integrate.rounds import ROUND_S, Receiver, Round, Rounds, line_to
from tenure.records.base import DAY_US, HOUR_US, SECOND_US, Instant
from tenure.records.webhooks import Attempt, Message, MessageState, Webhook, WebhookTested
from tenure.store import audit, outbox, sealing
from tenure.store import webhooks as kept
from tenure.store.database import Transaction
from tenure.store.ground import Ground

MOST_ATTEMPTS = 10
FIRST_WAIT_S = 5.0
WAIT_FACTOR = 3.0
LONGEST_WAIT_S = 6 * 3600.0
GONE = 410

ROUND_MESSAGES = 20
LEASE_SPARE_S = 60.0
LOOKED_AT = 400
FORGOTTEN_AT_ONCE = 500
MOST_TESTS = 4

NOT_TRIED = "Not sent: its receiver had not answered the message before it."
SEALED = "The secret cannot be opened with this server's key, and nothing leaves unsigned. Set the secret anew."
_tests = threading.BoundedSemaphore(MOST_TESTS)


class Tried(NamedTuple):
    """One attempt to send one message."""

    message: Message
    at: int
    status: int | None
    problem: str | None
    took_ms: int
    retry_after_s: float = 0.0


def next_attempt(attempt: int, jitter: float = 0.5) -> float:
    """Seconds to wait after this attempt failed: 5, 15, 45 … up to six hours, ± 20 % of each.

    Parameters
    ----------
    attempt
        The attempt that failed, from 1.
    jitter
        0–1, from a random source, so that messages that failed together do not come back together.

    Examples
    --------
    >>> [next_attempt(n) for n in (1, 2, 3)]
    [5.0, 15.0, 45.0]
    >>> round(sum(next_attempt(n) for n in range(1, MOST_ATTEMPTS)) / 3600, 1)
    10.6
    """
    waiting = min(FIRST_WAIT_S * WAIT_FACTOR ** min(attempt - 1, 20), LONGEST_WAIT_S)
    return waiting * (0.8 + 0.4 * jitter)


def leased_until(now: Instant, limit_s: float) -> int:
    """Until when a round's messages are its own: longer than it can take, with its last message and slow look-ups."""
    return now + int((ROUND_S + 2 * limit_s + LEASE_SPARE_S) * SECOND_US)


def verdict(tried: Tried, attempt: int, now: Instant, jitter: float) -> tuple[MessageState, int]:
    """What becomes of a message after an attempt: its state, and when that is due or was decided."""
    if tried.status is not None and 200 <= tried.status < 300:
        return "sent", now
    if attempt >= MOST_ATTEMPTS or tried.status == GONE:
        return "given_up", now
    waiting_s = max(next_attempt(attempt, jitter), tried.retry_after_s)
    return "waiting", now + int(waiting_s * SECOND_US)


Send = Callable[[Message, int], Answer]
"""Sends a message at an instant (µs) and says what came of it; whatever goes wrong is an answer too."""


class MessageRound(Round):
    """A few messages to one receiver. Once nobody answers, the rest is not tried: it would wait as long for the same
    answer. `line` says how one is sent."""

    def __init__(self, messages: list[Message], *, limit_s: float, now: Instant) -> None:
        super().__init__("tenure-message", messages[0].webhook_id, now)
        self.webhook_id = messages[0].webhook_id
        self.messages = messages
        self.leased_until = leased_until(now, limit_s)
        self.tried: list[Tried] = []
        self._limit_s = limit_s

    def line(self) -> AbstractContextManager[Send]:
        """What sends this round's messages, while it is open. Raises CannotSend when none can be sent at all."""
        raise NotImplementedError

    def send_all(self) -> None:
        with self.line() as send:
            for one in self.messages:
                if self.over():
                    return
                at = self.at()
                answer = send(one, at)
                self.tried.append(Tried(one, at, answer.status, answer.problem, answer.took_ms, answer.retry_after_s))
                if answer.status is None:
                    return

    def fail(self, problem: str) -> None:
        self.tried.append(Tried(self.messages[len(self.tried)], self.at(), None, problem, 0))


class WebhookRound(MessageRound):
    """Messages to one webhook."""

    def __init__(
        self, messages: list[Message], receiver: Receiver, allowed: Allowed, *, limit_s: float, now: Instant
    ) -> None:
        super().__init__(messages, limit_s=limit_s, now=now)
        self._receiver, self._allowed = receiver, allowed

    @contextmanager
    def line(self) -> Iterator[Send]:
        from tenure.integrate import receivers  # with its HTTP client: a worker without webhooks does without

        with line_to(self._receiver, self._allowed, self._limit_s) as line:

            def send(one: Message, at: int) -> Answer:
                headers = receivers.headers_of(one.message_id, one.body, self._receiver.secret, at // SECOND_US)
                return line.post(headers, one.body.encode())

            yield send


class Sender:
    """One worker's hands for messages: it starts rounds, and settles those that have ended."""

    channel = outbox.CHANNEL

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._rounds: Rounds[MessageRound] = Rounds()
        self._forget_at = 0

    def send_due(self, ground: Ground, now: Instant) -> bool:
        """Settle what was sent, start sending what is due, forget what is old; returns at once. True when any moved."""
        moved = self._settle_ended(ground, now)
        moved = self._start_rounds(ground, now) or moved
        return self._forget_old(ground, now) or moved

    def busy(self) -> bool:
        """Whether something is being sent, or was and is not settled yet."""
        return bool(self._rounds)

    def stop(self, ground: Ground, now: Instant) -> None:
        """Let what is being sent come to its end, for a moment, and settle it. The rest is sent again later."""
        self._rounds.stop()
        self._settle_ended(ground, now)

    def _settle_ended(self, ground: Ground, now: Instant) -> bool:
        return self._rounds.settle_ended(
            lambda ended: ground.database.write(partial(self._settle, ended=ended, now=now))
        )

    def _settle(self, tx: Transaction, ended: MessageRound, now: Instant) -> None:
        tried = list(ended.tried)
        rest = ended.messages[len(tried) :]
        if tried and tried[-1].status is None:
            tried += [Tried(one, tried[-1].at, None, NOT_TRIED, 0) for one in rest]
        else:
            outbox.release(tx, [one.message_id for one in rest], ended.leased_until, now)
        for one in tried:
            number = one.message.attempts + 1
            state, due_at = verdict(one, number, now, self._jitter())
            attempt = Attempt(
                attempt=number, at=one.at, took_ms=one.took_ms, status_code=one.status, problem=one.problem
            )
            outbox.settle(tx, one.message, ended.leased_until, state, due_at, attempt)

    def _start_rounds(self, ground: Ground, now: Instant) -> bool:
        places = self._rounds.places()
        busy = {one.webhook_id for one in self._rounds}
        if places <= 0:
            return False
        found = ground.database.read(
            lambda tx: outbox.due(tx, now, without=busy, limit=LOOKED_AT, channel=self.channel)
        )
        chosen = _by_webhook(found, places)
        if not chosen:
            return False
        for one in ground.database.write(lambda tx: self._leased(tx, ground, chosen, now)):
            self._rounds.start(one)
        return True

    def _leased(
        self, tx: Transaction, ground: Ground, chosen: dict[str, list[Message]], now: Instant
    ) -> list[MessageRound]:
        """Rounds of what is ours now. What is for a receiver that is disabled or gone by now is given up."""
        ids = [one.message_id for messages in chosen.values() for one in messages]
        mine = outbox.lease(tx, ids, now, leased_until(now, ground.settings.webhook_timeout_s))
        make = self._maker(tx, ground, chosen, now)
        rounds = []
        for destination, messages in chosen.items():
            ours = [one for one in messages if one.message_id in mine]
            made = make(destination, ours) if ours else None
            if ours and made is None:
                outbox.give_up(tx, destination, now, channel=self.channel)
            elif made is not None:
                rounds.append(made)
        return rounds

    def _maker(
        self, tx: Transaction, ground: Ground, chosen: Collection[str], now: Instant
    ) -> Callable[[str, list[Message]], MessageRound | None]:
        """What makes a round of a destination's messages; None for one that is not there any more."""
        allowed = webhook_addresses.allowed_of(ground.settings.webhook_allow)
        in_service = kept.in_service(tx, chosen)

        def made(webhook_id: str, messages: list[Message]) -> MessageRound | None:
            if webhook_id not in in_service:
                return None
            receiver = receiver_of(ground, webhook_id, *in_service[webhook_id])
            return WebhookRound(messages, receiver, allowed, limit_s=ground.settings.webhook_timeout_s, now=now)

        return made

    def _forget_old(self, ground: Ground, now: Instant) -> bool:
        if now < self._forget_at or self.channel != outbox.CHANNEL:  # one sender forgets for all
            return False
        before = now - int(ground.settings.webhook_log_days * DAY_US)
        gone = ground.database.write(lambda tx: outbox.forget(tx, before, limit=FORGOTTEN_AT_ONCE))
        if gone < FORGOTTEN_AT_ONCE:
            self._forget_at = now + HOUR_US
        return gone > 0


def _by_webhook(found: list[Message], places: int) -> dict[str, list[Message]]:
    """The first messages of as many webhooks as there are places, in the order they came."""
    chosen: dict[str, list[Message]] = {}
    for one in found:
        if one.webhook_id in chosen or len(chosen) < places:
            chosen.setdefault(one.webhook_id, []).append(one)
    return {webhook_id: messages[:ROUND_MESSAGES] for webhook_id, messages in chosen.items()}


def receiver_of(ground: Ground, webhook_id: str, url: str, sealed: bytes | None) -> Receiver:
    """A webhook's address with its secret opened."""
    if sealed is None:
        return Receiver(url, None)
    secret = sealing.unseal(ground.key, sealed, webhook_id)
    return Receiver(url, secret, None if secret is not None else SEALED)


def try_out(ground: Ground, webhook_id: str, event: str | None, *, by: str) -> WebhookTested:
    """Send an example to a webhook now, disabled or not, and say what came of it. Writes one audit event.

    It is sent once, from this thread, and is not in the log of deliveries. Raises TooMany while others are being sent.
    """
    now = ground.clock()
    found, receiver = ground.database.read(lambda tx: _found(tx, ground, webhook_id))
    event = event or found.events[0]
    one = message(webhook_id, event, written(event, example(event), now), now)
    allowed = webhook_addresses.allowed_of(ground.settings.webhook_allow)
    trial = WebhookRound([one], receiver, allowed, limit_s=ground.settings.webhook_timeout_s, now=now)
    if not _tests.acquire(blocking=False):
        raise TooMany(f"{MOST_TESTS} webhooks are being tried already. Try again when their receivers have answered.")
    try:
        trial.run()
    finally:
        _tests.release()
    tried = trial.tried[0]
    detail = {"name": found.name, "event": event, "status": tried.status}
    ground.database.write(
        lambda tx: audit.append(tx, "webhook.tested", subject=webhook_id, by=by, at=now, detail=detail)
    )
    success = verdict(tried, 1, now, 0.0)[0] == "sent"
    return WebhookTested(success=success, status_code=tried.status, problem=tried.problem, took_ms=tried.took_ms)


def _found(tx: Transaction, ground: Ground, webhook_id: str) -> tuple[Webhook, Receiver]:
    found, address = webhooks.get(tx, webhook_id), kept.address(tx, webhook_id)
    assert address is not None
    return found, receiver_of(ground, webhook_id, *address)
