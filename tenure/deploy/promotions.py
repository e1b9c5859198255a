"""Promotions: an alias and the releases that follow it move together, or not at all.

For a model under governance the aliases `champion` and `challenger` move only through the gates, each move with a
change request; where its file declares `promotion`, people sign that request first. For any other model an alias set
through MLflow's own client routes as well, so that whoever has no rules can deploy without ours.
"""

from __future__ import annotations

from typing import Literal

from tenure.build import registered_models
from tenure.deploy import releases, routing
from tenure.errors import NotAllowed
from tenure.manage import changes, guards
from tenure.records.base import Instant
from tenure.records.changes import Change, NewChange, Target
from tenure.records.endpoints import Endpoint, NewRelease
from tenure.store import audit, endpoints, model_files
from tenure.store import releases as kept
from tenure.store.database import Transaction

Role = Literal["champion", "challenger"]
ROUTED: tuple[Role, ...] = ("champion", "challenger")
CHALLENGER_SHARE = 0.1


def promote(
    tx: Transaction,
    model: str,
    version: int,
    *,
    to: Role,
    reason: str,
    by: str,
    now: Instant,
    share: float = CHALLENGER_SHARE,
) -> None:
    """Give a version the role of champion or challenger: its alias, and its release on every endpoint of the model.

    `share` is the part of the traffic that a challenger answers, 0–1. What it replaces ends in the same transaction.
    Raises GateNotMet with every rule that failed, NotAllowed where people must sign.
    """
    releases.loadable(tx, model, version)
    if guards.is_governed(tx, model):
        target = Target(to=to, share=share if to == "challenger" else 0.0)
        new = NewChange(kind="promote", model=model, version=version, reason=reason, target=target)
        changes.record(tx, new, by=by, now=now)
    _give(tx, model, version, to=to, reason=reason, by=by, now=now, share=share)


def needs_signatures(tx: Transaction, model: str) -> bool:
    """Whether people sign for each promotion of a model, by its file as it stands."""
    applied = model_files.current(tx, model)
    return applied is not None and applied.file.promotion is not None


def carry_out(tx: Transaction, change: Change, *, now: Instant) -> None:
    """Do what a promotion asked for, once it is approved. Raises Conflict when the version may no longer be loaded."""
    assert change.target is not None
    assert change.target.to != "shadow"
    releases.loadable(tx, change.model, change.version)
    share = change.target.share or CHALLENGER_SHARE
    to, reason, by = change.target.to, change.reason, change.opened_by
    _give(tx, change.model, change.version, to=to, reason=reason, by=by, now=now, share=share)


def _give(
    tx: Transaction, model: str, version: int, *, to: Role, reason: str, by: str, now: Instant, share: float
) -> None:
    before = registered_models.aliases(tx, model)
    registered_models.set_alias(tx, model, to, version, now=now)
    if to == "champion" and before.get("challenger") == version:
        registered_models.delete_alias(tx, model, "challenger", now=now)
    for endpoint in endpoints.list_all(tx, model=model):
        new = NewRelease(version=version, role=to, reason=reason, share=share if to == "challenger" else 0.0)
        replace(tx, endpoint, new, by=by, now=now)
    routing.bump(tx)
    detail = {"to": to, "before": before.get(to), "reason": reason}
    audit.append(tx, "version.promoted", subject=f"{model}/{version}", by=by, at=now, detail=detail)


def set_alias(tx: Transaction, name: str, alias: str, version: int, *, by: str, now: Instant) -> None:
    """Set an alias as MLflow's client asks. `champion` and `challenger` are promotions, with their gates."""
    if alias in ROUTED:
        role: Role = "champion" if alias == "champion" else "challenger"
        promote(tx, name, version, to=role, reason=f"the alias '{alias}' was set", by=by, now=now)
        return
    registered_models.set_alias(tx, name, alias, version, now=now)
    audit.append(tx, "alias.set", subject=f"{name}/{version}", by=by, at=now, detail={"alias": alias})


def delete_alias(tx: Transaction, name: str, alias: str, *, by: str, now: Instant) -> None:
    """Delete an alias as MLflow's client asks; one that is not there is no error, as in MLflow.

    Without `challenger` no challenger answers any more. Without `champion` the one in service goes on answering until
    another is named: deleting a name must not take an endpoint down. For a model under governance it is refused.
    """
    version = registered_models.aliases(tx, name).get(alias)
    if version is None:
        return
    if alias == "champion" and guards.is_governed(tx, name):
        raise NotAllowed(
            f"{name!r} is under governance: its alias 'champion' is never deleted, it moves. Promote another version."
        )
    registered_models.delete_alias(tx, name, alias, now=now)
    if alias == "challenger":
        for endpoint in endpoints.list_all(tx, model=name):
            _end_role(tx, endpoint, "challenger", reason="the alias 'challenger' was deleted", by=by, now=now)
        routing.bump(tx)
    audit.append(tx, "alias.deleted", subject=f"{name}/{version}", by=by, at=now, detail={"alias": alias})


def replace(tx: Transaction, endpoint: Endpoint, new: NewRelease, *, by: str, now: Instant) -> None:
    """Open a release at one endpoint and end what it replaces: the old holder of the role, and the version's own shadow
    or challenge. A champion that is in place stays as it is."""
    for release in kept.open_ones(tx, endpoint=endpoint.name):
        if release.role == new.role and release.version == new.version and release.role == "champion":
            return
        if release.role == new.role or release.version == new.version:
            _refuse_to_lose_the_champion(release.role, new)
            reason = f"version {new.version} was promoted to {new.role}"
            releases.close(tx, release, reason=reason, by=by, now=now)
    releases.start(tx, endpoint, new, by=by, now=now)


def _refuse_to_lose_the_champion(role: str, new: NewRelease) -> None:
    if role == "champion" and new.role != "champion":
        raise NotAllowed(
            f"Version {new.version} is the champion and cannot also challenge. "
            "Promote another version to champion first."
        )


def _end_role(tx: Transaction, endpoint: Endpoint, role: Role, *, reason: str, by: str, now: Instant) -> None:
    for release in kept.open_ones(tx, endpoint=endpoint.name):
        if release.role == role:
            releases.close(tx, release, reason=reason, by=by, now=now)
