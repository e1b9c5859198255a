"""Lineage: what came from what, as nodes and edges; and what would be hit if one of them went."""

from __future__ import annotations

from typing import Literal

from tenure.records.base import Record

NodeKind = Literal["dataset", "run", "logged_model", "model", "version", "release", "endpoint", "retraining"]
NODE_KINDS: tuple[NodeKind, ...] = (
    "dataset",
    "run",
    "logged_model",
    "model",
    "version",
    "release",
    "endpoint",
    "retraining",
)
Direction = Literal["up", "down", "both"]
AffectedKind = Literal["endpoint", "release", "version", "model", "retraining", "change", "alias"]


class Node(Record):
    """A node by its kind and its id: `name@digest` of a dataset, `name/number` of a version, else its own id or name.

    >>> str(Node(kind="version", id="fraud/3"))
    'version:fraud/3'
    """

    kind: NodeKind
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


class Edge(Record):
    """`target` came from `source`. `how` reads between them; `detail` tells more, such as the column of a score.

    `ended`: it was so and is no longer, such as a release that has ended.
    """

    source: Node
    target: Node
    how: str
    detail: str = ""
    ended: bool = False


class NodeInfo(Record):
    """A node with what people call it. `owner` is who made it, or the endpoint of a release. `gone`: it was deleted.

    `from_at` and `until_at` are of a release, `made_at` is when it was made, in microseconds UTC; None when not known.
    """

    node: Node
    name: str
    owner: str = ""
    state: str = ""
    from_at: int | None = None
    until_at: int | None = None
    made_at: int | None = None
    ended: bool = False
    gone: bool = False


class Cut(Record):
    """What a walk left out: edges at this node that lead on, `count` of them, or at least so many."""

    node: Node
    direction: Literal["up", "down"]
    count: int
    at_least: bool
    because: Literal["depth", "count"]


class Lineage(Record):
    """What was walked from `start`. Every edge is between two of the nodes; `cut` tells what is missing."""

    start: Node
    direction: Direction
    depth: int
    nodes: list[NodeInfo]
    edges: list[Edge]
    cut: list[Cut]


class Affected(Record):
    """Something that is hit, and why: each step from what goes to it, in words. `direct`: no other version between.

    `id` is that of the node, or `name@alias`, or the id of a change request; `owner` is the endpoint of a release.
    """

    kind: AffectedKind
    id: str
    name: str
    owner: str
    direct: bool
    why: list[str]


class Impact(Record):
    """What would be hit if something went. `cut`: the walk ended at its limit, and there is more than this.

    `unknown`: versions in service that do not tell what they were made with, so that they may be hit as well.
    """

    about: str
    affected: list[Affected]
    unknown: list[str] = []
    cut: bool = False
