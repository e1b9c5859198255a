"""Routes about webhooks and the log of what was delivered to them."""

from __future__ import annotations

import asyncio
from typing import Annotated

from litestar import delete, get, patch, post
from litestar.params import Parameter

from tenure.build import webhooks
from tenure.integrate import deliveries
from tenure.records.people import Permission, Principal
from tenure.records.webhooks import (
    Delivery,
    NewWebhook,
    Webhook,
    WebhookChange,
    WebhookExample,
    WebhookInfo,
    WebhookTested,
)
from tenure.store.database import Transaction
from tenure.store.ground import Ground


@get("/api/v1/webhooks", permission=Permission.READ, sync_to_thread=True)
def list_webhooks(ground: Ground) -> list[WebhookInfo]:
    """Every webhook with its newest delivery and how many messages wait for it, the newest first."""
    return ground.database.read(webhooks.overview)


@post("/api/v1/webhooks", permission=Permission.MANAGE, sync_to_thread=True)
def create_webhook(ground: Ground, principal: Principal, data: NewWebhook) -> Webhook:
    """Have messages sent to an address when something happens in the registry. The secret is never shown again."""
    return ground.database.write(
        lambda tx: webhooks.create(tx, data, webhooks.means_of(ground), by=principal.name, now=ground.clock())
    )


# Litestar wraps a blocking handler once more for every further method of its path, so that the third one breaks the
# first: these three are asynchronous and wait for the database themselves.


@get("/api/v1/webhooks/{webhook_id:str}", permission=Permission.READ)
async def get_webhook(ground: Ground, webhook_id: str) -> Webhook:
    """One webhook."""
    return await asyncio.wrap_future(ground.database.submit_read(lambda tx: webhooks.get(tx, webhook_id)))


@patch("/api/v1/webhooks/{webhook_id:str}", permission=Permission.MANAGE)
async def change_webhook(ground: Ground, principal: Principal, webhook_id: str, data: WebhookChange) -> Webhook:
    """Change what is given, disable it or enable it again. Disabling gives up the messages that wait."""
    means, now = webhooks.means_of(ground), ground.clock()

    def change(tx: Transaction) -> Webhook:
        return webhooks.update(tx, webhook_id, data, means, by=principal.name, now=now)

    return await asyncio.wrap_future(ground.database.submit(change))


@delete("/api/v1/webhooks/{webhook_id:str}", permission=Permission.MANAGE)
async def remove_webhook(ground: Ground, principal: Principal, webhook_id: str) -> None:
    """Remove a webhook with its log; messages that wait for it are dropped."""
    now = ground.clock()

    def remove(tx: Transaction) -> None:
        webhooks.delete(tx, webhook_id, by=principal.name, now=now)

    await asyncio.wrap_future(ground.database.submit(remove))


@post("/api/v1/webhooks/{webhook_id:str}/test", permission=Permission.MANAGE, status_code=200, sync_to_thread=True)
def test_webhook(ground: Ground, principal: Principal, webhook_id: str, data: WebhookExample) -> WebhookTested:
    """Send an example now, once, and tell how its receiver answered."""
    return deliveries.try_out(ground, webhook_id, data.event, by=principal.name)


@get("/api/v1/webhooks/{webhook_id:str}/deliveries", permission=Permission.READ, sync_to_thread=True)
def list_deliveries(
    ground: Ground,
    webhook_id: str,
    before: str | None = None,
    limit: Annotated[int, Parameter(ge=1, le=1000)] = 100,
) -> list[Delivery]:
    """What was sent to a webhook or waits for it, with every attempt, the newest first; older than a message's id."""
    return ground.database.read(lambda tx: webhooks.deliveries(tx, webhook_id, limit=limit, before=before))


@post(
    "/api/v1/webhooks/{webhook_id:str}/deliveries/{message_id:str}/redeliver",
    permission=Permission.MANAGE,
    status_code=200,
    sync_to_thread=True,
)
def redeliver(ground: Ground, principal: Principal, webhook_id: str, message_id: str) -> None:
    """Send a message of the log once more, under the same id."""
    now = ground.clock()
    ground.database.write(lambda tx: webhooks.redeliver(tx, webhook_id, message_id, by=principal.name, now=now))


handlers = [
    list_webhooks,
    create_webhook,
    get_webhook,
    change_webhook,
    remove_webhook,
    test_webhook,
    list_deliveries,
    redeliver,
]
