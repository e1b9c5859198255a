"""Events on their way: from the journal to a receiver that is well, slow, gone, or points elsewhere."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Iterator
from dataclasses import replace

import msgspec
import pytest

from tenure import worker
from tenure.build import webhooks
from tenure.deploy import exports as deployed
from tenure.integrate import events, exports
from tenure.integrate.exports import MOST_ATTEMPTS, Exporter
from tenure.monitor import intake
from tenure.records.base import Instant
from tenure.records.exports import Export, SetExport
from tenure.store import exports as kept
from tenure.store.ground import Ground

from ..conftest import wait_until
from ..monitor.year import ENDPOINT, Traffic
from .conftest import NOW, SECOND
from .receiver import Receiver, receiving


class Desk:
    """An endpoint whose answers are exported, from the side of the worker."""

    def __init__(self, ground: Ground) -> None:
        self.ground = replace(ground, settings=msgspec.structs.replace(ground.settings, webhook_allow="127.0.0.1"))
        self.traffic = Traffic(self.ground)
        self.exporter = self.new_exporter()

    def new_exporter(self) -> Exporter:
        return Exporter(jitter=lambda: 0.5)

    def export(self, url: str | None, **fields: object) -> None:
        asked = msgspec.convert({"reason": "for the desk", "url": url, "what": ["response"], **fields}, SetExport)
        means = webhooks.means_of(self.ground)
        self.ground.database.write(
            lambda tx: deployed.set_export(tx, ENDPOINT, asked, means, by="ann", now=Instant(NOW))
        )

    def answer(self, count: int) -> list[str]:
        """Answers that the worker takes in; their ids."""
        made = [self.traffic.predict(columns={"n": [number]}).prediction_id for number in range(count)]
        while intake.take_in(self.ground, self.traffic.now(), self.exporter):
            pass
        return made

    def send(self, now: int = NOW) -> None:
        """What a worker does until nothing is due and nothing under way."""
        wait_until(
            lambda: not self.exporter.send_due(self.ground, Instant(now)) and not self.exporter.busy(), 20, "sent"
        )

    def counts(self) -> tuple[int, int, int, int]:
        """Waiting, sent, failed, dropped."""
        one = self.now_stands()
        return one.waiting, one.sent, one.failed, one.dropped

    def now_stands(self) -> Export:
        found = self.ground.database.read(lambda tx: kept.get(tx, ENDPOINT))
        assert found is not None
        return found


@pytest.fixture
def desk(ground: Ground) -> Iterator[Desk]:
    made = Desk(ground)
    yield made
    made.traffic.close()


@pytest.fixture
def each_desk(each_ground: Ground) -> Iterator[Desk]:
    made = Desk(each_ground)
    yield made
    made.traffic.close()


def ids(receiver: Receiver) -> list[str]:
    return [headers["ce-id"] for headers, _ in receiver.got]


def test_what_is_journaled_arrives_signed_and_in_order(each_desk: Desk, receiver: Receiver) -> None:
    each_desk.export(receiver.url, what=["request", "response"], secret="shared")
    made = each_desk.answer(3)
    assert each_desk.counts() == (6, 0, 0, 0)
    each_desk.send()
    assert ids(receiver) == [one for one in made for _ in range(2)]
    headers, body = receiver.got[0]
    assert headers["content-type"] == "application/json"
    assert headers["ce-type"] == "org.kubeflow.serving.inference.request"
    signed = f"{made[0]}.{headers['x-mlflow-timestamp']}.{body.decode()}"
    proof = base64.b64encode(hmac.digest(b"shared", signed.encode(), hashlib.sha256)).decode()
    assert headers["x-mlflow-signature"] == f"v1,{proof}"
    assert each_desk.counts() == (0, 6, 0, 0)
    assert each_desk.now_stands().problem is None


def test_without_an_export_nothing_leaves(desk: Desk, receiver: Receiver) -> None:
    desk.answer(2)
    desk.export(receiver.url)
    desk.send()
    assert receiver.got == []
    assert desk.counts() == (0, 0, 0, 0)


def test_a_receiver_that_is_down_is_tried_again_later_and_gets_all(desk: Desk, receiver: Receiver) -> None:
    desk.export(receiver.url)
    receiver.answers = [200, 503, 429]
    made = desk.answer(3)
    desk.send()
    assert desk.counts() == (2, 1, 0, 0)
    assert desk.now_stands().problem == "It was answered with the status 503."
    desk.send(NOW + 4 * SECOND)
    assert len(receiver.got) == 2
    desk.send(NOW + 5 * SECOND)
    assert desk.counts() == (2, 1, 0, 0)
    desk.send(NOW + 20 * SECOND)
    assert desk.counts() == (0, 3, 0, 0)
    assert ids(receiver) == [made[0], made[1], made[1], made[1], made[2]]
    assert len({body for _, body in receiver.got[1:4]}) == 1


def test_nobody_there_is_said_and_given_up_one_by_one(desk: Desk) -> None:
    with receiving() as gone:
        url = gone.url
    desk.export(url)
    desk.answer(2)
    desk.send()
    problem = desk.now_stands().problem
    assert problem is not None
    assert problem.startswith("Nobody answers at 127.0.0.1:")
    for attempt in range(1, MOST_ATTEMPTS):
        assert desk.counts() == (2, 0, 0, 0)
        desk.send(NOW + attempt * 1000 * SECOND)
    assert desk.counts() == (1, 0, 1, 0)


def test_a_redirect_is_not_followed(desk: Desk, receiver: Receiver) -> None:
    with receiving() as inside:
        receiver.answers, receiver.headers = [307], {"location": inside.url}
        desk.export(receiver.url)
        desk.answer(1)
        desk.send()
        assert inside.got == []
    assert desk.counts() == (0, 0, 1, 0)
    assert "Redirects are not followed" in str(desk.now_stands().problem)


def test_an_address_that_is_no_longer_allowed_gets_nothing(desk: Desk, receiver: Receiver) -> None:
    desk.export(receiver.url)
    desk.answer(1)
    desk.ground = replace(desk.ground, settings=msgspec.structs.replace(desk.ground.settings, webhook_allow=""))
    desk.send()
    assert receiver.got == []
    assert desk.counts() == (1, 0, 0, 0)
    assert "webhook_allow" in str(desk.now_stands().problem)


def test_an_event_that_is_refused_holds_nothing_up(desk: Desk, receiver: Receiver) -> None:
    desk.export(receiver.url)
    receiver.answers = [400]
    desk.answer(2)
    desk.send()
    assert desk.counts() == (0, 1, 1, 0)


def test_a_slow_receiver_loses_the_oldest_and_holds_up_nobody(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "MOST_WAITING", 5)
    desk.export(receiver.url)
    receiver.held.clear()
    first = desk.answer(1)
    desk.exporter.send_due(desk.ground, Instant(NOW))
    wait_until(lambda: receiver.got, 10, "the receiver has the first")
    more = desk.answer(8)
    assert desk.exporter.busy()
    desk.exporter.send_due(desk.ground, Instant(NOW))
    assert desk.counts() == (6, 0, 0, 3)
    receiver.held.set()
    desk.send()
    assert ids(receiver) == first + more[3:]
    assert desk.counts() == (0, 6, 0, 3)


def test_what_is_too_large_to_wait_is_dropped(desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "MOST_WAITING_BYTES", 10)
    desk.export(receiver.url)
    desk.answer(2)
    desk.send()
    assert desk.counts() == (0, 0, 0, 2)


def test_a_restart_drops_what_waited_counts_it_and_sends_nothing_twice(each_desk: Desk, receiver: Receiver) -> None:
    each_desk.export(receiver.url)
    receiver.answers = [200, 503]
    made = each_desk.answer(3)
    each_desk.send()
    assert each_desk.counts() == (2, 1, 0, 0)
    each_desk.exporter.stop(each_desk.ground, Instant(NOW))
    each_desk.exporter = each_desk.new_exporter()
    later = each_desk.answer(2)
    assert each_desk.counts() == (2, 1, 0, 2)
    each_desk.send()
    assert each_desk.counts() == (0, 3, 0, 2)
    assert ids(receiver) == [*made[:2], *later]


def test_a_kill_after_the_commit_is_counted_too(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.export(receiver.url)
    monkeypatch.setattr(Exporter, "keep", lambda *_: None)
    desk.answer(2)
    monkeypatch.undo()
    desk.exporter = desk.new_exporter()
    desk.send()
    assert desk.counts() == (0, 0, 0, 2)


def test_another_receiver_gets_nothing_that_was_meant_for_the_first(desk: Desk, receiver: Receiver) -> None:
    receiver.answers = [503]
    desk.export(receiver.url)
    desk.answer(2)
    desk.send()
    with receiving() as second:
        desk.export(second.url)
        assert desk.counts() == (0, 0, 0, 2)
        later = desk.answer(1)
        desk.send(NOW + 60 * SECOND)
        assert ids(second) == later
    assert len(receiver.got) == 1
    desk.export(None)
    desk.answer(1)
    desk.send(NOW + 90 * SECOND)
    assert len(receiver.got) == 1


def test_a_frame_that_cannot_be_told_is_counted_and_holds_no_journal_up(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no such tensor")

    desk.export(receiver.url)
    monkeypatch.setattr(events, "_of_prediction", broken)
    desk.answer(1)
    assert desk.counts() == (0, 0, 1, 0)
    assert "cannot be exported" in caplog.text


def test_the_worker_exports_by_itself(desk: Desk, receiver: Receiver) -> None:
    desk.export(receiver.url)
    made = desk.traffic.predict()
    stopping = threading.Event()
    running = threading.Thread(target=worker.run, args=(desk.ground, stopping))
    running.start()
    try:
        wait_until(lambda: desk.counts() == (0, 1, 0, 0), 20, "the answer was exported")
    finally:
        stopping.set()
        running.join(20)
    assert ids(receiver) == [made.prediction_id]
