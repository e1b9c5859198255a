"""Routes about the server itself."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from litestar import get

from tenure.manage import keys
from tenure.records.evidence import PublicKey
from tenure.records.people import Permission
from tenure.store.ground import Ground

VERSION = version("tenure")


@get("/ready", permission=Permission.PUBLIC, sync_to_thread=False, media_type="text/plain")
def ready() -> str:
    """`READY` once the API and the pages are there too; asked before, it waits. `/health` answers a little earlier."""
    return "READY"


@get("/api/v1/server", permission=Permission.READ, sync_to_thread=False)
def about(ground: Ground) -> dict[str, Any]:
    """Where things are: scoring URL, public key of the signatures."""
    return {
        "version": VERSION,
        "scoring_url": ground.settings.shown_scoring_url,
        "key_id": ground.key.key_id,
        "public_key": ground.key.public_pem,
    }


@get("/api/v1/keys", permission=Permission.READ, sync_to_thread=False)
def list_keys(ground: Ground) -> list[PublicKey]:
    """The public keys that signatures of this server stand under: the one that signs now, then those before it."""
    return keys.published(ground.key)


handlers = [ready, about, list_keys]
