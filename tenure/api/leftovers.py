"""Routes by which `tenure admin gc` removes compiled forms and environments that no version needs."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.params import Parameter

from tenure.deploy import leftovers
from tenure.records.leftovers import Cleared, Clearing, Leftovers
from tenure.records.people import Permission, Principal
from tenure.store.ground import Ground

ROOT = "/api/v1/leftovers"


@get(ROOT, permission=Permission.ADMINISTER, sync_to_thread=True)
def list_leftovers(
    ground: Ground, older_than_s: Annotated[float | None, Parameter(ge=0, le=3.2e9)] = None
) -> Leftovers:
    """Compiled forms and environments whose versions were all deleted or retired, and how much disk they take."""
    return leftovers.of(ground, older_than_s=older_than_s, now=ground.clock())


@post(f"{ROOT}/remove", permission=Permission.ADMINISTER, sync_to_thread=True, status_code=200)
def remove_leftovers(data: Clearing, ground: Ground, principal: Principal) -> Cleared:
    """Remove such forms and environments, as far as nobody needs them still."""
    return leftovers.remove(ground, data, by=principal.name, now=ground.clock())


handlers = [list_leftovers, remove_leftovers]
