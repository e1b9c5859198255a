"""From what a client names to a file: a path of a URL, a run, a logged model or a version, and who owns the file."""

from __future__ import annotations

import asyncio

from tenure.api.mlflow.routes import Asked
from tenure.build import logged_models, model_versions, runs
from tenure.build.limits import required
from tenure.errors import Conflict, InvalidInput
from tenure.store.artifacts import ArtifactStore, safe_key
from tenure.store.ground import Ground
from tenure.store.roots import FORMS_FOLDER, Opened


def key_in(path: str) -> str:
    """A path of a URL as a key."""
    return safe_key(path.rstrip("/"))


def asked_key(path: str | None) -> str:
    """A file's path in a request as a key. A bad path is told before it is known whether its run or version exists."""
    return key_in(required(path, "path"))


def opened_for(ground: Ground, location: str) -> Opened:
    """Where the files of a location are, if this server opens it."""
    opened = ground.opened(location)
    if opened is None:
        raise InvalidInput(
            f"These artifacts lie where this server does not reach ({location.split(':', 1)[0][:20]}). "
            "Read them from there directly."
        )
    return opened


def file_below(ground: Ground, location: str, key: str) -> Opened:
    opened = opened_for(ground, location)
    return Opened(opened.store, opened.below(key))


async def location_of_run(asked: Asked, run_id: str | None) -> str:
    info = await asyncio.wrap_future(asked.ground.database.submit_read(lambda tx: runs.info(tx, run_id)))
    return info.artifact_uri


async def location_of_model(asked: Asked, model_id: str | None) -> str:
    model_id = required(model_id, "model_id")
    return await asyncio.wrap_future(asked.ground.database.submit_read(lambda tx: logged_models.location(tx, model_id)))


async def location_of_version(asked: Asked, name: str | None, version: str | None) -> str:
    info = await asyncio.wrap_future(
        asked.ground.database.submit_read(lambda tx: model_versions.get(tx, name, version))
    )
    return info.storage_location


def check_unpinned(ground: Ground, store: ArtifactStore, *keys: str) -> None:
    """Raise Conflict when one of these files belongs to a version, or to the form of one."""
    if store is ground.artifacts and any(key.partition("/")[0] == FORMS_FOLDER for key in keys):
        raise Conflict(f"What lies in {FORMS_FOLDER!r} are forms of versions, which the server makes itself.")
    pinned = ground.database.read(lambda tx: model_versions.pins(tx, ground.roots, store, keys))
    if pinned:
        raise Conflict(
            f"This file belongs to version {pinned[1]} of {pinned[0]!r}, whose bytes never change. "
            "Log a new model and register it as a new version."
        )
