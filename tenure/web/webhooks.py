"""Webhooks: who is told of what happens in the registry, and how each message went."""

from __future__ import annotations

from typing import Any, Unpack

from litestar import Response, get, post
from litestar.response import Redirect

from tenure.build import webhooks
from tenure.errors import TenureError
from tenure.integrate import deliveries
from tenure.records.people import Permission, Principal
from tenure.records.webhooks import EVENTS, NewWebhook, WebhookChange, WebhookTested
from tenure.store import outbox
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web.forms import Asked, Form, Sent, form_page, text
from tenure.web.page import part

LISTED_LIMIT = 50
FOR_MODELS = tuple(event for event in EVENTS if not event.startswith("prompt"))
FOR_PROMPTS = tuple(event for event in EVENTS if event.startswith("prompt"))


@get("/webhooks", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def webhooks_page(request: Asked, ground: Ground, principal: Principal) -> Response[str]:
    return _list(request, ground, principal)


# An address of its own: Litestar wraps a blocking handler anew for every method of its path, which a page cannot bear.
@post("/webhooks/add", permission=Permission.MANAGE, sync_to_thread=True, include_in_schema=False)
def add(request: Asked, ground: Ground, principal: Principal, data: Form) -> Response[str] | Redirect:
    """Make a webhook; what is wrong with the form is said above it."""
    try:
        new = NewWebhook(
            name=text(data, "name"),
            url=text(data, "url"),
            events=[event for event in EVENTS if data.get(event)],
            description=data.get("description", "").strip() or None,
            secret=data.get("secret") or None,
        )
        means = webhooks.means_of(ground)
        made = ground.database.write(lambda tx: webhooks.create(tx, new, means, by=principal.name, now=ground.clock()))
    except TenureError as refusal:
        return _list(request, ground, principal, refusal=refusal, given=data)
    return _to(made.webhook_id)


@get("/webhooks/{webhook_id:str}", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def webhook_page(
    request: Asked, ground: Ground, principal: Principal, webhook_id: str, before: str | None = None
) -> Response[str]:
    return _one(request, ground, principal, webhook_id, before=before)


@post("/webhooks/{webhook_id:str}/test", permission=Permission.MANAGE, sync_to_thread=True, include_in_schema=False)
def test(request: Asked, ground: Ground, principal: Principal, webhook_id: str, data: Form) -> Response[str]:
    """Send an example and say how it was answered."""
    event = data.get("event") or None
    try:
        tested = deliveries.try_out(ground, webhook_id, event, by=principal.name)
    except TenureError as refusal:
        return _one(request, ground, principal, webhook_id, refusal=refusal)
    return _one(request, ground, principal, webhook_id, tested=tested)


@post("/webhooks/{webhook_id:str}/status", permission=Permission.MANAGE, sync_to_thread=True, include_in_schema=False)
def set_status(ground: Ground, principal: Principal, webhook_id: str, data: Form) -> Redirect:
    """Disable a webhook, or enable it again."""
    change = WebhookChange(status="ACTIVE" if text(data, "status") == "ACTIVE" else "DISABLED")
    means = webhooks.means_of(ground)
    ground.database.write(
        lambda tx: webhooks.update(tx, webhook_id, change, means, by=principal.name, now=ground.clock())
    )
    return _to(webhook_id)


@post("/webhooks/{webhook_id:str}/remove", permission=Permission.MANAGE, sync_to_thread=True, include_in_schema=False)
def remove(ground: Ground, principal: Principal, webhook_id: str) -> Redirect:
    ground.database.write(lambda tx: webhooks.delete(tx, webhook_id, by=principal.name, now=ground.clock()))
    return Redirect("/webhooks", status_code=303)


@post(
    "/webhooks/{webhook_id:str}/redeliver",
    permission=Permission.MANAGE,
    sync_to_thread=True,
    include_in_schema=False,
)
def redeliver(
    request: Asked, ground: Ground, principal: Principal, webhook_id: str, data: Form
) -> Response[str] | Redirect:
    """Send a message of the log once more."""
    try:
        message_id = text(data, "message_id")
        ground.database.write(
            lambda tx: webhooks.redeliver(tx, webhook_id, message_id, by=principal.name, now=ground.clock())
        )
    except TenureError as refusal:
        return _one(request, ground, principal, webhook_id, refusal=refusal)
    return _to(webhook_id)


def _to(webhook_id: str) -> Redirect:
    return Redirect(f"/webhooks/{part(webhook_id)}", status_code=303)


def _list(request: Asked, ground: Ground, principal: Principal, **sent: Unpack[Sent]) -> Response[str]:
    def load(tx: Transaction) -> dict[str, Any]:
        return {"lines": webhooks.overview(tx), "for_models": FOR_MODELS, "for_prompts": FOR_PROMPTS}

    return form_page(request, ground, principal, "webhooks.html", load, current="models", **sent)


def _one(
    request: Asked,
    ground: Ground,
    principal: Principal,
    webhook_id: str,
    *,
    before: str | None = None,
    tested: WebhookTested | None = None,
    **sent: Unpack[Sent],
) -> Response[str]:
    def load(tx: Transaction) -> dict[str, Any]:
        found = webhooks.get(tx, webhook_id)
        log = webhooks.deliveries(tx, webhook_id, limit=LISTED_LIMIT + 1, before=before)
        return {
            "webhook": found,
            "log": log[:LISTED_LIMIT],
            "older": log[LISTED_LIMIT - 1].message_id if len(log) > LISTED_LIMIT else None,
            "before": before,
            "waiting": outbox.waiting(tx).get(webhook_id, 0),
            "days": ground.settings.webhook_log_days,
            "tested": tested,
        }

    return form_page(request, ground, principal, "webhook.html", load, current="models", **sent)


handlers = [webhooks_page, add, webhook_page, test, set_status, remove, redeliver]
