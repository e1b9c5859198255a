"""The kill switch: stop a version, or a whole endpoint, at once; and what is answered instead.

A kill needs no signature: stopping is always allowed to whoever runs the endpoint, and it is never silent. It ends by
being lifted, which puts back what the releases say. What answers instead is named beforehand, so that it is warm.
"""

from __future__ import annotations

import msgspec

from tenure.deploy import compiling, environments, releases, routing
from tenure.errors import Conflict, InvalidInput, NotFound
from tenure.manage import guards
from tenure.records.base import Instant, new_id
from tenure.records.endpoints import Endpoint
from tenure.records.kills import Fallback, Kill, NewKill, OtherVersion, Rule, SetFallback
from tenure.store import audit, endpoints, kills
from tenure.store import releases as kept
from tenure.store.database import Transaction


def kill(tx: Transaction, endpoint: str, new: NewKill, *, by: str, now: Instant) -> Kill:
    """Stop a version, or whatever answers, at an endpoint. Raises Conflict when that is stopped already."""
    place = releases.found(tx, endpoint)
    answering = [release.version for release in kept.open_ones(tx, endpoint=endpoint)]
    if new.version is not None and new.version not in answering:
        raise NotFound(
            f"Version {new.version} is not in service at {endpoint!r}. "
            f"In service: {', '.join(map(str, answering)) or 'none'}."
        )
    if any(one.version == new.version for one in kills.standing(tx, endpoint=endpoint)):
        raise Conflict(f"{_named(new.version, endpoint)} is stopped already. Lift that kill before another one.")
    made = Kill(
        kill_id=new_id(now),
        endpoint=endpoint,
        version=new.version,
        reason=new.reason,
        killed_by=by,
        killed_at=now,
    )
    kills.add(tx, made)
    routing.bump(tx)
    fallback = endpoints.fallback(tx, endpoint)
    detail = {"kill": made.kill_id, "model": place.model, "version": new.version, "reason": new.reason}
    detail |= {"fallback": msgspec.to_builtins(fallback)}
    audit.append(tx, "endpoint.killed", subject=endpoint, by=by, at=now, detail=detail)
    return made


def lift(tx: Transaction, endpoint: str, kill_id: str, *, reason: str, by: str, now: Instant) -> Kill:
    """End a kill: what the releases say answers again. Raises NotFound, and Conflict for one that has ended."""
    standing = kills.get(tx, kill_id)
    if standing is None or standing.endpoint != endpoint:
        raise NotFound(f"The endpoint {endpoint!r} has no kill {kill_id!r}.")
    if standing.lifted_at is not None:
        raise Conflict(f"The kill {kill_id!r} of {endpoint!r} was lifted already.")
    kills.lift(tx, kill_id, reason=reason, by=by, now=now)
    routing.bump(tx)
    detail = {"kill": kill_id, "version": standing.version, "reason": reason}
    audit.append(tx, "endpoint.kill_lifted", subject=endpoint, by=by, at=now, detail=detail)
    lifted = kills.get(tx, kill_id)
    assert lifted is not None
    return lifted


def set_fallback(tx: Transaction, endpoint: str, asked: SetFallback, *, by: str, now: Instant) -> None:
    """Name what is answered instead of a killed version.

    A version must be one that may answer clients: loadable, and approved when its model is under governance. The
    columns of a rule must be among those that the champion takes.
    """
    place = releases.found(tx, endpoint)
    if isinstance(asked.fallback, OtherVersion):
        version = releases.loadable(tx, place.model, asked.fallback.version)
        environments.require(tx, version)
        compiling.ask(tx, version, by=by, now=now)
        guards.check_release(tx, place.model, asked.fallback.version, now=now)
    if isinstance(asked.fallback, Rule):
        _check_columns(tx, place, asked.fallback)
    before = endpoints.fallback(tx, endpoint)
    endpoints.set_fallback(tx, endpoint, asked.fallback)
    routing.bump(tx)
    detail = {"before": msgspec.to_builtins(before), "after": msgspec.to_builtins(asked.fallback)}
    detail |= {"reason": asked.reason}
    audit.append(tx, "endpoint.fallback_set", subject=endpoint, by=by, at=now, detail=detail)


def fallback_of(tx: Transaction, endpoint: str) -> Fallback | None:
    """What is answered at an endpoint instead of a killed version. Raises NotFound for an unknown endpoint."""
    releases.found(tx, endpoint)
    return endpoints.fallback(tx, endpoint)


def _check_columns(tx: Transaction, endpoint: Endpoint, rule: Rule) -> None:
    for release in kept.open_ones(tx, endpoint=endpoint.name):
        if release.role != "champion":
            continue
        taken = {column.name for column in releases.loadable(tx, endpoint.model, release.version).inputs}
        unknown = sorted({case.column for case in rule.cases} - taken)
        if taken and unknown:
            raise InvalidInput(
                f"A rule must look at columns that version {release.version} takes. Not among them: "
                f"{', '.join(map(repr, unknown[:5]))}.",
                where="fallback.cases",
            )


def _named(version: int | None, endpoint: str) -> str:
    return f"Version {version} at {endpoint!r}" if version is not None else f"The endpoint {endpoint!r}"
