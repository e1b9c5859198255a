"""Routes about what an endpoint exports."""

from __future__ import annotations

from litestar import get, put

from tenure.access import ENDPOINT
from tenure.build import webhooks
from tenure.deploy import exports
from tenure.records.exports import Export, SetExport
from tenure.records.people import Permission, Principal
from tenure.store.ground import Ground


@get("/api/v1/endpoints/{name:str}/export", permission=Permission.READ, subject=ENDPOINT, sync_to_thread=True)
def get_export(ground: Ground, name: str) -> Export | None:
    """Where an endpoint's requests and answers are sent as CloudEvents, and how many were; null for nowhere."""
    return ground.database.read(lambda tx: exports.export_of(tx, name))


@put("/api/v1/endpoints/{name:str}/export", permission=Permission.MANAGE, subject=ENDPOINT, sync_to_thread=True)
def set_export(ground: Ground, principal: Principal, name: str, data: SetExport) -> Export | None:
    """Send an endpoint's requests and answers to an address as CloudEvents; without a `url` no longer."""
    now, means = ground.clock(), webhooks.means_of(ground)
    return ground.database.write(lambda tx: exports.set_export(tx, name, data, means, by=principal.name, now=now))


handlers = [get_export, set_export]
