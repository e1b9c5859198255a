"""Rounds: whatever sending does, a worker hears of it and ends in time."""

from __future__ import annotations

import threading

import pytest

from tenure.integrate.rounds import CannotSend, Round, Rounds
from tenure.records.base import Instant

NOW = Instant(1_750_000_000_000_000)


class Trying(Round):
    """Does as it is told, and keeps what it is told of problems."""

    def __init__(self, failure: Exception | None = None, until: threading.Event | None = None) -> None:
        super().__init__("trying", "nowhere", NOW)
        self.problems: list[str] = []
        self._failure, self._until = failure, until

    def send_all(self) -> None:
        if self._failure:
            raise self._failure
        while self._until and not self.over():
            self._until.wait(0.01)

    def fail(self, problem: str) -> None:
        self.problems.append(problem)


def test_what_cannot_be_sent_is_told_in_words_and_a_fault_of_ours_as_one() -> None:
    refused, broken, fine = Trying(CannotSend("Its secret is gone.")), Trying(KeyError("x")), Trying()
    for one in (refused, broken, fine):
        one.run()
    assert refused.problems == ["Its secret is gone."]
    assert broken.problems == ["The server failed at sending this; its log says why."]
    assert fine.problems == []
    assert NOW <= fine.at() < NOW + 60_000_000


def test_rounds_that_ended_are_settled_once_and_stopping_ends_the_others() -> None:
    rounds: Rounds[Trying] = Rounds()
    room = rounds.places()
    rounds.start(Trying(until=threading.Event()))
    assert (rounds.places(), len(rounds)) == (room - 1, 1)
    settled: list[Trying] = []
    assert not rounds.settle_ended(settled.append)
    rounds.stop()
    assert rounds.settle_ended(settled.append)
    assert not rounds.settle_ended(settled.append)
    assert (len(settled), len(rounds)) == (1, 0)


def test_a_round_that_cannot_be_settled_is_not_lost() -> None:
    rounds: Rounds[Trying] = Rounds()
    rounds.start(Trying())
    next(iter(rounds)).join()

    def settle(_one: Trying) -> None:
        raise OSError("the database is away")

    with pytest.raises(OSError, match="away"):
        rounds.settle_ended(settle)
    assert len(rounds) == 1
