"""Routes about baseline profiles."""

from __future__ import annotations

from litestar import get, put

from tenure.access import MODEL
from tenure.errors import NotFound
from tenure.manage import profiles
from tenure.records.people import Permission, Principal
from tenure.records.profiles import Profile
from tenure.store.ground import Ground


@put(
    "/api/v1/models/{name:str}/versions/{version:int}/profile",
    permission=Permission.TRACK,
    subject=MODEL,
    sync_to_thread=True,
)
def record_profile(name: str, version: int, data: Profile, ground: Ground, principal: Principal) -> dict[str, str]:
    """Keep a version's baseline profile, as `tenure.log_baseline` makes it; answers its digest."""
    digest = ground.database.write(
        lambda tx: profiles.record(tx, name, version, data, by=principal.name, now=ground.clock())
    )
    return {"digest": digest}


@get(
    "/api/v1/models/{name:str}/versions/{version:int}/profile",
    permission=Permission.READ,
    subject=MODEL,
    sync_to_thread=True,
)
def get_profile(name: str, version: int, ground: Ground) -> Profile:
    """A version's baseline profile."""
    stored = ground.database.read(lambda tx: profiles.get(tx, name, version))
    if stored is None:
        raise NotFound(
            f"Version {version} of {name!r} has no baseline profile. Record one with tenure.log_baseline(...)."
        )
    return stored.profile


handlers = [record_profile, get_profile]
