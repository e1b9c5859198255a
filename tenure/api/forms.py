"""Routes about the form of a version: what it answers by in the gateway, and the proof of it."""

from __future__ import annotations

from litestar import get, post

from tenure.access import MODEL
from tenure.deploy import compiling, releases
from tenure.records.forms import Form
from tenure.records.people import Permission, Principal
from tenure.store.ground import Ground

PATH = "/api/v1/models/{name:str}/versions/{version:int}/form"


@get(PATH, permission=Permission.READ, subject=MODEL, sync_to_thread=True)
def of_version(name: str, version: int, ground: Ground) -> Form:
    """The form of a version: its kind, how it was compared, how far it differs, what it costs; or why there is none."""
    return ground.database.read(lambda tx: compiling.get(tx, name, version))


@post(PATH, permission=Permission.MANAGE, subject=MODEL, sync_to_thread=True, status_code=202)
def compile_again(name: str, version: int, ground: Ground, principal: Principal) -> Form:
    """Have a version compiled, or compiled once more. A worker does it; what is proven already answers meanwhile."""
    return ground.database.write(
        lambda tx: compiling.ask_again(tx, releases.loadable(tx, name, version), by=principal.name, now=ground.clock())
    )


handlers = [of_version, compile_again]
