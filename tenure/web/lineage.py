"""Lineage: as a picture and as a list, and what would be hit if something went."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Response, get
from litestar.params import Parameter

from tenure.access import MODEL
from tenure.errors import NotFound, TenureError
from tenure.manage import impact, lineage
from tenure.manage.lineage_nodes import node_of
from tenure.records.base import Record
from tenure.records.lineage import Affected, Direction, Impact, Lineage, Node, NodeInfo
from tenure.records.people import Permission, Principal
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web.lineage_picture import Picture, kind_of, lineage_page_of, named, page_of, picture, under
from tenure.web.page import link, part, show, status_of

PANEL_NODES, PAGE_NODES, PAGE_DEPTH = 24, 100, 10
HIT_SHOWN = 200
HEADINGS = {
    "endpoint": "Endpoints",
    "release": "Releases in service",
    "version": "Versions in use",
    "model": "Models that take the score",
    "retraining": "Retrainings under way",
    "change": "Open change requests",
    "alias": "Aliases",
}
ASKED = {
    "version": "Version",
    "model": "Model",
    "dataset": "Dataset",
    "run": "Run",
    "logged_model": "Logged model",
    "column": "Column",
    "source": "Source",
    "package": "Package",
}


class Item(Record):
    """An edge as a line of a list: what it leads to, and how."""

    how: str
    kind: str
    name: str
    under: str
    path: str
    ended: bool
    step: int


class Shown(Record):
    """A lineage as a page shows it: drawn, and listed by how many steps away each node is."""

    picture: Picture
    up: list[Item]
    down: list[Item]
    cut: list[str]
    count: int


def shown(found: Lineage) -> Shown:
    """A lineage as a picture and as two lists that say the same."""
    infos = {info.node: info for info in found.nodes}
    return Shown(
        picture=picture(found),
        up=_items(found, infos, down=False),
        down=_items(found, infos, down=True),
        cut=[_missing(one.node, infos, one.count, one.at_least, one.direction) for one in found.cut],
        count=len(found.nodes) - 1,
    )


def panel(tx: Transaction, name: str, version: int) -> Shown:
    """The nearest of a version's lineage, for its own page."""
    node = Node(kind="version", id=f"{name}/{version}")
    return shown(lineage.of(tx, node, depth=PAGE_DEPTH, limit=PANEL_NODES, breadth=4))


@get(
    "/models/{name:str}/versions/{version:int}/lineage",
    permission=Permission.READ,
    subject=MODEL,
    sync_to_thread=True,
    include_in_schema=False,
)
def version_lineage(
    ground: Ground, principal: Principal, name: str, version: int, direction: Direction = "both"
) -> Response[str]:
    return _page(ground, principal, Node(kind="version", id=f"{name}/{version}"), direction)


@get("/lineage/{kind:str}/{identifier:path}", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def node_lineage(
    ground: Ground, principal: Principal, kind: str, identifier: str, direction: Direction = "both"
) -> Response[str]:
    return _page(ground, principal, node_of(kind, identifier.removeprefix("/")), direction)


@get("/impact", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def impact_page(
    ground: Ground,
    principal: Principal,
    kind: str = "",
    identifier: Annotated[str, Parameter(query="id")] = "",
) -> Response[str]:
    """What breaks if this goes; what cannot be asked is said above the form."""
    refused: list[TenureError] = []

    def load(tx: Transaction) -> dict[str, Any]:
        found: Impact | None = None
        try:
            found = impact.of(tx, kind, identifier) if kind or identifier else None
        except TenureError as refusal:
            refused.append(refusal)
        groups = [(HEADINGS[of], [one for one in found.affected if one.kind == of]) for of in HEADINGS] if found else []
        return {
            "found": found,
            "groups": [
                (heading, len(hit), [(one, affected_page(one)) for one in hit[:HIT_SHOWN]])
                for heading, hit in groups
                if hit
            ],
            "kinds": ASKED,
            "kind": kind or "version",
            "identifier": identifier,
            "refusal": refused[0].message if refused else "",
            "lineage_path": _lineage_of(kind, identifier) if found else "",
        }

    answer = show(ground, principal, "impact.html", load, current="models")
    if refused:
        answer.status_code = status_of(refused[0])
    return answer


def affected_page(one: Affected) -> str:
    """Where something that is hit can be read about."""
    if one.kind == "change":
        return f"/changes/{part(one.id)}"
    if one.kind == "alias":
        return f"/models/{part(one.id.rpartition('@')[0])}"
    return page_of(NodeInfo(node=Node(kind=one.kind, id=one.id), name=one.name, owner=one.owner))


def _page(ground: Ground, principal: Principal, node: Node, direction: Direction) -> Response[str]:
    def load(tx: Transaction) -> dict[str, Any]:
        found = lineage.of(tx, node, direction=direction, depth=PAGE_DEPTH, limit=PAGE_NODES)
        start = next((info for info in found.nodes if info.node == node), None)
        if start is None:
            raise NotFound(f"There is no {kind_of(node)} {node.id[:200]!r}.")
        return {
            "start": start,
            "kind": kind_of(node),
            "named": named(start),
            "page": page_of(start) if node.kind != "dataset" else "",
            "here": lineage_page_of(node),
            "direction": direction,
            "lineage": shown(found),
            "impact_path": link("/impact", kind=node.kind, id=node.id) if node.kind in ASKED else "",
        }

    return show(ground, principal, "lineage.html", load, current="models")


def _items(found: Lineage, infos: dict[Node, NodeInfo], *, down: bool) -> list[Item]:
    """Every edge that is met on the way from the start, nearest first."""
    out: dict[Node, list[Any]] = {}
    for edge in found.edges:
        out.setdefault(edge.source if down else edge.target, []).append(edge)
    steps = {found.start: 0}
    waiting = [found.start]
    items = []
    for node in waiting:
        for edge in out.get(node, []):
            far = edge.target if down else edge.source
            if far not in steps:
                steps[far] = steps[node] + 1
                waiting.append(far)
            info = infos[far]
            detail = f" ({edge.detail})" if edge.detail and edge.target.kind != "release" else ""
            how = f"{named(infos[node])} {edge.how}" if down else f"{edge.how} {named(infos[node])}"
            items.append(
                Item(
                    how=how + detail,
                    kind=kind_of(far),
                    name=info.name,
                    under=under(info),
                    path=page_of(info),
                    ended=edge.ended or info.ended or info.gone,
                    step=steps[far],
                )
            )
    return items


def _missing(node: Node, infos: dict[Node, NodeInfo], count: int, at_least: bool, direction: str) -> str:
    least = "at least " if at_least else ""
    way = "what came of" if direction == "down" else "what led to"
    return f"{least}{count:,} more of {way} {named(infos[node])}"


def _lineage_of(kind: str, identifier: str) -> str:
    if kind in ("column", "source", "package"):
        return ""
    return lineage_page_of(node_of(kind, identifier))


handlers = [version_lineage, node_lineage, impact_page]
