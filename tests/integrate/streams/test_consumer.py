"""What a consumer does when something fails, without any place or gateway: those are stood in for."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure.errors import Conflict, InvalidInput, NotFound, OverQuota, TenureError, Unavailable
from tenure.integrate.streams import consumer as consumers
from tenure.integrate.streams import messages
from tenure.integrate.streams.consumer import Consumer
from tenure.integrate.streams.places import Sink
from tenure.integrate.streams.progress import exposition
from tenure.integrate.streams.scoring import Scorer
from tenure.records.streams import Counts, Message, Said, Settled, Stream, Taken
from tenure.sdk.client import ScoreAnswer

STREAM = Stream(endpoint="e", source="-", sink="-", poll_ms=1, batch=8)


class Memory:
    """A source and a sink at once. What is taken comes again after it was given back."""

    ends = True

    def __init__(self, taken: Sequence[Taken]) -> None:
        self.waiting = list(taken)
        self.settled: list[Settled] = []
        self.given_back = 0

    def take(self, limit: int) -> list[Taken]:
        return self.waiting[:limit]

    def settle(self, taken: Sequence[Taken], settled: Settled, sink: Sink) -> None:
        sink.write(settled)
        self.waiting = self.waiting[len(taken) :]

    def give_back(self) -> None:
        self.given_back += 1

    def lag(self) -> int:
        return len(self.waiting)

    def known(self, keys: Sequence[str]) -> set[str]:
        return {one.key for part in self.settled for one in part.answers}.intersection(keys)

    def write(self, settled: Settled) -> None:
        self.settled.append(settled)

    def close(self) -> None:
        pass

    @property
    def answered(self) -> list[str]:
        return sorted(one.key for part in self.settled for one in part.answers)

    @property
    def dead(self) -> list[str]:
        return sorted(one.key for part in self.settled for one in part.dead)


class Gateway:
    """Stands in for the client: refuses rows that are `bad`, and first fails as it is told."""

    def __init__(self, *failures: TenureError) -> None:
        self.failures = list(failures)
        self.sizes: list[int] = []

    def score(self, endpoint: str, rows: list[dict[str, Any]], **said: Any) -> ScoreAnswer:
        if self.failures:
            raise self.failures.pop(0)
        self.sizes.append(len(rows))
        if any(row.get("bad") for row in rows):
            raise InvalidInput("A value is not what it must be.", where="bad")
        return ScoreAnswer(predictions=[row["n"] for row in rows], prediction_id="p", version=1)


def taken(*numbers: int, bad: Sequence[int] = ()) -> list[Taken]:
    return [
        Taken(
            mark=n, key=f"k{n}", payload=b'{"row": {"n": %d, "bad": %s}}' % (n, b"true" if n in bad else b"false"), at=0
        )
        for n in numbers
    ]


def run(memory: Memory, gateway: Any, stream: Stream = STREAM) -> Counts:
    return Consumer(stream, memory, memory, Scorer(gateway, "e"), Counts()).run()


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "FIRST_WAIT_S", 0.0)


@pytest.mark.parametrize("failure", [Unavailable("not now"), OverQuota("too much", retry_after_s=0)])
def test_what_passes_is_waited_for(failure: TenureError) -> None:
    memory = Memory(taken(1, 2, 3))
    counts = run(memory, Gateway(failure, failure))
    assert memory.answered == ["k1", "k2", "k3"]
    assert (counts.waits, memory.given_back) == (2, 2)
    assert memory.dead == []


@pytest.mark.parametrize("failure", [NotFound("no such endpoint"), TenureError("is it a server?")])
def test_what_does_not_pass_ends_the_stream_and_nothing_is_lost(failure: TenureError) -> None:
    memory = Memory(taken(1, 2, 3))
    with pytest.raises(type(failure)):
        run(memory, Gateway(failure))
    assert len(memory.waiting) == 3
    assert memory.given_back == 1


def test_a_stream_of_which_nothing_can_be_scored_stops() -> None:
    memory = Memory(taken(*range(100), bad=range(100)))
    with pytest.raises(Conflict, match="could not be scored"):
        run(memory, Gateway(), Stream(endpoint="e", source="-", sink="-", batch=8, stop_after_dead=20))
    assert 20 <= len(memory.dead) < 30
    assert len(memory.waiting) + len(memory.dead) == 100


def test_a_stop_finishes_the_batch_at_hand() -> None:
    memory = Memory(taken(*range(100)))
    one = Consumer(STREAM, memory, memory, Scorer(Gateway(), "e"), Counts(), lambda: stop())  # type: ignore[arg-type]  # noqa: PLW0108
    stop = one.stop
    assert one.run().scored == 8
    assert len(memory.waiting) == 92


@given(st.sets(st.integers(0, 63)), st.integers(1, 64))
def test_whatever_is_bad_is_found_and_everything_else_is_answered(bad: set[int], batch: int) -> None:
    memory, gateway = Memory(taken(*range(64), bad=sorted(bad))), Gateway()
    run(memory, gateway, Stream(endpoint="e", source="-", sink="-", batch=batch))
    assert memory.dead == sorted(f"k{n}" for n in bad)
    assert memory.answered == sorted(f"k{n}" for n in set(range(64)) - bad)
    assert max(gateway.sizes) <= batch
    assert len(gateway.sizes) <= 64 / batch + 1 + 2 * len(bad) * max(batch.bit_length(), 1)


@given(st.lists(st.tuples(st.text(max_size=600), st.binary(max_size=80)), max_size=20))
def test_any_bytes_are_read_or_laid_aside_once(sent: list[tuple[str, bytes]]) -> None:
    given_ = [Taken(mark=n, key=key, payload=payload, at=0) for n, (key, payload) in enumerate(sent)]
    readable, unreadable = messages.read_all(given_, "e")
    keys = [one.key for one in readable] + [one.key for one in unreadable.dead]
    assert len(keys) == len(set(keys)) or any(len(key) > 512 for key, _ in sent)
    assert set(keys) == {key[:512] for key, _ in sent}


@given(st.lists(st.tuples(st.sampled_from([None, "a", "b"]), st.sampled_from([None, "US"])), max_size=30))
def test_groups_share_their_headers_and_keep_their_order(told: list[tuple[str | None, str | None]]) -> None:
    given_ = [
        Message(key=str(n), said=Said(row={}, routing_key=key, jurisdiction=where), event_at=0)
        for n, (key, where) in enumerate(told)
    ]
    random.Random(0).shuffle(given_)
    found = messages.groups(given_)
    assert sorted(one.key for group in found for one in group) == sorted(one.key for one in given_)
    for group in found:
        assert len({(one.said.routing_key, one.said.jurisdiction) for one in group}) == 1
        assert group == [one for one in given_ if one in group]


def test_counters_are_told_to_prometheus() -> None:
    text = exposition('a"b', Counts(taken=3, dead=1), 7)
    assert 'tenure_stream_taken_total{endpoint="a\\"b"} 3' in text
    assert 'tenure_stream_lag{endpoint="a\\"b"} 7' in text
    assert text.count("# TYPE") == 8
