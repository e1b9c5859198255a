"""Lineage: what a node came from and what came of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tenure.errors import InvalidInput, NotFound
from tenure.manage import scores, walks
from tenure.manage.lineage_nodes import describe, key_of, model_of
from tenure.records.lineage import Direction, Edge, Lineage, Node, NodeKind
from tenure.store import lineage
from tenure.store.database import Transaction
from tenure.store.lineage import EdgeRow, Relation

DEPTH, MOST_DEPTH = 8, 50
COUNT, MOST_COUNT = 200, 2_000
_COPY = re.compile(r"models:/(.+)/([0-9]{1,9})", re.DOTALL)


def of(
    tx: Transaction,
    start: Node,
    *,
    direction: Direction = "both",
    depth: int = DEPTH,
    limit: int = COUNT,
    breadth: int | None = None,
) -> Lineage:
    """What `start` came from (`up`), what came of it (`down`), or both, within `depth` edges and `limit` nodes.

    Raises InvalidInput for bounds that cannot be, NotFound when there is no such node.
    """
    _check("depth", depth, MOST_DEPTH)
    _check("limit", limit, MOST_COUNT)
    found = describe(tx, [start])[0]
    if found.gone:
        raise NotFound(f"There is no {start.kind.replace('_', ' ')} {start.id[:200]!r} that lineage could be told of.")
    ways = {"up": [False], "down": [True], "both": [False, True]}[direction]
    share = max(1, limit // len(ways))
    reader = Reader(tx)
    breadth = breadth or max(8, share // 5)
    walked = [walks.walk([start], reader, down=down, depth=depth, limit=share, breadth=breadth) for down in ways]
    nodes = list(dict.fromkeys(node for one in walked for node in one.nodes))
    edges = list({(edge.source, edge.target, edge.how): edge for one in walked for edge in one.edges}.values())
    cut = [missing for one in walked for missing in one.cut]
    return Lineage(start=start, direction=direction, depth=depth, nodes=describe(tx, nodes), edges=edges, cut=cut)


class Reader:
    """Reads the edges at nodes. What the models' files say of scores is read once."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._files = lineage.files_with_scores(tx)

    def __call__(self, nodes: Sequence[Node], down: bool) -> walks.Reached:
        edges: list[Edge] = []
        more: set[Node] = set()
        for relation in lineage.RELATIONS:
            near = [node for node in nodes if node.kind == (relation.source if down else relation.target)]
            if near:
                rows, cut = lineage.edges(self._tx, relation, _keys(relation, near, down), down=down)
                edges += edges_of(relation, rows)
                more |= set(near) if cut else set()
        return walks.Reached(edges + self._scores(nodes, down), frozenset(more))

    def _scores(self, nodes: Sequence[Node], down: bool) -> list[Edge]:
        """Edges by scores at these nodes; few models take the score of another, so all of theirs are looked through."""
        names = {
            node.id if node.kind == "model" else model_of(node) for node in nodes if node.kind in ("model", "version")
        }
        takes = {file.model: set(scores.scores_in(file)) for file in self._files}
        files = [file for file in self._files if (names & takes[file.model] if down else file.model in names)]
        if not files:
            return []
        wearers = lineage.wearers(self._tx, [file.model for file in files])
        answering = lineage.answering(self._tx, sorted(set().union(*(takes[file.model] for file in files))))
        there = set(nodes)
        found = [edge for edges in scores.edges(files, wearers, answering) for edge in edges]
        return [edge for edge in found if (edge.source if down else edge.target) in there]


def edges_of(relation: Relation, rows: Iterable[EdgeRow]) -> list[Edge]:
    """Rows of a relation as edges."""
    source, target = _maker(relation, relation.source), _node(relation.target)
    return [
        Edge(source=source(row.source), target=target(row.target), how=relation.how, detail=row.detail, ended=row.ended)
        for row in rows
    ]


def _keys(relation: Relation, nodes: Sequence[Node], down: bool) -> list[tuple[Any, ...]]:
    if down and _names_its_source(relation):
        return [(f"models:/{node.id}",) for node in nodes]
    return [key for node in nodes if (key := key_of(node)) is not None]


def _names_its_source(relation: Relation) -> bool:
    """Whether the source is kept as the text `models:/name/3`."""
    return relation.source == "version" and len(relation.source_key) == 1


def _maker(relation: Relation, kind: NodeKind) -> Callable[[tuple[Any, ...]], Node]:
    if _names_its_source(relation):
        return lambda key: Node(kind="version", id=_COPY.sub(r"\1/\2", key[0]))
    return _node(kind)


def _node(kind: NodeKind) -> Callable[[tuple[Any, ...]], Node]:
    mark = "@" if kind == "dataset" else "/"

    def made(key: tuple[Any, ...]) -> Node:
        return Node(kind=kind, id=key[0] if len(key) == 1 else f"{key[0]}{mark}{key[1]}")

    return made


def _check(name: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise InvalidInput(f"'{name}' must be between 1 and {most:,}. Got {value}.", where=name)
