"""Lineage as a picture: boxes in layers and curves between them, for an inline SVG that the site's CSS paints."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from tenure.records.base import Record
from tenure.records.lineage import Edge, Lineage, Node, NodeInfo
from tenure.web import wording
from tenure.web.layers import layered
from tenure.web.page import part

WIDTH, HEIGHT = 156.0, 56.0
ACROSS, DOWN = 40.0, 18.0
LANE = 14.0
MARGIN = 8.0
LETTERS = 20
FITTING = 1400.0
"""A picture up to this width is shown whole on a wide screen; a wider one is scrolled."""


class Box(Record):
    """A node as it is drawn; `full` is its name uncut, `words` the whole of what the box says."""

    x: float
    y: float
    kind: str
    name: str
    under: str
    full: str
    words: str
    path: str
    ended: bool
    here: bool


class Line(Record):
    """An edge as path data; `words` say what it is."""

    path: str
    words: str
    ended: bool


class Picture(Record):
    """`fits`: it may be made a little smaller to be seen whole."""

    width: float
    height: float
    fits: bool
    boxes: list[Box]
    lines: list[Line]


def picture(found: Lineage) -> Picture:
    """Every node and edge of a lineage, placed."""
    at = {info.node: number for number, info in enumerate(found.nodes)}
    drawn = layered(len(found.nodes), [(at[edge.source], at[edge.target]) for edge in found.edges])
    heights = [_height_of(layer, len(found.nodes)) for layer in drawn.layers]
    tallest = max(heights, default=0.0)
    places: dict[int, tuple[float, float]] = {}
    for column, (layer, height) in enumerate(zip(drawn.layers, heights, strict=True)):
        y = MARGIN + (tallest - height) / 2
        for one in layer:
            size = _size(one, len(found.nodes))
            places[one] = MARGIN + column * (WIDTH + ACROSS), y + size / 2
            y += size + DOWN
    words = {info.node: named(info) for info in found.nodes}
    width = 2 * MARGIN + max(len(drawn.layers), 1) * (WIDTH + ACROSS) - ACROSS
    return Picture(
        width=width,
        fits=width <= FITTING,
        height=2 * MARGIN + max(tallest, HEIGHT),
        boxes=[_box(info, places[at[info.node]], info.node == found.start) for info in found.nodes],
        lines=[
            _line(edge, drawn.routes[pair], places, words, len(found.nodes))
            for edge in found.edges
            if (pair := (at[edge.source], at[edge.target])) in drawn.routes
        ],
    )


def named(info: NodeInfo) -> str:
    """A node in words, such as `version fraud 3`."""
    owner = f" at {info.owner}" if info.node.kind == "release" else ""
    return f"{kind_of(info.node)} {info.name}{owner}"


def kind_of(node: Node) -> str:
    return node.kind.replace("_", " ")


def under(info: NodeInfo) -> str:
    """What stands below a node's name."""
    if info.gone:
        return "deleted"
    if info.node.kind == "dataset":
        return info.node.id.rpartition("@")[2]
    if info.node.kind == "release":
        return f"ended {wording.date(info.until_at)}" if info.until_at else f"since {wording.date(info.from_at)}"
    if info.node.kind == "endpoint":
        return f"of {info.owner}"
    if info.node.kind in ("run", "logged_model") and not info.state:
        return f"by {info.owner}" if info.owner else ""
    return wording.state(info.state) if info.state else ""


def page_of(info: NodeInfo) -> str:
    """Where a node can be read about."""
    node = info.node
    if info.gone:
        return ""
    name, _, number = node.id.rpartition("/")
    pages = {
        "run": f"/runs/{part(node.id)}",
        "logged_model": f"/logged-models/{part(node.id)}",
        "model": f"/models/{part(node.id)}",
        "version": f"/models/{part(name)}/versions/{number}",
        "release": f"/endpoints/{part(info.owner)}/releases",
        "endpoint": f"/endpoints/{part(node.id)}",
        "retraining": f"/retraining/{part(node.id)}",
    }
    return pages.get(node.kind, lineage_page_of(node))


def lineage_page_of(node: Node) -> str:
    """The page of a node's lineage."""
    if node.kind == "version":
        name, _, number = node.id.rpartition("/")
        return f"/models/{part(name)}/versions/{number}/lineage"
    return f"/lineage/{node.kind}/{part(node.id)}"


def _box(info: NodeInfo, place: tuple[float, float], here: bool) -> Box:
    below = under(info)
    ended = ", ended" if info.ended and info.node.kind == "release" else ""
    words = f"{named(info)}, {below}" if below else named(info)
    return Box(
        x=place[0],
        y=place[1] - HEIGHT / 2,
        kind=kind_of(info.node),
        name=cut(info.name),
        under=cut(below, LETTERS + 4),
        full=info.name,
        words=words + (ended if "ended" not in words else "") + (" (you are here)" if here else ""),
        path=page_of(info),
        ended=info.ended or info.gone,
        here=here,
    )


def _line(
    edge: Edge,
    route: Sequence[int],
    places: Mapping[int, tuple[float, float]],
    words: Mapping[Node, str],
    count: int,
) -> Line:
    points: list[tuple[float, float]] = []
    for one in route:
        x, y = places[one]
        ends = [(x, y), (x + WIDTH, y)] if one >= count else [(x + WIDTH, y) if one == route[0] else (x, y)]
        points += ends
    steps = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for index, ((x0, y0), (x1, y1)) in enumerate(itertools.pairwise(points)):
        bend = (x1 - x0) / 2
        passing = index % 2 == 1
        steps.append(
            f"L{x1:.1f} {y1:.1f}"
            if passing
            else f"C{x0 + bend:.1f} {y0:.1f} {x1 - bend:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
        )
    detail = f" ({edge.detail})" if edge.detail and edge.target.kind != "release" else ""
    said = f"{words[edge.source]} – {edge.how}{detail} – {words[edge.target]}" + (", ended" if edge.ended else "")
    return Line(path="".join(steps), words=said, ended=edge.ended)


def cut(text: str, letters: int = LETTERS) -> str:
    """A text with its middle left out when it is too long for a box: both ends tell names apart.

    >>> cut("a-very-long-name-of-a-dataset-2026")
    'a-very-lon…aset-2026'
    """
    if len(text) <= letters:
        return text
    return f"{text[: letters // 2]}…{text[len(text) - (letters - letters // 2 - 1) :]}"


def _size(one: int, count: int) -> float:
    return HEIGHT if one < count else LANE


def _height_of(layer: Sequence[int], count: int) -> float:
    return sum(_size(one, count) for one in layer) + DOWN * (len(layer) - 1)
