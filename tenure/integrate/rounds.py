"""Threads that send beside the worker's loop: a round is a few things for one receiver, and ends by itself.

What a round sends, how it counts what came of it and what is done with the rest is for who makes it
(`deliveries.py`, `exports.py`). Here is what they share: no round lasts, none brings its worker down, and a worker
that ends waits for them a moment.
"""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from tenure.build.webhook_addresses import Allowed
from tenure.records.base import SECOND_US, Instant

if TYPE_CHECKING:
    from tenure.integrate import receivers

log = logging.getLogger("tenure.sending")

MOST_ROUNDS = 16
ROUND_S = 20.0
STOP_S = 2.0


class CannotSend(Exception):
    """Nothing can be sent to a receiver. Its text is for people."""


class Receiver(NamedTuple):
    """Where something goes. With a `problem` nothing can be sent there at all."""

    url: str
    secret: str | None
    problem: str | None = None


class Round(threading.Thread, ABC):
    """What is sent to one receiver, one after the other, by a thread of its own. `place` is the receiver in the log."""

    def __init__(self, name: str, place: str, now: Instant) -> None:
        super().__init__(name=name, daemon=True)
        self.stopping = threading.Event()
        self._place = place
        self._now, self._begun = now, time.monotonic()

    @abstractmethod
    def send_all(self) -> None:
        """Send, and look at `over` before each. May raise CannotSend."""

    @abstractmethod
    def fail(self, problem: str) -> None:
        """Note that what came next could not be sent at all."""

    def run(self) -> None:
        try:
            self.send_all()
        except CannotSend as problem:
            self.fail(str(problem))
        except Exception:
            log.exception("unforeseen failure while sending to %s", self._place)
            self.fail("The server failed at sending this; its log says why.")

    def over(self) -> bool:
        """Whether the round's time has passed, or it is asked to stop."""
        return self.stopping.is_set() or time.monotonic() - self._begun > ROUND_S

    def at(self) -> int:
        """The instant, by the clock that the round began with."""
        return self._now + int((time.monotonic() - self._begun) * SECOND_US)


AnyRound = TypeVar("AnyRound", bound=Round)


class Rounds(Generic[AnyRound]):
    """A worker's rounds: those under way, and those that ended and are not settled yet."""

    def __init__(self) -> None:
        self._started: list[AnyRound] = []

    def __iter__(self) -> Iterator[AnyRound]:
        return iter(self._started)

    def __len__(self) -> int:
        return len(self._started)

    def places(self) -> int:
        """How many more may be started."""
        return MOST_ROUNDS - len(self._started)

    def start(self, one: AnyRound) -> None:
        self._started.append(one)
        one.start()

    def settle_ended(self, settle: Callable[[AnyRound], None]) -> bool:
        """Settle those that have ended; one that cannot be settled stays for the next time. True when any had ended."""
        ended = [one for one in self._started if not one.is_alive()]
        for one in ended:
            settle(one)
            self._started.remove(one)
        return bool(ended)

    def stop(self) -> None:
        """Let what is being sent come to its end, for a moment."""
        until = time.monotonic() + STOP_S
        for one in self._started:
            one.stopping.set()
        for one in self._started:
            if one.ident is not None:
                one.join(max(0.0, until - time.monotonic()))


@contextmanager
def line_to(receiver: Receiver, allowed: Allowed, limit_s: float) -> Iterator[receivers.Line]:
    """A connection to a receiver while it is open. Raises CannotSend when there can be none."""
    from tenure.integrate import receivers  # with its HTTP client: a worker that sends nothing does without

    if receiver.problem is not None:
        raise CannotSend(receiver.problem)
    try:
        with receivers.Line(receiver.url, allowed, limit_s) as line:
            yield line
    except receivers.Unreachable as problem:
        raise CannotSend(str(problem)) from None
