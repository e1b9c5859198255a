"""Webhooks: who is told of what happens in the registry, what is sent, and how each delivery went."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from tenure.records.base import Record

WebhookStatus = Literal["ACTIVE", "DISABLED"]
MessageState = Literal["waiting", "sent", "given_up"]

ENTITIES: dict[str, tuple[str, ...]] = {
    "registered_model": ("created",),
    "model_version": ("created",),
    "model_version_tag": ("set", "deleted"),
    "model_version_alias": ("created", "deleted"),
    "prompt": ("created",),
    "prompt_version": ("created",),
    "prompt_tag": ("set", "deleted"),
    "prompt_version_tag": ("set", "deleted"),
    "prompt_alias": ("created", "deleted"),
}
"""What can be told of each kind of thing. MLflow's clients know these and refuse a list with any other in it."""

EVENTS: tuple[str, ...] = tuple(f"{entity}.{action}" for entity, actions in ENTITIES.items() for action in actions)


class NewWebhook(Record, forbid_unknown_fields=True):
    """`events` are names such as `model_version.created`. `secret` signs every message; it is never shown again."""

    name: str
    url: str
    events: list[str]
    description: str | None = None
    secret: str | None = None
    status: WebhookStatus = "ACTIVE"


class WebhookChange(Record, forbid_unknown_fields=True):
    """What is to be different; None leaves it as it is. An empty `secret` takes the signature away."""

    name: str | None = None
    url: str | None = None
    events: list[str] | None = None
    description: str | None = None
    secret: str | None = None
    status: WebhookStatus | None = None


class Webhook(Record):
    """A webhook as anybody may see it: `signed` says whether it has a secret. Instants are microseconds UTC."""

    webhook_id: str
    name: str
    url: str
    events: list[str]
    status: WebhookStatus
    signed: bool
    description: str | None
    created_at: int
    updated_at: int


class Message(Record):
    """A message of the outbox. While it waits, `due_at` is when it leaves; afterwards, when it was settled.

    A worker that sends it moves `due_at` ahead first, so that no other one sends it meanwhile. A message about an
    alert may be for a channel instead: `webhook_id` is the channel's name then.
    """

    message_id: str
    webhook_id: str
    event: str
    body: str
    state: MessageState
    attempts: int
    created_at: int
    due_at: int


class Attempt(Record):
    """One attempt to deliver a message. Without `status_code` nobody answered, and `problem` says why."""

    attempt: int
    at: int
    took_ms: int
    status_code: int | None
    problem: str | None


class Delivery(Record):
    """A message with what came of it, the last attempt first. `next_at`: when it leaves next, if it still waits."""

    message_id: str
    event: str
    state: MessageState
    created_at: int
    next_at: int | None
    body: str
    attempts: list[Attempt]


class WebhookInfo(Record):
    """A webhook with its newest delivery, and how many messages wait for it."""

    webhook: Webhook
    waiting: int
    last: Delivery | None


class WebhookExample(Record, forbid_unknown_fields=True):
    """Which event an example is sent of; the webhook's first one when none is named."""

    event: Annotated[str, Meta(max_length=100)] | None = None


class WebhookTested(Record):
    """What became of an example: `success` is an answer between 200 and 299."""

    success: bool
    status_code: int | None
    problem: str | None
    took_ms: int
