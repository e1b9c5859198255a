"""Our style sheet, scripts and mark, at addresses that change with their content; and the library that draws charts."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from litestar import Response, get

from tenure.errors import NotFound
from tenure.records.people import Permission
from tenure.store.ground import Ground
from tenure.web.pictures import pictures_of

FOLDER = Path(__file__).parent / "static"
MEDIA = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FOR_GOOD = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


class _Static(NamedTuple):
    content: bytes
    media_type: str


@cache
def url(name: str) -> str:
    """Where a file of ours is served: its content's digest stands in the address."""
    path = FOLDER / name
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return f"/static/{path.stem}.{digest}{path.suffix}"


@cache
def _files() -> dict[str, _Static]:
    return {
        url(path.name).removeprefix("/static/"): _Static(path.read_bytes(), MEDIA[path.suffix])
        for path in FOLDER.iterdir()
        if path.suffix in MEDIA
    }


@get("/static/vega.js", permission=Permission.PUBLIC, sync_to_thread=True, include_in_schema=False)
def vega(ground: Ground) -> Response[str]:
    """Vega, Vega-Lite and Vega-Embed in one file, made on this machine by vl-convert at its first use."""
    return Response(pictures_of(ground).bundle(), media_type="text/javascript", headers=FOR_GOOD)


@get("/static/{name:str}", permission=Permission.PUBLIC, sync_to_thread=False, include_in_schema=False)
def static(name: str) -> Response[bytes]:
    found = _files().get(name)
    if found is None:
        raise NotFound(f"There is no file {name!r} here. Reload the page: its address changes with its content.")
    return Response(found.content, media_type=found.media_type, headers=FOR_GOOD)


handlers = [vega, static]
