"""Routes about services: programs that ask in their own name."""

from __future__ import annotations

from litestar import get, post

from tenure.manage import services
from tenure.records.people import NewService, Permission, Principal, Service
from tenure.store.ground import Ground


@get("/api/v1/services", permission=Permission.READ, sync_to_thread=True)
def list_services(ground: Ground) -> list[Service]:
    """Every service, by name, with the roles it holds."""
    return ground.database.read(services.list_all)


@post("/api/v1/services", permission=Permission.ADMINISTER, sync_to_thread=True)
def create_service(data: NewService, ground: Ground, principal: Principal) -> Service:
    """Add a service, with what it is for and the roles it holds for all models."""
    return ground.database.write(lambda tx: services.create(tx, data, by=principal.name, now=ground.clock()))


handlers = [list_services, create_service]
