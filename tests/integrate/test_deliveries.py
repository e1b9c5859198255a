"""Messages on their way: signed, tried again, given up, never held up by one another, never lost."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from functools import partial

import pytest

from tenure.build import webhooks
from tenure.errors import NotFound, TooMany
from tenure.integrate import deliveries
from tenure.integrate.deliveries import MOST_ATTEMPTS, Sender, Tried, next_attempt, verdict
from tenure.records.base import DAY_US, HOUR_US, Instant
from tenure.records.webhooks import WebhookChange
from tenure.store import audit, outbox, tables
from tenure.store.keys import open_key

from ..conftest import wait_until
from .conftest import NOW, SECOND, Post
from .receiver import Receiver, receiving


def test_a_message_arrives_signed_and_is_logged(each_post: Post, receiver: Receiver) -> None:
    hook = each_post.hook(receiver.url, secret="shared")
    each_post.happen()
    each_post.send(NOW)
    [(headers, body)] = receiver.got
    told = json.loads(body)
    assert (told["entity"], told["action"], told["data"]["name"]) == ("registered_model", "created", "model-1")
    assert headers["content-type"] == "application/json"
    assert int(headers["x-mlflow-timestamp"]) - NOW // SECOND in (0, 1, 2)
    signed = f"{headers['x-mlflow-delivery-id']}.{headers['x-mlflow-timestamp']}.{body.decode()}"
    proof = base64.b64encode(hmac.digest(b"shared", signed.encode(), hashlib.sha256)).decode()
    assert headers["x-mlflow-signature"] == f"v1,{proof}"
    [logged] = each_post.log(hook)
    assert (logged.state, logged.message_id, logged.next_at) == ("sent", receiver.ids()[0], None)
    assert [(one.attempt, one.status_code, one.problem) for one in logged.attempts] == [(1, 200, None)]


def test_without_a_secret_nothing_is_signed(post: Post, receiver: Receiver) -> None:
    post.hook(receiver.url)
    post.happen()
    post.send(NOW)
    assert "x-mlflow-signature" not in receiver.got[0][0]


def test_a_failed_message_is_sent_again_later_with_the_same_id_and_body(each_post: Post, receiver: Receiver) -> None:
    hook = each_post.hook(receiver.url, secret="shared")
    receiver.answers = [500, 429]
    each_post.happen()
    each_post.send(NOW)
    assert each_post.log(hook)[0].next_at == NOW + 5 * SECOND
    each_post.send(NOW + 4 * SECOND)
    assert len(receiver.got) == 1
    each_post.send(NOW + 5 * SECOND)
    each_post.send(NOW + 20 * SECOND)
    assert len(receiver.got) == 3
    assert len(set(receiver.ids())) == len(set(receiver.bodies())) == 1
    assert len({headers["x-mlflow-signature"] for headers, _ in receiver.got}) == 3
    [logged] = each_post.log(hook)
    assert logged.state == "sent"
    assert [(one.attempt, one.status_code) for one in logged.attempts] == [(3, 200), (2, 429), (1, 500)]


def test_what_fails_again_and_again_is_given_up(post: Post, receiver: Receiver) -> None:
    hook = post.hook(receiver.url)
    receiver.answers = [500] * 50
    post.happen()
    for minutes in range(0, 13 * 60, 10):
        post.send(NOW + minutes * 60 * SECOND)
    [logged] = post.log(hook)
    assert (logged.state, len(logged.attempts), len(receiver.got)) == ("given_up", MOST_ATTEMPTS, MOST_ATTEMPTS)
    post.ground.database.write(
        lambda tx: webhooks.redeliver(tx, hook.webhook_id, logged.message_id, by="ann", now=Instant(NOW + DAY_US))
    )
    receiver.answers = []
    post.send(NOW + DAY_US)
    [logged] = post.log(hook)
    assert (logged.state, logged.attempts[0].attempt) == ("sent", MOST_ATTEMPTS + 1)
    assert len(set(receiver.ids())) == 1


def test_the_wait_grows_is_spread_and_respects_what_the_receiver_asks() -> None:
    waits = [next_attempt(attempt) for attempt in range(1, 40)]
    assert waits == sorted(waits)
    assert max(waits) <= 6 * 3600
    assert next_attempt(3, 0.0) < next_attempt(3, 0.5) < next_attempt(3, 1.0) < next_attempt(4, 0.0)

    def after(status: int | None, attempt: int = 1, retry_after_s: float = 0.0) -> tuple[str, int]:
        tried = Tried(message=None, at=0, status=status, problem=None, took_ms=1, retry_after_s=retry_after_s)  # type: ignore[arg-type]
        return verdict(tried, attempt, NOW, 0.5)

    assert after(204) == ("sent", NOW)
    assert after(302) == after(404) == after(None) == ("waiting", NOW + 5 * SECOND)
    assert after(503, retry_after_s=600.0) == ("waiting", NOW + 600 * SECOND)
    assert after(410) == ("given_up", NOW)
    assert after(500, MOST_ATTEMPTS) == ("given_up", NOW)


def test_a_slow_receiver_holds_up_neither_the_worker_nor_the_others(post: Post, receiver: Receiver) -> None:
    with receiving() as slow:
        slow.held.clear()
        waiting = post.hook(slow.url)
        post.hook(receiver.url)
        for number in range(30):
            post.happen(at=Instant(NOW - 100 + number))
        wait_until(
            lambda: post.sender.send_due(post.ground, NOW) is None or len(receiver.got) == 30, 10, "others got it"
        )
        assert len(slow.got) == 1
        assert post.sender.busy()
        with post.ground.database.reading() as tx:
            assert outbox.waiting(tx)[waiting.webhook_id] == 30
        slow.held.set()
        post.send(NOW)
        assert len(slow.got) == 30
    told = [json.loads(body)["data"]["name"] for body in receiver.bodies()]
    assert told == [f"model-{number}" for number in range(1, 31)]


def test_once_nobody_answers_the_rest_of_a_round_waits_too(post: Post) -> None:
    post = Post(post.ground, webhook_timeout_s=0.1)
    with receiving() as gone:
        url = gone.url
    hook = post.hook(url)
    post.happen(3)
    post.send(NOW)
    tried = [one.attempts[0] for one in reversed(post.log(hook))]
    assert "Nobody answers" in str(tried[0].problem)
    assert [one.problem for one in tried[1:]] == [deliveries.NOT_TRIED] * 2
    assert {one.next_at for one in post.log(hook)} == {NOW + 5 * SECOND}


def test_a_message_of_a_dead_worker_is_sent_again_and_by_one_of_the_others(each_post: Post, receiver: Receiver) -> None:
    hook = each_post.hook(receiver.url)
    each_post.happen(3)
    dead = Sender()
    dead.send_due(each_post.ground, NOW)  # it sends, and never comes to say so
    wait_until(lambda: len(receiver.got) == 3, 10, "the dead worker's messages arrived")
    assert {one.state for one in each_post.log(hook)} == {"waiting"}
    each_post.send(NOW + 10 * SECOND)
    assert len(receiver.got) == 3
    one, other = Sender(), Sender()
    for sender in (one, other):
        sender.send_due(each_post.ground, Instant(NOW + HOUR_US))
    for sender in (one, other):
        each_post.send(NOW + HOUR_US, sender)
    assert len(receiver.got) == 6
    assert len(set(receiver.ids())) == 3
    wait_until(lambda: not dead.busy() or not dead.send_due(each_post.ground, Instant(NOW + HOUR_US)), 10, "it wakes")
    assert [(len(one.attempts), one.state) for one in each_post.log(hook)] == [(1, "sent")] * 3


def test_two_workers_never_hold_the_same_message(each_post: Post) -> None:
    each_post.hook("https://hooks.example/")
    each_post.happen(4)
    database = each_post.ground.database
    found = database.read(lambda tx: outbox.due(tx, NOW, without=(), limit=10))
    ids = [one.message_id for one in found]
    first = database.write(lambda tx: outbox.lease(tx, ids[:3], NOW, NOW + SECOND))
    second = database.write(lambda tx: outbox.lease(tx, ids, NOW, NOW + 2 * SECOND))
    assert (first, second) == (set(ids[:3]), set(ids[3:]))


def test_of_many_workers_at_once_each_message_goes_to_one(each_post: Post) -> None:
    each_post.hook("https://hooks.example/")
    each_post.happen(40)
    database = each_post.ground.database
    ids = [one.message_id for one in database.read(lambda tx: outbox.due(tx, NOW, without=(), limit=100))]
    tries = [
        database.submit(partial(outbox.lease, message_ids=ids[number % 3 :], now=NOW, until=NOW + SECOND + number))
        for number in range(12)
    ]
    taken = [message_id for one in tries for message_id in one.result(20)]
    assert len(taken) == len(set(taken))
    rest = database.write(lambda tx: outbox.lease(tx, ids, NOW, NOW + 99 * SECOND))
    assert sorted([*taken, *rest]) == sorted(ids)


def test_what_was_disabled_or_removed_meanwhile_is_not_settled(each_post: Post, receiver: Receiver) -> None:
    hooks = [each_post.hook(receiver.url), each_post.hook(receiver.url)]
    receiver.held.clear()
    each_post.happen()
    each_post.sender.send_due(each_post.ground, NOW)
    wait_until(lambda: len(receiver.got) == 2, 10, "both are being sent")
    off, means = WebhookChange(status="DISABLED"), webhooks.means_of(each_post.ground)
    each_post.ground.database.write(lambda tx: webhooks.update(tx, hooks[0].webhook_id, off, means, by="ann", now=NOW))
    each_post.ground.database.write(lambda tx: webhooks.delete(tx, hooks[1].webhook_id, by="ann", now=NOW))
    receiver.held.set()
    each_post.send(NOW)
    assert [(one.state, one.attempts) for one in each_post.log(hooks[0])] == [("given_up", [])]
    with each_post.ground.database.reading() as tx:
        assert tx.execute(tables.deliveries.select()).all() == []


def test_a_secret_that_cannot_be_opened_leaves_nothing_unsigned(post: Post, receiver: Receiver) -> None:
    hook = post.hook(receiver.url, secret="shared")
    post.happen(2)
    other_key = replace(post.ground, key=open_key(post.ground.settings.folder / "elsewhere"))
    sender = Sender()
    wait_until(lambda: not sender.send_due(other_key, NOW) and not sender.busy(), 10, "it was looked at")
    assert receiver.got == []
    assert deliveries.SEALED in [one.attempts[0].problem for one in post.log(hook)]


def test_the_address_and_the_secret_are_those_of_the_moment_of_sending(post: Post, receiver: Receiver) -> None:
    with receiving() as gone:
        url = gone.url
    hook = post.hook(url, secret="old")
    post.happen()
    post.send(NOW)
    fixed, means = WebhookChange(url=receiver.url, secret=""), webhooks.means_of(post.ground)
    post.ground.database.write(lambda tx: webhooks.update(tx, hook.webhook_id, fixed, means, by="ann", now=NOW))
    post.send(NOW + 5 * SECOND)
    assert len(receiver.got) == 1
    assert post.log(hook)[0].state == "sent"


def test_the_log_is_forgotten_after_its_time_and_what_waits_is_not(each_post: Post, receiver: Receiver) -> None:
    hook, stuck = each_post.hook(receiver.url), each_post.hook("https://127.0.0.1:1/")
    each_post.happen(3)
    each_post.send(NOW)
    each_post.send(NOW + 29 * DAY_US)
    assert len(each_post.log(hook)) == 3
    each_post.send(NOW + 31 * DAY_US)
    assert each_post.log(hook) == []
    assert len(each_post.log(stuck)) == 3


def test_a_worker_that_stops_settles_what_it_can(post: Post, receiver: Receiver) -> None:
    hook = post.hook(receiver.url)
    post.happen(2)
    receiver.held.clear()
    post.sender.send_due(post.ground, NOW)
    wait_until(lambda: len(receiver.got) == 1, 10, "the first one is being sent")
    receiver.held.set()
    post.sender.stop(post.ground, NOW)
    sent, waiting = reversed(post.log(hook))
    assert sent.state == "sent"
    assert waiting.state in ("waiting", "sent")
    assert waiting.state == "sent" or waiting.next_at == NOW


def test_a_webhook_is_tried_out_with_an_example(post: Post, receiver: Receiver) -> None:
    hook = post.hook(receiver.url, secret="shared", status="DISABLED")
    done = deliveries.try_out(post.ground, hook.webhook_id, None, by="ann")
    assert (done.success, done.status_code, done.problem) == (True, 200, None)
    assert json.loads(receiver.bodies()[0])["entity"] == "registered_model"
    receiver.answers = [401]
    done = deliveries.try_out(post.ground, hook.webhook_id, "prompt_alias.deleted", by="ann")
    assert (done.success, done.status_code, done.problem) == (False, 401, None)
    assert json.loads(receiver.bodies()[1])["entity"] == "prompt_alias"
    assert post.log(hook) == []
    with post.ground.database.reading() as tx:
        assert [one.detail["status"] for one in audit.search(tx, action="webhook.tested")] == [401, 200]
    with pytest.raises(NotFound):
        deliveries.try_out(post.ground, "nobody", None, by="ann")


def test_only_a_few_are_tried_out_at_once(post: Post, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = post.hook(receiver.url)
    taken = [deliveries._tests.acquire(blocking=False) for _ in range(deliveries.MOST_TESTS)]
    try:
        with pytest.raises(TooMany):
            deliveries.try_out(post.ground, hook.webhook_id, None, by="ann")
    finally:
        for _ in taken:
            deliveries._tests.release()
    assert deliveries.try_out(post.ground, hook.webhook_id, None, by="ann").success
