"""Routes about what versions run in."""

from __future__ import annotations

from litestar import get, post

from tenure.access import MODEL
from tenure.deploy import environments
from tenure.records.environments import EnvironmentInfo
from tenure.records.people import Permission
from tenure.store.ground import Ground


@get(
    "/api/v1/models/{name:str}/versions/{version:int}/environment",
    permission=Permission.READ,
    subject=MODEL,
    sync_to_thread=True,
)
def of_version(name: str, version: int, ground: Ground) -> EnvironmentInfo:
    """What a version runs in: the server's packages, an environment of its own, or neither and why."""
    return environments.describe(ground, name, version)


@post(
    "/api/v1/models/{name:str}/versions/{version:int}/environment/build",
    permission=Permission.MANAGE,
    subject=MODEL,
    status_code=200,
    sync_to_thread=True,
)
def build(name: str, version: int, ground: Ground) -> EnvironmentInfo:
    """Decide what a version runs in and, if that is an environment of its own, make it, ahead of a release.

    Answers after 20 s at the latest: while `is_built` is false it is still being made, so ask again.
    """
    return environments.make(ground, name, version, now=ground.clock())


handlers = [of_version, build]
