"""Stored files of a run, a logged model or a version: a tree by URL, a preview beside it, and the file itself.

Files come from anybody, so they never run in our origin: what a browser may show leaves in a sandbox (an opaque
origin without scripts, forms or network), and the page frames an HTML file once more. Scripts run only when a reader
asks for it, in the same sandbox: they reach neither our pages nor the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from litestar.response import Stream

from tenure.errors import InvalidInput, NotFound
from tenure.records.base import Record
from tenure.store.artifacts import safe_key
from tenure.store.ground import Ground
from tenure.store.roots import Opened
from tenure.web.page import POLICY, link
from tenure.web.previews import Preview, media_type, preview

MOST_ENTRIES = 300
DEEPEST = 24
FRAMING_POLICY = f"{POLICY}; frame-src 'self'"
"""Of a page that frames a file: the frame can go nowhere else."""
STILL = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'self'; sandbox"
MOVING = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:;"
    " font-src data:; frame-ancestors 'self'; sandbox allow-scripts"
)
KEPT_APART = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Node(Record):
    """A line of the tree. `address` shows it."""

    name: str
    address: str
    depth: int
    is_folder: bool
    is_open: bool
    is_chosen: bool
    size_bytes: int = 0


class Shelf(Record):
    """The files below a location. `reachable` is false for a location that this server does not open."""

    reachable: bool
    nodes: list[Node] = []
    more: bool = False
    chosen: str = ""
    preview: Preview | None = None
    raw: str = ""
    scripts: bool = False
    problem: str = ""

    @property
    def policy(self) -> str:
        """The content policy of the page that shows this."""
        return FRAMING_POLICY if self.preview is not None and self.preview.kind == "page" else POLICY


def shelf(
    ground: Ground, location: str | None, page: str, chosen: str, *, scripts: bool = False, **query: Any
) -> Shelf:
    """The tree below a location, opened along the chosen path, and the preview of the chosen file.

    `page` is the address that shows it, `query` what else stands in that address. A path that is not there is told.
    """
    opened = ground.opened(location)
    if opened is None:
        return Shelf(reachable=False)
    chosen = chosen.strip("/")
    try:
        safe_key(chosen) if chosen else ""
    except InvalidInput as refusal:
        return Shelf(reachable=True, problem=refusal.message)
    tree = _Tree(opened, page, chosen, query)
    nodes = tree.nodes("", 0)
    if not chosen or chosen in tree.folders:
        return Shelf(reachable=True, nodes=nodes, more=tree.more, chosen=chosen)
    raw = link(f"{page}/artifact", path=chosen)
    try:
        shown = preview(opened.store, opened.below(chosen))
    except NotFound:
        problem = f"There is no file {chosen!r} here."
        return Shelf(reachable=True, nodes=nodes, more=tree.more, chosen=chosen, problem=problem)
    return Shelf(reachable=True, nodes=nodes, more=tree.more, chosen=chosen, preview=shown, raw=raw, scripts=scripts)


class _Tree:
    """Walks down the chosen path alone, so that a folder of thousands costs one listing a level."""

    def __init__(self, opened: Opened, page: str, chosen: str, query: Mapping[str, Any]) -> None:
        self._opened, self._page, self._chosen, self._query = opened, page, chosen, query
        self.folders: set[str] = set()
        self.more = False

    def nodes(self, folder: str, depth: int) -> list[Node]:
        folders, files = self._opened.store.level(self._opened.below(folder) if folder else self._opened.key)
        self.more |= len(folders) + len(files) > MOST_ENTRIES
        prefix = f"{folder}/" if folder else ""
        found: list[Node] = []
        for key in folders[:MOST_ENTRIES]:
            path = prefix + key.rstrip("/").rsplit("/", 1)[-1]
            self.folders.add(path)
            is_open = self._chosen == path or self._chosen.startswith(f"{path}/")
            found.append(self._node(path, depth, is_open=is_open, is_folder=True))
            if is_open and depth < DEEPEST:
                found += self.nodes(path, depth + 1)
        for file in files[: max(MOST_ENTRIES - len(folders), 0)]:
            path = prefix + file.key.rsplit("/", 1)[-1]
            found.append(self._node(path, depth, size_bytes=file.size_bytes))
        return found

    def _node(
        self, path: str, depth: int, *, is_folder: bool = False, is_open: bool = False, size_bytes: int = 0
    ) -> Node:
        parent = path.rpartition("/")[0]
        target = parent if is_open and self._chosen == path else path
        return Node(
            name=path.rsplit("/", 1)[-1],
            address=f"{link(self._page, artifact=target, **self._query)}#artifacts",
            depth=depth,
            is_folder=is_folder,
            is_open=is_open,
            is_chosen=path == self._chosen,
            size_bytes=size_bytes,
        )


def send(ground: Ground, location: str | None, path: str, *, download: bool, scripts: bool) -> Stream:
    """A file itself: shown in a sandbox when a browser can show it safely, else as a download."""
    opened = ground.opened(location)
    if opened is None:
        raise NotFound("These artifacts lie where this server does not reach. Read them from there directly.")
    key = opened.below(safe_key(path.strip("/")))
    media = "" if download else media_type(opened.store, key)
    content = opened.store.open(key)
    headers = {**KEPT_APART, "Content-Length": str(content.size_bytes)}
    headers["Content-Security-Policy"] = MOVING if scripts and media.startswith("text/html") else STILL
    if not media:
        name = quote(key.rsplit("/", 1)[-1], safe="")
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
    return Stream(content.chunks(), media_type=media or "application/octet-stream", headers=headers)
