"""Routes by which `tenure import` moves another server's experiments, runs and models in.

Each takes a whole chunk and may be sent again: what is here already is not doubled. Files travel through MLflow's own
artifact routes.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import get, post
from litestar.params import Parameter

from tenure.build import imports, manifests
from tenure.deploy import promotions, routing
from tenure.errors import InvalidInput
from tenure.manage import guards
from tenure.records.imports import (
    AliasSent,
    Asked,
    Counted,
    ExperimentsSent,
    ExperimentTaken,
    Folder,
    ImportBegun,
    ImportEnded,
    ItemsDone,
    Kind,
    LoggedModelsSent,
    NewImport,
    Page,
    PointsSent,
    RegisteredModelsSent,
    RunsSent,
    Taken,
    VersionSent,
)
from tenure.records.people import Permission, Principal
from tenure.store import endpoints
from tenure.store import registered_models as stored_models
from tenure.store.database import Transaction
from tenure.store.ground import Ground

ROOT = "/api/v1/imports"
SOURCE = f"{ROOT}/{{source:str}}"


@post(ROOT, permission=Permission.ADMINISTER, sync_to_thread=True)
def begin_import(data: NewImport, ground: Ground, principal: Principal) -> ImportBegun:
    """Begin, or take up again, to move in what another server has. The answer names the source."""
    now = ground.clock()
    source = ground.database.write(lambda tx: imports.begin(tx, data, by=principal.name, now=now))
    return ImportBegun(source=source)


@get(f"{SOURCE}/items", permission=Permission.ADMINISTER, sync_to_thread=True)
def list_imported(
    source: str, kind: Kind, ground: Ground, after: Annotated[str, Parameter(required=False)] = ""
) -> Page:
    """What was moved from this source before, a page at a time."""
    return ground.database.read(lambda tx: imports.known(tx, source, kind, after))


@post(f"{SOURCE}/experiments", permission=Permission.ADMINISTER, sync_to_thread=True)
def import_experiments(source: str, data: ExperimentsSent, ground: Ground) -> list[ExperimentTaken]:
    """Take experiments; each keeps its id where that is free here."""
    now = ground.clock()
    return ground.database.write(lambda tx: imports.take_experiments(tx, source, data.experiments, now=now))


@post(f"{SOURCE}/runs", permission=Permission.ADMINISTER, sync_to_thread=True)
def import_runs(source: str, data: RunsSent, ground: Ground) -> Taken:
    """Take runs with their params, tags, inputs and outputs; the answer tells where each one's files belong."""
    now = ground.clock()
    return ground.database.write(lambda tx: imports.take_runs(tx, source, data.runs, now=now))


@post(f"{SOURCE}/points", permission=Permission.ADMINISTER, sync_to_thread=True)
def import_points(source: str, data: PointsSent, ground: Ground) -> dict[str, int]:
    """Take at most 20,000 metric points of runs that were sent before."""
    del source
    return {"points": ground.database.write(lambda tx: imports.take_points(tx, data))}


@post(f"{SOURCE}/logged-models", permission=Permission.ADMINISTER, sync_to_thread=True)
def import_logged_models(source: str, data: LoggedModelsSent, ground: Ground) -> Taken:
    """Take logged models with params, tags and metrics; the answer tells where each one's files belong."""
    now = ground.clock()
    return ground.database.write(lambda tx: imports.take_logged_models(tx, source, data.models, now=now))


@post(f"{SOURCE}/registered-models", permission=Permission.ADMINISTER, sync_to_thread=True)
def import_registered_models(source: str, data: RegisteredModelsSent, ground: Ground, principal: Principal) -> Taken:
    """Take registered models; one of a name that is here is joined with it."""
    now = ground.clock()
    return ground.database.write(
        lambda tx: imports.take_registered_models(tx, source, data.models, by=principal.name, now=now)
    )


@post(f"{SOURCE}/versions", permission=Permission.ADMINISTER, sync_to_thread=True)
def import_version(source: str, data: VersionSent, ground: Ground, principal: Principal) -> dict[str, str | None]:
    """Take one version under its own number and pin its files."""
    now = ground.clock()
    location = ground.database.read(lambda tx: imports.storage_of(tx, data))
    folder = None if data.deleted else ground.opened(location)
    pinned = manifests.pin(folder.store, folder.key) if folder and folder.key else manifests.NOTHING
    sent = msgspec.structs.replace(data, storage_location=location)

    def take(tx: Transaction) -> None:
        imports.take_version(tx, source, sent, pinned, by=principal.name, now=now)
        if not sent.deleted:
            guards.check_registered(tx, sent.name, sent.version, now=now)

    ground.database.write(take)
    return {"digest": pinned.digest or None}


@post(f"{SOURCE}/aliases", permission=Permission.ADMINISTER, sync_to_thread=True)
def import_alias(source: str, data: AliasSent, ground: Ground, principal: Principal) -> None:
    """Set an alias. For a model under governance, or in service, it is a promotion with its gates."""
    del source
    now = ground.clock()

    def set_alias(tx: Transaction) -> bool:
        if any(one.alias == data.alias and one.version == data.version for one in stored_models.aliases(tx, data.name)):
            return False
        if guards.is_governed(tx, data.name) or endpoints.list_all(tx, model=data.name):
            promotions.set_alias(tx, data.name, data.alias, data.version, by=principal.name, now=now)
            return True
        imports.set_alias(tx, data.name, data.alias, data.version, by=principal.name, now=now)
        return False

    if ground.database.write(set_alias):
        routing.publish(ground)


@post(f"{SOURCE}/done", permission=Permission.ADMINISTER, sync_to_thread=True)
def finish_items(source: str, data: ItemsDone, ground: Ground) -> None:
    """Say that everything of these items has arrived; those whose files came along lie here from now on."""
    now = ground.clock()
    ground.database.write(lambda tx: imports.finish(tx, source, data.kind, data.items, now=now))


@post(f"{SOURCE}/count", permission=Permission.ADMINISTER, sync_to_thread=True, status_code=200)
def count_items(source: str, data: Asked, ground: Ground) -> Counted:
    """How much of each of these items is here, files included."""
    return Counted(counts=imports.count(ground.database, ground.roots, source, data))


@get(f"{SOURCE}/files", permission=Permission.ADMINISTER, sync_to_thread=True)
def list_files(source: str, location: str, ground: Ground) -> Folder:
    """Every file below a location of this server, at any depth, with its size in bytes."""
    del source
    folder = ground.opened(location)
    if folder is None or not folder.key:
        raise InvalidInput("A location must read mlflow-artifacts:/ and a folder.", where="location")
    found = folder.store.files(folder.key)
    return Folder(files={one.key.removeprefix(f"{folder.key}/"): one.size_bytes for one in found})


@post(f"{SOURCE}/end", permission=Permission.ADMINISTER, sync_to_thread=True)
def end_import(source: str, data: ImportEnded, ground: Ground, principal: Principal) -> None:
    """Say how an import ended: counts at the source and here."""
    now = ground.clock()
    ground.database.write(lambda tx: imports.end(tx, source, data, by=principal.name, now=now))


handlers = [
    begin_import,
    list_imported,
    import_experiments,
    import_runs,
    import_points,
    import_logged_models,
    import_registered_models,
    import_version,
    import_alias,
    finish_items,
    count_items,
    list_files,
    end_import,
]
