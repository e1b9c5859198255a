"""Routes about webhooks. Events are named by protobuf's enumerations here, as MLflow's clients write them."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from tenure.api.mlflow.routes import V2, Asked, Route, reads
from tenure.build import webhooks
from tenure.build.limits import missing, refuse
from tenure.integrate import deliveries
from tenure.records.people import Permission
from tenure.records.tracking import Int64, Part
from tenure.records.webhooks import NewWebhook, Webhook, WebhookChange, WebhookStatus
from tenure.store.database import Transaction

ENTITIES = (
    "ENTITY_UNSPECIFIED",
    "REGISTERED_MODEL",
    "MODEL_VERSION",
    "MODEL_VERSION_TAG",
    "MODEL_VERSION_ALIAS",
    "PROMPT",
    "PROMPT_VERSION",
    "PROMPT_TAG",
    "PROMPT_VERSION_TAG",
    "PROMPT_ALIAS",
    "BUDGET_POLICY",
)
ACTIONS = ("ACTION_UNSPECIFIED", "CREATED", "UPDATED", "DELETED", "SET", "EXCEEDED")
STATUSES: tuple[str, ...] = ("STATUS_UNSPECIFIED", "ACTIVE", "DISABLED")


class Event(msgspec.Struct):
    """An entity and an action, each by its name or its number."""

    entity: str | int | None = None
    action: str | int | None = None


class Create(msgspec.Struct):
    name: str | None = None
    description: str | None = None
    url: str | None = None
    events: list[Event] = []
    secret: str | None = None
    status: str | int | None = None


class Listing(msgspec.Struct):
    max_results: Int64 | None = None
    page_token: str | None = None


class Identified(msgspec.Struct, kw_only=True):
    webhook_id: str


class Update(Create, kw_only=True):
    webhook_id: str


class TryOut(Identified):
    event: Event | None = None


class ToldEvent(Part):
    entity: str
    action: str


class Told(Part):
    """A webhook as it is told: without its secret."""

    webhook_id: str
    name: str
    url: str
    events: list[ToldEvent]
    status: str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str | None = None


class OneWebhook(Part):
    webhook: Told


class FoundWebhooks(Part):
    webhooks: list[Told] = []
    next_page_token: str | None = None


class Result(msgspec.Struct, omit_defaults=True):
    """What a receiver answered is told by its status; its body stays where it is."""

    success: bool
    response_status: int | None = None
    error_message: str | None = None


class Tested(Part):
    result: Result


def create(tx: Transaction, sent: Create, asked: Asked) -> OneWebhook:
    if sent.name is None:
        raise missing("name")
    new = NewWebhook(
        name=sent.name,
        url=sent.url or "",
        events=[_event(one) for one in sent.events],
        description=sent.description,
        secret=sent.secret,
        status=_status(sent.status) or "ACTIVE",
    )
    return _one(webhooks.create(tx, new, webhooks.means_of(asked.ground), by=asked.by, now=asked.now))


def list_(tx: Transaction, sent: Listing, _asked: Asked) -> FoundWebhooks:
    found, token = webhooks.search(tx, max_results=sent.max_results, page_token=sent.page_token)
    return FoundWebhooks(webhooks=[_told(one) for one in found], next_page_token=token)


def get(tx: Transaction, sent: Identified, _asked: Asked) -> OneWebhook:
    return _one(webhooks.get(tx, sent.webhook_id))


def update(tx: Transaction, sent: Update, asked: Asked) -> OneWebhook:
    """Name and URL that are empty are left as they are; an empty description or secret takes it away."""
    change = WebhookChange(
        name=sent.name or None,
        url=sent.url or None,
        events=[_event(one) for one in sent.events] or None,
        description=sent.description,
        secret=sent.secret,
        status=_status(sent.status),
    )
    return _one(
        webhooks.update(tx, sent.webhook_id, change, webhooks.means_of(asked.ground), by=asked.by, now=asked.now)
    )


def delete(tx: Transaction, sent: Identified, asked: Asked) -> None:
    webhooks.delete(tx, sent.webhook_id, by=asked.by, now=asked.now)


async def test(sent: TryOut, asked: Asked) -> Tested:
    event = _event(sent.event) if sent.event else None
    done = await asyncio.to_thread(deliveries.try_out, asked.ground, sent.webhook_id, event, by=asked.by)
    return Tested(result=Result(success=done.success, response_status=done.status_code, error_message=done.problem))


def _one(webhook: Webhook) -> OneWebhook:
    return OneWebhook(webhook=_told(webhook))


def _told(webhook: Webhook) -> Told:
    events = [event.upper().partition(".") for event in webhook.events]
    return Told(
        webhook_id=webhook.webhook_id,
        name=webhook.name,
        url=webhook.url,
        events=[ToldEvent(entity=entity, action=action) for entity, _, action in events],
        status=webhook.status,
        creation_timestamp=webhook.created_at // 1000,
        last_updated_timestamp=webhook.updated_at // 1000,
        description=webhook.description,
    )


def _event(sent: Event) -> str:
    return f"{_named(sent.entity, ENTITIES, 'entity')}.{_named(sent.action, ACTIONS, 'action')}".lower()


def _status(sent: str | int | None) -> WebhookStatus | None:
    if sent is None:
        return None
    return "DISABLED" if _named(sent, STATUSES, "status") == "DISABLED" else "ACTIVE"


def _named(sent: str | int | None, names: tuple[str, ...], parameter: str) -> str:
    """The name of a value of an enumeration, given by name or number; the first of each means nothing."""
    known = names[1:]
    name = names[sent] if isinstance(sent, int) and 0 < sent < len(names) else sent
    if name not in known:
        refuse(sent, parameter, f"It must be one of {', '.join(known)}.")
    return str(name)


HOOKS = f"{V2}webhooks"


def manages(method: str, path: str, handler: Any, request: type[msgspec.Struct]) -> Route:
    return Route(method, path, handler, request, "write", Permission.MANAGE)


ROUTES = (
    manages("POST", HOOKS, create, Create),
    reads("GET", HOOKS, list_, Listing),
    reads("GET", f"{HOOKS}/{{webhook_id}}", get, Identified),
    manages("PATCH", f"{HOOKS}/{{webhook_id}}", update, Update),
    manages("DELETE", f"{HOOKS}/{{webhook_id}}", delete, Identified),
    Route("POST", f"{HOOKS}/{{webhook_id}}/test", test, TryOut, "apart", Permission.MANAGE),
)
