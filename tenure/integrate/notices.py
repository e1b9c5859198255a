"""Messages about alerts on their way to the channels that the operator named: by mail, or by apprise.

They lie in the outbox beside what webhooks are told and leave in the same way: leased, sent by a thread, settled.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import msgspec

from tenure.integrate.answers import Answer
from tenure.integrate.deliveries import MessageRound, Send, Sender
from tenure.integrate.rounds import CannotSend
from tenure.records.base import Instant
from tenure.records.incidents import Told
from tenure.records.webhooks import Message
from tenure.store import outbox
from tenure.store.database import Transaction
from tenure.store.ground import Ground

MISSING = "This channel needs what the extra tenure[apprise] installs."


class _Body(msgspec.Struct):
    data: Told


class NoticeRound(MessageRound):
    """Messages to one channel. `url` may name a variable of the environment that holds it."""

    def __init__(self, messages: list[Message], url: str, *, limit_s: float, now: Instant) -> None:
        super().__init__(messages, limit_s=limit_s, now=now)
        self._url = url

    @contextmanager
    def line(self) -> Iterator[Send]:
        from tenure.integrate import mail  # with what makes mail: a worker without channels does without

        url = from_environment(self._url)
        if url.startswith(mail.SCHEMES):
            server = mail.server_of(url, from_environment)

            def by_mail(one: Message, at: int) -> Answer:
                del at
                return mail.post(server, one, told_of(one), limit_s=self._limit_s)

            yield by_mail
        else:
            yield _by_apprise(url)


class NoticeSender(Sender):
    """One worker's hands for messages to channels."""

    channel = outbox.NOTICE

    def _maker(
        self, tx: Transaction, ground: Ground, chosen: Collection[str], now: Instant
    ) -> Callable[[str, list[Message]], MessageRound | None]:
        del tx, chosen
        known = ground.settings.alert_channels

        def made(name: str, messages: list[Message]) -> MessageRound | None:
            limit_s = ground.settings.webhook_timeout_s
            return NoticeRound(messages, known[name], limit_s=limit_s, now=now) if name in known else None

        return made


def told_of(one: Message) -> Told:
    """What a message says."""
    return msgspec.json.decode(one.body, type=_Body).data


def from_environment(text: str) -> str:
    """A text, or what the variable holds that it names. Raises CannotSend when there is none."""
    if not text.startswith("$"):
        return text
    name = text[1:]
    if not name.startswith("TENURE_") or not os.environ.get(name):
        raise CannotSend(f"The variable {name} is not set in the worker's environment. It must begin with TENURE_.")
    return os.environ[name]


def _by_apprise(url: str) -> Send:
    """What sends through apprise, which knows a hundred services and answers no more than yes or no."""
    try:
        import apprise
    except ImportError:
        raise CannotSend(MISSING) from None
    line = apprise.Apprise()
    if not line.add(url):
        raise CannotSend("The channel's URL is none that apprise knows.")

    def send(one: Message, at: int) -> Answer:
        del at
        told, begun = told_of(one), time.monotonic()
        accepted = line.notify(title=told.subject, body=told.text, body_format=apprise.NotifyFormat.TEXT)
        took_ms = int((time.monotonic() - begun) * 1000)
        if accepted:
            return Answer(200, None, took_ms)
        return Answer(None, "apprise could not deliver it.", took_ms)

    return send
