"""Services: programs that ask in their own name, by tokens, with roles like a person's. They never sign."""

from __future__ import annotations

from tenure.errors import NotFound
from tenure.manage import grants, people
from tenure.records.base import Instant
from tenure.records.people import NewGrant, NewService, RoleHeld, Service
from tenure.store import audit, services
from tenure.store.database import Transaction


def create(tx: Transaction, new: NewService, *, by: str, now: Instant) -> Service:
    """Add a service with roles for all models. Raises InvalidInput, AlreadyExists."""
    people.check_free(tx, new.name)
    roles = list(dict.fromkeys(new.roles))
    held = [RoleHeld(role=role, since_at=now) for role in roles]
    service = Service(name=new.name, purpose=new.purpose, roles=held, created_by=by, created_at=now)
    services.add(tx, service)
    for role in roles:
        grants.add(tx, NewGrant(principal=new.name, role=role), by=by, now=now)
    detail = {"purpose": new.purpose, "roles": roles}
    audit.append(tx, "service.created", subject=new.name, by=by, at=now, detail=detail)
    return service


def get(tx: Transaction, name: str) -> Service:
    """The service of that name. Raises NotFound."""
    service = services.get(tx, name)
    if service is None:
        raise NotFound(f"There is no service named {name!r}. Add one with POST /api/v1/services.")
    return service


def list_all(tx: Transaction) -> list[Service]:
    """Every service, by name."""
    return services.list_all(tx)
