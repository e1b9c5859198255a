"""Routes by which `tenure admin gc` removes for good what was deleted."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.params import Parameter

from tenure.build import deleted
from tenure.records.deleted import DeletedKind, Orphans, Removables, Removal, Removed, Sweep, Swept
from tenure.records.people import Permission, Principal
from tenure.store.ground import Ground

ROOT = "/api/v1/deleted"


@get(ROOT, permission=Permission.ADMINISTER, sync_to_thread=True)
def list_removable(
    kind: DeletedKind,
    ground: Ground,
    after: str = "",
    experiment: str | None = None,
    run: list[str] | None = None,
    older_than_s: Annotated[float | None, Parameter(ge=0, le=3.2e9)] = None,
) -> Removables:
    """What was deleted and whose retention is over, a page at a time; and what is kept of it, with the reason."""
    due = deleted.due_ms(ground, older_than_s, ground.clock())
    return deleted.removables(ground, kind, due=due, after=after, experiment=experiment, ids=run or ())


@post(f"{ROOT}/remove", permission=Permission.ADMINISTER, sync_to_thread=True, status_code=200)
def remove_deleted(data: Removal, ground: Ground, principal: Principal) -> Removed:
    """Remove deleted runs, logged models or experiments for good, files included. Ask again for what is unfinished."""
    return deleted.remove(ground, data, by=principal.name, now=ground.clock())


@get("/api/v1/orphans", permission=Permission.ADMINISTER, sync_to_thread=True)
def list_orphans(ground: Ground, after: str = "") -> Orphans:
    """Folders of artifacts that belong to no run, logged model or version any more, a page at a time."""
    return deleted.orphans(ground, after=after, now=ground.clock())


@post("/api/v1/orphans/sweep", permission=Permission.ADMINISTER, sync_to_thread=True, status_code=200)
def sweep_orphans(data: Sweep, ground: Ground, principal: Principal) -> Swept:
    """Remove such folders, and what uploads left behind that broke off."""
    return deleted.sweep(ground, data.folders, by=principal.name, now=ground.clock())


handlers = [list_removable, remove_deleted, list_orphans, sweep_orphans]
