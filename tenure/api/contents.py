"""Routes about what a version's files are."""

from __future__ import annotations

from litestar import get

from tenure.access import MODEL
from tenure.manage import contents
from tenure.records.contents import Contents
from tenure.records.people import Permission
from tenure.store.ground import Ground


@get(
    "/api/v1/models/{name:str}/versions/{version:int}/contents",
    permission=Permission.READ,
    subject=MODEL,
    sync_to_thread=True,
)
def of_version(name: str, version: int, ground: Ground) -> Contents:
    """What a version's files are (pickle, code or data) and what pickles bring in. No file is loaded for it."""
    return contents.look_into(ground, name, version)


handlers = [of_version]
