"""How a model stood at a date: which versions answered, who approved them, and on what evidence."""

from __future__ import annotations

from typing import Any

from litestar import Response, get

from tenure.access import MODEL
from tenure.errors import NotFound
from tenure.manage import histories
from tenure.records import moments
from tenure.records.base import Instant
from tenure.records.people import Permission, Principal
from tenure.store import registered_models
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web.page import show


@get(
    "/models/{name:str}/as-of", permission=Permission.READ, subject=MODEL, sync_to_thread=True, include_in_schema=False
)
def page(ground: Ground, principal: Principal, name: str, at: str = "") -> Response[str]:
    """The model as it stood; without a date as it stands now, told from the same sources."""
    moment = moments.last_instant(at, "at") if at else Instant(ground.clock())

    def load(tx: Transaction) -> dict[str, Any]:
        try:
            found, missing = histories.look(tx, name, moment), ""
        except NotFound as problem:
            if not at and not registered_models.exists(tx, name):
                raise
            found, missing = None, problem.message
        return {"found": found, "missing": missing, "name": name, "at": at, "moment": moment}

    return show(ground, principal, "as_of.html", load, current="models")


handlers = [page]
