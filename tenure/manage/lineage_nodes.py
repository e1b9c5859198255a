"""The nodes of lineage: what a client calls one, where its table keeps it, and what people call it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tenure.errors import InvalidInput
from tenure.records.lineage import NODE_KINDS, Node, NodeInfo, NodeKind
from tenure.store import lineage_nodes
from tenure.store.database import Transaction
from tenure.store.lineage_nodes import NodeRow

_VERSION = re.compile(r"(.+)/([0-9]{1,9})", re.DOTALL)


def node_of(kind: str, identifier: str) -> Node:
    """A node by what a client calls it. Raises InvalidInput for a kind that there is not, or an id of no such form."""
    if kind not in NODE_KINDS:
        raise InvalidInput(
            f"The kind of a node must be one of {', '.join(NODE_KINDS)}. Got {kind[:100]!r}.", where="kind"
        )
    node = Node(kind=kind, id=identifier)
    if key_of(node) is None:
        form = {"version": "<model>/<number>, such as fraud/3", "dataset": "<name>@<digest>"}.get(kind, "not empty")
        raise InvalidInput(f"The id of a {kind} must be {form}. Got {identifier[:200]!r}.", where="id")
    return node


def key_of(node: Node) -> tuple[Any, ...] | None:
    """A node's id as the columns of its table have it; None when it has not the form of one.

    >>> key_of(Node(kind="version", id="fraud/3")), key_of(Node(kind="dataset", id="a@b@c"))
    (('fraud', 3), ('a@b', 'c'))
    """
    if node.kind == "version":
        read = _VERSION.fullmatch(node.id)
        return (read[1], int(read[2])) if read else None
    if node.kind == "dataset":
        name, at, digest = node.id.rpartition("@")
        return (name, digest) if at else None
    return (node.id,) if node.id else None


def model_of(version: Node) -> str:
    """The model of a version's node."""
    return version.id.rpartition("/")[0]


def describe(tx: Transaction, nodes: Sequence[Node]) -> list[NodeInfo]:
    """Each node with its name and how it stands, in the same order; one that was deleted is `gone`."""
    by_kind: dict[NodeKind, dict[tuple[Any, ...], Node]] = {}
    for node in nodes:
        key = key_of(node)
        if key is not None:
            by_kind.setdefault(node.kind, {})[key] = node
    known: dict[Node, NodeRow] = {}
    for kind, keys in by_kind.items():
        known |= {keys[row.key]: row for row in lineage_nodes.rows(tx, kind, list(keys)) if row.key in keys}
    return [_info(node, known.get(node)) for node in nodes]


def _info(node: Node, row: NodeRow | None) -> NodeInfo:
    if row is None:
        return NodeInfo(node=node, name=node.id, gone=True)
    name = node.id.replace("/", " ") if node.kind == "version" else row.name or node.id
    ended = row.until_at is not None or row.state in ("retired", "rejected", "deleted", "failed")
    return NodeInfo(
        node=node,
        name=name,
        owner=row.owner,
        state="" if row.state == "active" else row.state,
        from_at=row.from_at,
        until_at=row.until_at,
        made_at=row.made_at,
        ended=ended,
    )
