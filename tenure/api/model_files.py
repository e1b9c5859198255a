"""Routes about models' files."""

from __future__ import annotations

from litestar import get, put

from tenure.access import MODEL
from tenure.errors import InvalidInput, NotFound
from tenure.manage import model_files
from tenure.manage.model_files import Applied
from tenure.records.model_files import AppliedFile
from tenure.records.people import Permission, Principal
from tenure.store.ground import Ground


@put("/api/v1/models/{name:str}/file", permission=Permission.MANAGE, subject=MODEL, sync_to_thread=True)
def apply_file(name: str, body: bytes, ground: Ground, principal: Principal, dry_run: bool = False) -> Applied:
    """Apply a model's file, as JSON; with `dry_run` only say what it would change. The same file again does nothing."""
    file = model_files.parse(body)
    if file.model != name:
        raise InvalidInput(f"The file must be about {name!r}, as the address is. Got {file.model!r}.", where="model")
    if dry_run:
        return ground.database.read(
            lambda tx: model_files.apply(tx, file, by=principal.name, now=ground.clock(), dry_run=True)
        )
    return ground.database.write(lambda tx: model_files.apply(tx, file, by=principal.name, now=ground.clock()))


@get("/api/v1/models/{name:str}/file", permission=Permission.READ, subject=MODEL, sync_to_thread=True)
def get_file(name: str, ground: Ground) -> AppliedFile:
    """The model's file as it stands, with its revision and digest."""
    applied = ground.database.read(lambda tx: model_files.current(tx, name))
    if applied is None:
        raise NotFound(f"No file was applied for the model {name!r}. Apply one with `tenure apply model.yaml`.")
    return applied


handlers = [apply_file, get_file]
