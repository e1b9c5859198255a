"""Routes about lineage: what a node came from, what came of it, and what would be hit if it went."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import get
from litestar.params import Parameter, QueryParameter

from tenure.api.service import VERSION
from tenure.manage import impact, lineage, openlineage
from tenure.manage.lineage_nodes import node_of
from tenure.records.lineage import Direction, Impact, Lineage
from tenure.records.people import Permission
from tenure.store.database import Transaction
from tenure.store.ground import Ground


@get("/api/v1/lineage/{kind:str}/{identifier:path}", permission=Permission.READ, sync_to_thread=True)
def get_lineage(
    kind: str,
    identifier: Annotated[
        str, Parameter(description="name@digest of a dataset, name/number of a version, else the id")
    ],
    ground: Ground,
    direction: Direction = "both",
    depth: int = lineage.DEPTH,
    limit: int = lineage.COUNT,
) -> Lineage:
    """What a dataset, run, logged model, model, version, release, endpoint or retraining came from and what came of it.

    At most `limit` nodes within `depth` edges; `cut` tells what is missing.
    """
    node = node_of(kind, identifier.removeprefix("/"))
    return ground.database.read(lambda tx: lineage.of(tx, node, direction=direction, depth=depth, limit=limit))


@get("/api/v1/impact", permission=Permission.READ, sync_to_thread=True)
def get_impact(kind: str, identifier: Annotated[str, QueryParameter(name="id")], ground: Ground) -> Impact:
    """What would be hit if a dataset, run, model, version, column, source or package went, each with why."""
    return ground.database.read(lambda tx: impact.of(tx, kind, identifier))


@get("/api/v1/openlineage/{kind:str}/{identifier:path}", permission=Permission.READ, sync_to_thread=True)
def get_openlineage(
    kind: str,
    identifier: str,
    ground: Ground,
    direction: Direction = "both",
    depth: int = lineage.DEPTH,
    namespace: str = "",
) -> list[dict[str, Any]]:
    """A node's lineage as events of the OpenLineage standard, the oldest first; at most 2,000 nodes.

    `namespace` names this server among others; its address when left out.
    """
    node = node_of(kind, identifier.removeprefix("/"))

    def load(tx: Transaction) -> Lineage:
        most = lineage.MOST_COUNT
        return lineage.of(tx, node, direction=direction, depth=depth, limit=most, breadth=most)

    found = ground.database.read(load)
    return openlineage.events(
        found, namespace=namespace or ground.settings.control_url, producer=f"urn:tenure:{VERSION}"
    )


handlers = [get_lineage, get_impact, get_openlineage]
