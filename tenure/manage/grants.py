"""Grants: giving somebody a role, for one model or for all, and taking it back. What was held stays on record."""

from __future__ import annotations

from tenure.errors import AlreadyExists, Conflict, NotFound
from tenure.records.base import Instant, new_id
from tenure.records.people import Grant, NewGrant
from tenure.store import audit, grants, people, services, settings_kept
from tenure.store.database import Transaction


def give(tx: Transaction, new: NewGrant, *, by: str, now: Instant) -> Grant:
    """Give a person or a service a role. Every session of a person ends, so that the next one has it.

    A signing role counts for changes that are opened afterwards. Raises NotFound, AlreadyExists.
    """
    _check_principal(tx, new.principal)
    for held in grants.search(tx, principal=new.principal):
        if (held.role, held.model) == (new.role, new.model):
            raise AlreadyExists(f"{new.principal!r} holds the role {new.role!r} {for_what(new.model)} already.")
    grant = add(tx, new, by=by, now=now)
    detail = {"grant_id": grant.grant_id, "role": grant.role, "model": grant.model}
    audit.append(tx, "grant.given", subject=new.principal, by=by, at=now, detail=detail)
    changed(tx, new.principal)
    return grant


def revoke(tx: Transaction, grant_id: str, *, by: str, now: Instant) -> Grant:
    """Let a grant end now. Every session of a person ends, and tokens lose what it gave. Raises NotFound, Conflict."""
    grant = grants.get(tx, grant_id)
    if grant is None:
        raise NotFound(f"There is no grant {grant_id!r}. GET /api/v1/grants lists them.")
    if grant.until_at is not None:
        raise Conflict(f"The grant {grant_id!r} has ended already.")
    grants.end(tx, grant_id, by=by, now=now)
    detail = {"grant_id": grant_id, "role": grant.role, "model": grant.model}
    audit.append(tx, "grant.revoked", subject=grant.principal, by=by, at=now, detail=detail)
    changed(tx, grant.principal)
    ended = grants.get(tx, grant_id)
    assert ended is not None
    return ended


def add(tx: Transaction, new: NewGrant, *, by: str, now: Instant) -> Grant:
    """Store a grant, for verbs that tell of it in an event of their own."""
    grant = Grant(
        grant_id=new_id(now), principal=new.principal, role=new.role, model=new.model, since_at=now, granted_by=by
    )
    grants.add(tx, grant)
    return grant


def end(tx: Transaction, grant: Grant, *, by: str, now: Instant) -> None:
    """Let a grant end, for verbs that tell of it in an event of their own."""
    grants.end(tx, grant.grant_id, by=by, now=now)


def changed(tx: Transaction, principal: str) -> None:
    """Have what somebody may do looked up anew everywhere: their sessions end, and gateways get another table."""
    people.end_sessions(tx, principal)
    settings_kept.count_up(tx, settings_kept.ROUTING_EPOCH)


def search(tx: Transaction, *, principal: str | None = None, with_ended: bool = False) -> list[Grant]:
    """Grants of one principal or of all, oldest first."""
    return grants.search(tx, principal=principal, with_ended=with_ended)


def for_what(model: str | None) -> str:
    """What a grant is for, in words."""
    return f"for the model {model!r}" if model else "for all models"


def _check_principal(tx: Transaction, name: str) -> None:
    if people.get(tx, name) is None and services.get(tx, name) is None:
        raise NotFound(f"There is neither a person nor a service named {name!r}. Add one first.", where="principal")
