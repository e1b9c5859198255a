"""Lineage as events of the OpenLineage standard (https://openlineage.io), for catalogues that read them.

A run, a retraining and a release are runs of jobs there; everything else is a dataset. What came from another thing
with no such run between, such as a version from a logged model, is told as a run of a job `registered`.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

from tenure.records.base import iso
from tenure.records.lineage import Edge, Lineage, Node, NodeInfo

SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
JOBS = {"run": "trained", "retraining": "retrained", "release": "served"}
_RUN_ID = re.compile(r"[0-9a-f]{32}")


def events(found: Lineage, *, namespace: str, producer: str) -> list[dict[str, Any]]:
    """Events for everything in a lineage that was made of something, the oldest first.

    `namespace` names this server among others, `producer` the software. The same lineage gives the same run ids, so a
    catalogue that is told twice knows it again. A node of which it is not known when it was made is left out.
    """
    infos = {info.node: info for info in found.nodes}
    into: dict[Node, list[Edge]] = {}
    out: dict[Node, list[Edge]] = {}
    for edge in found.edges:
        into.setdefault(edge.target, []).append(edge)
        out.setdefault(edge.source, []).append(edge)
    told = []
    for node, info in sorted(infos.items(), key=lambda item: (item[1].made_at or 0, str(item[0]))):
        sources = [edge.source for edge in into.get(node, [])]
        if node.kind in JOBS:
            inputs, outputs = sources, [edge.target for edge in out.get(node, [])]
        else:
            inputs, outputs = [source for source in sources if source.kind not in JOBS], [node]
        if info.made_at is not None and inputs:
            told.append(_event(node, info, inputs, outputs, namespace, producer))
    return told


def _event(
    node: Node, info: NodeInfo, inputs: list[Node], outputs: list[Node], namespace: str, producer: str
) -> dict[str, Any]:
    job = f"{JOBS.get(node.kind, 'registered')}:{info.name}"
    return {
        "eventType": "OTHER",
        "eventTime": iso(info.made_at or 0),
        "producer": producer,
        "schemaURL": SCHEMA,
        "run": {"runId": run_id(node, namespace)},
        "job": {"namespace": namespace, "name": job},
        "inputs": [_dataset(one, namespace) for one in dict.fromkeys(inputs)],
        "outputs": [_dataset(one, namespace) for one in dict.fromkeys(outputs)],
    }


def run_id(node: Node, namespace: str) -> str:
    """The UUID of a node's run: an MLflow run's own id, else one made from the node's name.

    >>> run_id(Node(kind="run", id="0190b5a000007000800000000000000b"), "here")
    '0190b5a0-0000-7000-8000-00000000000b'
    """
    if node.kind == "run" and _RUN_ID.fullmatch(node.id):
        return str(uuid.UUID(hex=node.id))
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{namespace}/{node}"))


def _dataset(node: Node, namespace: str) -> dict[str, str]:
    return {"namespace": namespace, "name": str(node)}
