"""The audit log: who did what, when, and whether the chain still holds."""

from __future__ import annotations

from typing import Any

from litestar import Response, get

from tenure.records.people import Permission, Principal
from tenure.store import audit
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web.page import show

LISTED_LIMIT = 30


@get("/audit", permission=Permission.AUDIT, sync_to_thread=True, include_in_schema=False)
def page(
    ground: Ground,
    principal: Principal,
    actor: str = "",
    action: str = "",
    subject: str = "",
    before: int | None = None,
    verify: bool = False,
) -> Response[str]:
    """Events, newest first. With `verify` the whole chain is walked, which takes a second per 100,000 events."""

    def load(tx: Transaction) -> dict[str, Any]:
        found = audit.search(
            tx,
            actor=actor or None,
            action=action or None,
            subject=subject or None,
            before=before,
            limit=LISTED_LIMIT + 1,
        )
        return {
            "events": found[:LISTED_LIMIT],
            "older": found[LISTED_LIMIT - 1].sequence if len(found) > LISTED_LIMIT else None,
            "asked": {"actor": actor, "action": action, "subject": subject},
            "before": before,
            "verified": audit.verify(tx) if verify else None,
            "key_id": ground.key.key_id,
        }

    return show(ground, principal, "audit.html", load, current="audit")


handlers = [page]
