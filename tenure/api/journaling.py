"""Routes about how an endpoint journals."""

from __future__ import annotations

from litestar import get, put

from tenure.access import ENDPOINT
from tenure.deploy import journaling, routing
from tenure.records.journaling import JournalMode, SetJournal
from tenure.records.people import Permission, Principal
from tenure.store.ground import Ground


@get("/api/v1/endpoints/{name:str}/journal", permission=Permission.READ, subject=ENDPOINT, sync_to_thread=True)
def get_journal(ground: Ground, name: str) -> JournalMode:
    """How an endpoint's answers are journaled."""
    return ground.database.read(lambda tx: journaling.mode_of(tx, name))


@put("/api/v1/endpoints/{name:str}/journal", permission=Permission.MANAGE, subject=ENDPOINT, sync_to_thread=True)
def set_journal(ground: Ground, principal: Principal, name: str, data: SetJournal) -> JournalMode:
    """Journal everything (`audit`), a `sample`, or whatever the disk takes (`drop-and-count`)."""
    now = ground.clock()
    ground.database.write(lambda tx: journaling.set_mode(tx, name, data, by=principal.name, now=now))
    routing.publish(ground)
    return data.journal


handlers = [get_journal, set_journal]
