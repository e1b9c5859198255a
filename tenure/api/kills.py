"""Routes of the kill switch: stop, lift, and what is answered instead."""

from __future__ import annotations

from litestar import get, post, put

from tenure.access import ENDPOINT
from tenure.deploy import acknowledgements, kills, routing
from tenure.records.kills import Fallback, Kill, Lift, NewKill, SetFallback, Taken
from tenure.records.people import Permission, Principal
from tenure.store import kills as kept
from tenure.store.ground import Ground


@get("/api/v1/endpoints/{name:str}/kills", permission=Permission.READ, subject=ENDPOINT, sync_to_thread=True)
def list_kills(ground: Ground, name: str) -> list[Kill]:
    """What was killed at an endpoint, newest first; what stands has no `lifted_at`."""
    return ground.database.read(lambda tx: kept.history(tx, name))


@post("/api/v1/endpoints/{name:str}/kills", permission=Permission.MANAGE, subject=ENDPOINT, sync_to_thread=True)
def kill(ground: Ground, principal: Principal, name: str, data: NewKill) -> Taken:
    """Stop a version, or whatever answers, at once. Returns when every live gateway has taken it up, or after 3 s."""
    now = ground.clock()
    made = ground.database.write(lambda tx: kills.kill(tx, name, data, by=principal.name, now=now))
    return acknowledgements.taken(ground, made)


@post(
    "/api/v1/endpoints/{name:str}/kills/{kill_id:str}/lift",
    permission=Permission.MANAGE,
    subject=ENDPOINT,
    status_code=200,
    sync_to_thread=True,
)
def lift(ground: Ground, principal: Principal, name: str, kill_id: str, data: Lift) -> Taken:
    """End a kill: what the releases say answers again."""
    now = ground.clock()
    lifted = ground.database.write(
        lambda tx: kills.lift(tx, name, kill_id, reason=data.reason, by=principal.name, now=now)
    )
    return acknowledgements.taken(ground, lifted)


@get("/api/v1/endpoints/{name:str}/fallback", permission=Permission.READ, subject=ENDPOINT, sync_to_thread=True)
def get_fallback(ground: Ground, name: str) -> Fallback | None:
    """What is answered instead of a killed version; null for 503."""
    return ground.database.read(lambda tx: kills.fallback_of(tx, name))


@put("/api/v1/endpoints/{name:str}/fallback", permission=Permission.MANAGE, subject=ENDPOINT, sync_to_thread=True)
def set_fallback(ground: Ground, principal: Principal, name: str, data: SetFallback) -> Fallback | None:
    """Name what is answered instead of a killed version: a constant, another version, or a rule; null for 503."""
    now = ground.clock()
    ground.database.write(lambda tx: kills.set_fallback(tx, name, data, by=principal.name, now=now))
    routing.publish(ground)
    return data.fallback


handlers = [list_kills, kill, lift, get_fallback, set_fallback]
