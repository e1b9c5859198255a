"""A ground that may send to this machine, a webhook that listens, and a receiver for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from tenure.build import registered_models, webhooks
from tenure.integrate.deliveries import Sender
from tenure.records.base import Instant
from tenure.records.webhooks import Delivery, NewWebhook, Webhook
from tenure.store.ground import Ground

from ..conftest import wait_until
from .receiver import Receiver, receiving

NOW = Instant(1_750_000_000_123_456)
SECOND = 1_000_000


class Post:
    """A server's outbox, from the side of whoever sends it."""

    def __init__(self, ground: Ground, **settings: Any) -> None:
        chosen = {"webhook_allow": "127.0.0.1", **settings}
        self.ground = replace(ground, settings=msgspec.structs.replace(ground.settings, **chosen))
        self.sender = Sender(jitter=lambda: 0.5)
        self.models = 0

    def hook(self, url: str, **fields: Any) -> Webhook:
        new = NewWebhook(name="chat", url=url, events=["registered_model.created"], **fields)
        means = webhooks.means_of(self.ground)
        return self.ground.database.write(lambda tx: webhooks.create(tx, new, means, by="ann", now=NOW))

    def happen(self, count: int = 1, at: Instant = NOW) -> None:
        """Let as many things happen that webhooks are told of."""
        for _ in range(count):
            self.models += 1
            name = f"model-{self.models}"
            self.ground.database.write(
                lambda tx, name=name: registered_models.create(tx, name, description=None, tags=[], by="ann", now=at)
            )

    def send(self, now: int, sender: Sender | None = None) -> None:
        """What a worker does until nothing is due and nothing under way."""
        sender = sender or self.sender
        wait_until(
            lambda: not sender.send_due(self.ground, Instant(now)) and not sender.busy(), 20, "everything due was sent"
        )

    def log(self, hook: Webhook) -> list[Delivery]:
        with self.ground.database.reading() as tx:
            return webhooks.deliveries(tx, hook.webhook_id, limit=1000)


@pytest.fixture
def post(ground: Ground) -> Post:
    return Post(ground)


@pytest.fixture
def each_post(each_ground: Ground) -> Post:
    return Post(each_ground)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as told:
        yield told


__all__ = ["NOW", "SECOND", "Post"]
