"""Routes about models' files."""

from __future__ import annotations

from typing import Any

from litestar import get, put

from tenure.access import MODEL
from tenure.deploy import routing
from tenure.errors import InvalidInput, NotFound
from tenure.manage import model_files
from tenure.manage.model_files import Applied, Revision
from tenure.records import model_schema
from tenure.records.model_files import AppliedFile
from tenure.records.people import Permission, Principal
from tenure.store.database import Transaction
from tenure.store.ground import Ground


@put("/api/v1/models/{name:str}/file", permission=Permission.MANAGE, subject=MODEL, sync_to_thread=True)
def apply_file(
    name: str,
    body: bytes,
    ground: Ground,
    principal: Principal,
    dry_run: bool = False,
    seen: int | None = None,
    reason: str | None = None,
) -> Applied:
    """Apply a model's file, as JSON; with `dry_run` only say what it would change. The same file again does nothing.

    `seen` is the revision that was looked at: when another one stands by now, nothing is applied. A file that loosens
    rules that bind is not applied either: `looser` says which, `needs` who must sign, and `change` is the request that
    was opened with the `reason`.
    """
    file = model_files.parse(body)
    if file.model != name:
        raise InvalidInput(f"The file must be about {name!r}, as the address is. Got {file.model!r}.", where="model")

    def apply(tx: Transaction) -> Applied:
        configured = model_files.configured_of(ground.settings)
        now = ground.clock()
        return model_files.apply(
            tx, file, by=principal.name, now=now, dry_run=dry_run, seen=seen, reason=reason, configured=configured
        )

    if dry_run:
        return ground.database.read(apply)
    applied = ground.database.write(apply)
    routing.publish(ground)
    return applied


@get("/api/v1/models/{name:str}/file", permission=Permission.READ, subject=MODEL, sync_to_thread=True)
def get_file(name: str, ground: Ground, revision: int | None = None) -> AppliedFile:
    """The model's file as it stands, with its revision and digest; or an earlier revision of it."""
    if revision is not None:
        return ground.database.read(lambda tx: model_files.revision(tx, name, revision))
    applied = ground.database.read(lambda tx: model_files.current(tx, name))
    if applied is None:
        raise NotFound(f"No file was applied for the model {name!r}. Apply one with `tenure apply model.yaml`.")
    return applied


@get("/api/v1/models/{name:str}/file/history", permission=Permission.READ, subject=MODEL, sync_to_thread=True)
def get_history(name: str, ground: Ground) -> list[Revision]:
    """Every revision of the model's file, newest first: who applied it, when, and what it changed."""
    return ground.database.read(lambda tx: model_files.history(tx, name))


@get(model_schema.PATH, permission=Permission.PUBLIC, sync_to_thread=False, media_type="application/schema+json")
def get_schema() -> dict[str, Any]:
    """The JSON Schema of a model's file, for editors that complete and check it while it is written."""
    return model_schema.schema()


handlers = [apply_file, get_file, get_history, get_schema]
