"""A layered drawing of a graph: every edge leads to a later layer, long ones pass between the boxes.

Layers by longest path (Sugiyama, Tagawa and Toda, 1981), order within them by medians, one sweep after another.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

SWEEPS = 8
Node = int
Pair = tuple[Node, Node]


class Layers(NamedTuple):
    """`layers`: what stands in each layer, in order: nodes, and places (numbers from `count` on) that long edges pass.

    `routes`: for every edge what it passes, from its first end to its last, in the direction in which layers grow.
    `backward`: edges that close a cycle and so lead to an earlier layer.
    """

    layers: list[list[Node]]
    routes: dict[Pair, list[Node]]
    backward: frozenset[Pair]


def layered(count: int, edges: Sequence[Pair]) -> Layers:
    """Nodes 0 to `count` in layers. Loops at one node and edges to nodes that there are not are left out.

    >>> layered(3, [(0, 1), (1, 2), (0, 2)]).routes[0, 2]
    [0, 3, 2]
    """
    known = [edge for edge in dict.fromkeys(edges) if edge[0] != edge[1] and max(edge) < count and min(edge) >= 0]
    backward = _closing(count, known)
    forward = list(dict.fromkeys((end, start) if (start, end) in backward else (start, end) for start, end in known))
    layer = _layer_of(count, forward)
    layers: list[list[Node]] = [[] for _ in range(max(layer, default=-1) + 1)]
    for node in range(count):
        layers[layer[node]].append(node)
    routes: dict[Pair, list[Node]] = {}
    place = count
    for start, end in forward:
        between = range(layer[start] + 1, layer[end])
        passed = list(range(place, place + len(between)))
        for at, one in zip(between, passed, strict=True):
            layers[at].append(one)
        place += len(passed)
        routes[start, end] = [start, *passed, end]
    _order(layers, list(routes.values()))
    named = {edge: routes[edge[1], edge[0]] if edge in backward else routes[edge] for edge in known}
    return Layers(layers, named, frozenset(backward))


def _closing(count: int, edges: Sequence[Pair]) -> set[Pair]:
    """Edges that lead back to where one is on a walk from node to node: without them there is no cycle."""
    out: list[list[Node]] = [[] for _ in range(count)]
    for start, end in edges:
        out[start].append(end)
    closing: set[Pair] = set()
    state = [0] * count  # 0 not met, 1 on the way here, 2 done
    for root in range(count):
        stack = [(root, iter(out[root]))] if not state[root] else []
        while stack:
            node, rest = stack[-1]
            state[node] = 1
            follower = next(rest, None)
            if follower is None:
                state[node] = 2
                stack.pop()
            elif state[follower] == 1:
                closing.add((node, follower))
            elif state[follower] == 0:
                stack.append((follower, iter(out[follower])))
    return closing


def _layer_of(count: int, edges: Sequence[Pair]) -> list[int]:
    """The length of the longest way to each node; one that nothing leads to stands right before what it leads to."""
    out: list[list[Node]] = [[] for _ in range(count)]
    waiting = [0] * count
    for start, end in edges:
        out[start].append(end)
        waiting[end] += 1
    layer = [0] * count
    begin = [node for node in range(count) if not waiting[node]]
    ready = list(begin)
    for node in ready:
        for follower in out[node]:
            layer[follower] = max(layer[follower], layer[node] + 1)
            waiting[follower] -= 1
            if not waiting[follower]:
                ready.append(follower)
    for node in begin:
        if out[node]:
            layer[node] = min(layer[follower] for follower in out[node]) - 1
    return layer


def _order(layers: list[list[Node]], routes: Sequence[Sequence[Node]]) -> None:
    """Put what is joined side by side, so that few edges cross."""
    before: dict[Node, list[Node]] = {}
    after: dict[Node, list[Node]] = {}
    for route in routes:
        for left, right in itertools.pairwise(route):
            before.setdefault(right, []).append(left)
            after.setdefault(left, []).append(right)
    for sweep in range(SWEEPS):
        joined, walked = (before, layers) if sweep % 2 == 0 else (after, layers[::-1])
        height: dict[Node, float] = {}
        for layer in walked:
            for at, node in enumerate(layer):
                near = sorted(height[one] for one in joined.get(node, []) if one in height)
                height[node] = near[len(near) // 2] if near else (at + 0.5) / len(layer)
            layer.sort(key=lambda node: height[node])
            for at, node in enumerate(layer):
                height[node] = (at + 0.5) / len(layer)
