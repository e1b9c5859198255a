"""Routes about grants: which role who holds, for which model, and who gave it."""

from __future__ import annotations

from litestar import get, post

from tenure.deploy import routing
from tenure.manage import grants
from tenure.records.people import Grant, NewGrant, Permission, Principal
from tenure.store.ground import Ground


@get("/api/v1/grants", permission=Permission.READ, sync_to_thread=True)
def list_grants(ground: Ground, of: str | None = None, ended: bool = False) -> list[Grant]:
    """Grants, oldest first: of one person or service, and with `ended` those that are over."""
    return ground.database.read(lambda tx: grants.search(tx, principal=of, with_ended=ended))


@post("/api/v1/grants", permission=Permission.ADMINISTER, sync_to_thread=True)
def give_grant(data: NewGrant, ground: Ground, principal: Principal) -> Grant:
    """Give a person or a service a role, for one model or for all. Their sessions end."""
    given = ground.database.write(lambda tx: grants.give(tx, data, by=principal.name, now=ground.clock()))
    routing.publish(ground)
    return given


@post("/api/v1/grants/{grant_id:str}/revoke", permission=Permission.ADMINISTER, sync_to_thread=True, status_code=200)
def revoke_grant(grant_id: str, ground: Ground, principal: Principal) -> Grant:
    """Take a role back. Sessions end, and tokens lose what it gave."""
    ended = ground.database.write(lambda tx: grants.revoke(tx, grant_id, by=principal.name, now=ground.clock()))
    routing.publish(ground)
    return ended


handlers = [list_grants, give_grant, revoke_grant]
