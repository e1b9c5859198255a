"""Webhooks: make, change and remove them. What they are told of is in `build/announcements.py`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from tenure.build.limits import SHOWN_LENGTH, check_length, check_max_results, refuse, shown
from tenure.build.pages import cut, read
from tenure.build.webhook_addresses import Allowed, allowed_of, check_url, host_of
from tenure.errors import Conflict, InvalidInput, NotFound
from tenure.records.base import Instant, new_id
from tenure.records.model_files import WEBHOOK
from tenure.records.webhooks import (
    EVENTS,
    Delivery,
    NewWebhook,
    Webhook,
    WebhookChange,
    WebhookInfo,
)
from tenure.store import audit, model_files, outbox, sealing, webhooks
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.store.keys import SigningKey

NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
DESCRIPTION_LENGTH = 1000
SECRET_LENGTH = 1000
DEFAULT_RESULTS = 100
MOST_RESULTS = 1000
MOST_WEBHOOKS = 1000
GATEWAY_EVENTS = ("budget_policy.exceeded",)


class Means(NamedTuple):
    """What making and changing a webhook needs of the server: where it may go, and the key that seals its secret."""

    allowed: Allowed
    key: SigningKey


def means_of(ground: Ground) -> Means:
    return Means(allowed_of(ground.settings.webhook_allow), ground.key)


def create(tx: Transaction, new: NewWebhook, means: Means, *, by: str, now: Instant) -> Webhook:
    """Add a webhook; from now on it is told of its events. Writes one audit event."""
    check_name(new.name)
    check_url(new.url, means.allowed)
    check_length(new.description or "", DESCRIPTION_LENGTH, "description")
    if webhooks.count(tx) >= MOST_WEBHOOKS:
        raise Conflict(f"There may be at most {MOST_WEBHOOKS} webhooks. Remove one that nobody needs.")
    made = Webhook(
        webhook_id=new_id(now),
        name=new.name,
        url=new.url,
        events=checked_events(new.events),
        status=new.status,
        signed=bool(new.secret),
        description=new.description or None,
        created_at=now // 1000 * 1000,
        updated_at=now // 1000 * 1000,
    )
    webhooks.insert(tx, made, sealed(means.key, new.secret, made.webhook_id))
    detail = {"name": made.name, "host": host_of(made.url), "events": made.events, "signed": made.signed}
    audit.append(tx, "webhook.created", subject=made.webhook_id, by=by, at=now, detail=detail)
    return made


def update(tx: Transaction, webhook_id: str, change: WebhookChange, means: Means, *, by: str, now: Instant) -> Webhook:
    """Change what is given. Disabling gives up what waits, so that nothing stale leaves later.

    Raises Conflict for a new name while models' files name the old one for their alerts. Writes one audit event, which
    names what was changed and tells no secret.
    """
    before = get(tx, webhook_id)
    given = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not None}
    if given.get("name", before.name) != before.name:
        check_unneeded(tx, before)
    if "name" in given:
        check_name(given["name"])
    if "url" in given:
        check_url(given["url"], means.allowed)
    if "events" in given:
        given["events"] = checked_events(given["events"])
    check_length(given.get("description", ""), DESCRIPTION_LENGTH, "description")
    fresh = {name: value for name, value in given.items() if name != "secret"}
    after = msgspec.structs.replace(before, **fresh, updated_at=now // 1000 * 1000)
    webhooks.update(tx, after)
    if change.secret is not None:
        webhooks.set_secret(tx, webhook_id, sealed(means.key, change.secret, webhook_id))
    detail: dict[str, object] = {"name": after.name, "changed": sorted(given), "host": host_of(after.url)}
    if after.status == "DISABLED" and before.status != "DISABLED":
        detail["given_up"] = outbox.give_up(tx, webhook_id, now)
    audit.append(tx, "webhook.updated", subject=webhook_id, by=by, at=now, detail=detail)
    return get(tx, webhook_id)


def delete(tx: Transaction, webhook_id: str, *, by: str, now: Instant) -> None:
    """Remove a webhook with its log; what still waits for it is dropped. Writes one audit event.

    Raises Conflict while models' files name it for their alerts.
    """
    found = get(tx, webhook_id)
    check_unneeded(tx, found)
    webhooks.delete(tx, webhook_id)
    detail = {"name": found.name, "host": host_of(found.url), "dropped": outbox.drop(tx, webhook_id)}
    audit.append(tx, "webhook.deleted", subject=webhook_id, by=by, at=now, detail=detail)


def get(tx: Transaction, webhook_id: str) -> Webhook:
    found = webhooks.get(tx, webhook_id)
    if found is None:
        raise NotFound(f"Webhook with ID {webhook_id[:SHOWN_LENGTH]} not found.")
    return found


def search(tx: Transaction, *, max_results: int | None, page_token: str | None) -> tuple[list[Webhook], str | None]:
    """One page of webhooks, the newest first, and the token of the next."""
    limit, offset = check_max_results(max_results or None, DEFAULT_RESULTS, MOST_RESULTS), read(page_token)
    return cut(webhooks.search(tx, limit=limit + 1, offset=offset), limit, offset)


def overview(tx: Transaction) -> list[WebhookInfo]:
    """Every webhook with its newest delivery and what waits for it, the newest first."""
    waiting = outbox.waiting(tx)
    return [
        WebhookInfo(webhook=one, waiting=waiting.get(one.webhook_id, 0), last=_last(tx, one.webhook_id))
        for one in webhooks.search(tx, limit=MOST_WEBHOOKS)
    ]


def deliveries(tx: Transaction, webhook_id: str, *, limit: int, before: str | None = None) -> list[Delivery]:
    """A webhook's messages with their attempts, the newest first; those older than the message `before`."""
    get(tx, webhook_id)
    place = outbox.get(tx, before) if before else None
    if before and (place is None or place.webhook_id != webhook_id):
        refuse(before, "before", "It must be the id of a message in this webhook's log.")
    return outbox.log(tx, webhook_id, limit=limit, before=place)


def redeliver(tx: Transaction, webhook_id: str, message_id: str, *, by: str, now: Instant) -> None:
    """Have a message leave once more, with the same id, so that its receiver can tell. Writes one audit event."""
    found, message = get(tx, webhook_id), outbox.get(tx, message_id)
    if message is None or message.webhook_id != webhook_id:
        raise NotFound(f"Webhook {found.name!r} has no message {shown(message_id)} in its log.")
    if found.status == "DISABLED":
        raise Conflict(f"Webhook {found.name!r} is disabled and gets nothing. Enable it first.")
    outbox.again(tx, message_id, now)
    detail = {"name": found.name, "message": message_id, "event": message.event}
    audit.append(tx, "webhook.redelivered", subject=webhook_id, by=by, at=now, detail=detail)


def check_unneeded(tx: Transaction, webhook: Webhook) -> None:
    """Raise Conflict when models' files name a webhook for their alerts and no other has its name."""
    models = model_files.naming_channel(tx, f"{WEBHOOK}{webhook.name}")
    if models and len(webhooks.named(tx, webhook.name)) == 1:
        raise Conflict(
            f"Alerts of {', '.join(models)} are told by webhook {webhook.name!r}: their files name it under `alerts`. "
            "Take it out of them with `tenure apply` first. To silence it at once, disable it: it keeps its name, and "
            "the alerts say that nobody was told."
        )


def check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        refuse(
            name,
            "name",
            "This name of a webhook is invalid. It must be 1 to 63 letters, digits, dots, underscores and hyphens, "
            "and begin and end with a letter or digit.",
        )


def checked_events(events: Sequence[str]) -> list[str]:
    """Names of events that can happen, each once, at least one."""
    if not events:
        raise InvalidInput("Webhook events must be a non-empty list: name at least one.", where="events")
    for place, event in enumerate(events):
        check_event(event, f"events[{place}]")
        if event in events[:place]:
            refuse(event, f"events[{place}]", "Every event may be named once.")
    return list(events)


def check_event(event: str, where: str = "event") -> None:
    if event in GATEWAY_EVENTS:
        refuse(event, where, "It is told of by MLflow's AI gateway, which this server does not have.")
    if event not in EVENTS:
        refuse(event, where, f"It must be one of {', '.join(EVENTS)}.")


def sealed(key: SigningKey, secret: str | None, webhook_id: str) -> bytes | None:
    """A secret as it is stored; None for none. Its value is in no message."""
    if not secret:
        return None
    if len(secret) > SECRET_LENGTH:
        raise InvalidInput(f"A secret may have at most {SECRET_LENGTH} characters. Got {len(secret)}.", where="secret")
    return sealing.seal(key, secret, webhook_id)


def _last(tx: Transaction, webhook_id: str) -> Delivery | None:
    newest = outbox.log(tx, webhook_id, limit=1)
    return newest[0] if newest else None
