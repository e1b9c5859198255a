"""How a graph is walked from a node, up or down: breadth first, within bounds, through cycles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from tenure.records.lineage import Cut, Edge, Node


class Reached(NamedTuple):
    """The edges at some nodes in one direction. `more`: nodes whose edges were not all read."""

    edges: list[Edge]
    more: frozenset[Node] = frozenset()


Neighbours = Callable[[Sequence[Node], bool], Reached]
"""Answers the edges out of these nodes (True, down) or into them (False, up), those to be shown first first."""


class Walked(NamedTuple):
    """`nodes` in the order in which they were met; `edges` are between them alone, each once."""

    nodes: list[Node]
    edges: list[Edge]
    cut: list[Cut]


def walk(
    start: Iterable[Node], neighbours: Neighbours, *, down: bool, depth: int, limit: int, breadth: int | None = None
) -> Walked:
    """Everything within `depth` edges of `start` in one direction: at most `limit` nodes.

    `breadth` is how many new nodes one node may lead to by one kind of edge, so that ten thousand runs of one dataset
    leave room for what came of the first of them. Whatever is left out is counted at the node that leads there.
    """
    seen = dict.fromkeys(start)
    edges: list[Edge] = []
    left: dict[tuple[Node, bool], list[Edge]] = {}
    more: set[Node] = set()
    frontier = list(seen)
    for step in range(depth + 1):
        if not frontier:
            break
        found = neighbours(frontier, down)
        more |= found.more
        last = step == depth
        shown: Counter[tuple[Node, str]] = Counter()
        fresh: list[Node] = []
        for edge in found.edges:
            near, far = (edge.source, edge.target) if down else (edge.target, edge.source)
            if far not in seen:
                full = len(seen) >= limit or (breadth is not None and shown[near, edge.how] >= breadth)
                if last or full:
                    left.setdefault((near, last), []).append(edge)
                    continue
                seen[far] = None
                fresh.append(far)
                shown[near, edge.how] += 1
            edges.append(edge)
        frontier = fresh
    # What was left out at one node may have been reached from another: then its edge is between two that are there.
    edges += [edge for some in left.values() for edge in some if edge.source in seen and edge.target in seen]
    return Walked(list(seen), _latest(edges), _cuts(left, seen, more, down=down))


def _cuts(
    left: dict[tuple[Node, bool], list[Edge]], seen: dict[Node, None], more: set[Node], *, down: bool
) -> list[Cut]:
    """What was left out, by the node that leads there."""
    found = []
    for (near, last), edges in left.items():
        missing = {far for edge in edges if (far := edge.target if down else edge.source) not in seen}
        if missing:
            found.append(
                Cut(
                    node=near,
                    direction="down" if down else "up",
                    count=len(missing),
                    at_least=near in more,
                    because="depth" if last else "count",
                )
            )
    return found


def _latest(edges: Iterable[Edge]) -> list[Edge]:
    """One edge for each pair and kind of edge; one that still holds stands for those that have ended."""
    kept: dict[tuple[Node, Node, str], Edge] = {}
    for edge in edges:
        pair = (edge.source, edge.target, edge.how)
        if pair not in kept or (kept[pair].ended and not edge.ended):
            kept[pair] = edge
    return list(kept.values())
