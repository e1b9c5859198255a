"""What the gateways route by, made from the releases in service and published with a growing epoch."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tenure.build import model_versions
from tenure.deploy import admission, environments, lookups
from tenure.errors import NotFound
from tenure.manage import tokens
from tenure.records.admission import AdmissionRules
from tenure.records.base import Instant
from tenure.records.endpoints import Endpoint, ReleaseInfo
from tenure.records.kills import OtherVersion, Stopped
from tenure.records.registry import OUT_OF_SERVICE, ModelVersionInfo
from tenure.records.routing import Release, Route, RoutedRole, RoutingTable
from tenure.serving import routing as published
from tenure.store import endpoints, forms, kills, model_files, releases, settings_kept
from tenure.store.database import Transaction
from tenure.store.ground import Ground

NEVER = Instant(0)
EPOCH = settings_kept.ROUTING_EPOCH


def bump(tx: Transaction) -> int:
    """Count the routing epoch up: every transaction that changes what answers where does so before it commits."""
    return settings_kept.count_up(tx, EPOCH)


def epoch(tx: Transaction) -> int:
    return int(settings_kept.get(tx, EPOCH) or 0)


def table(tx: Transaction, now: Instant = NEVER, *, solo: bool = True) -> RoutingTable:
    """The routes as they stand in this transaction: every endpoint with its open releases, champion first.

    What the models' files ask of requests there, and who may ask by which token. `solo`: whether whoever sits at the
    machine is trusted; it decides what people without a working role may do. Tokens that are over at `now` are left
    out.
    """
    routes = {}
    asked: dict[str, AdmissionRules | None] = {}
    for endpoint in endpoints.list_all(tx):
        if endpoint.model not in asked:
            asked[endpoint.model] = admission.of_model(tx, endpoint.model)
        routes[endpoint.name] = _route(tx, endpoint, asked[endpoint.model])
    return RoutingTable(epoch=epoch(tx), routes=routes, tokens=tokens.routed(tx, now, solo=solo))


def in_service(tx: Transaction, endpoint: str) -> list[ReleaseInfo]:
    """An endpoint's open releases, champion first; the champion's share is what the challengers leave."""
    found = releases.open_ones(tx, endpoint=endpoint)
    given = sum(release.share for release in found if release.role == "challenger")
    left = max(0.0, 1.0 - given)
    return [
        msgspec.structs.replace(release, share=left) if release.role == "champion" else release for release in found
    ]


def champion(tx: Transaction, endpoint: str) -> Release | None:
    """The release that answers at an endpoint, as gateways are told of it; None without a champion."""
    found = next((one for one in in_service(tx, endpoint) if one.role == "champion"), None)
    return as_routed(tx, found) if found is not None else None


def publish(ground: Ground) -> None:
    """Write the table where the gateways read it. Called after every commit that changed the epoch.

    The lock makes it monotone: who comes later reads the database later, so no older table overwrites a newer one.
    """
    folder = ground.settings.folder
    with _lock(folder / "routing" / "table.lock"):
        solo = ground.settings.sign_in == "solo"
        made = ground.database.read(lambda tx: _with_locks(tx, ground, solo=solo))
        published.write_table(folder, made)


def _with_locks(tx: Transaction, ground: Ground, *, solo: bool) -> RoutingTable:
    """The table, and the locks that its releases need beside it."""
    made = table(tx, ground.clock(), solo=solo)
    environments.keep_locks(tx, ground.settings, made)
    return made


def _route(tx: Transaction, endpoint: Endpoint, admission: AdmissionRules | None) -> Route:
    found = []
    for release in in_service(tx, endpoint.name):
        with contextlib.suppress(NotFound):  # a version that was deleted is not routed to
            found.append(as_routed(tx, release))
    fallback = endpoints.fallback(tx, endpoint.name)
    return Route(
        endpoint=endpoint.name,
        model=endpoint.model,
        releases=found,
        admission=admission,
        stopped=[Stopped(version=one.version, reason=one.reason) for one in kills.standing(tx, endpoint=endpoint.name)],
        fallback=fallback,
        lookups=lookups.of_model(tx, endpoint.model),
        spare=_spare(tx, endpoint, fallback.version) if isinstance(fallback, OtherVersion) else None,
        journal=endpoints.journal(tx, endpoint.name),
        slow_us=_slow_us(tx, endpoint.model),
    )


def _slow_us(tx: Transaction, model: str) -> int:
    """After how many microseconds an answer breaks what the model's file promises; 0 when it promises nothing."""
    applied = model_files.current(tx, model)
    promised = applied.file.service if applied else None
    return round(promised.latency_ms * 1000) if promised and promised.latency_ms else 0


def _spare(tx: Transaction, endpoint: Endpoint, version: int) -> Release | None:
    """The version that answers instead of a killed one, as if it were released; None once it may not be loaded."""
    try:
        info = model_versions.get(tx, endpoint.model, version)
    except NotFound:
        return None
    if not info.files or info.state in OUT_OF_SERVICE:
        return None
    return _loaded(tx, info, release_id=f"fallback-{endpoint.name}-{version}", role="fallback", share=0.0)


def as_routed(tx: Transaction, release: ReleaseInfo) -> Release:
    """A release with its version's files, columns and proven form. Raises NotFound when the version was deleted."""
    version = model_versions.get(tx, release.model, release.version)
    return _loaded(tx, version, release_id=release.release_id, role=release.role, share=release.share)


def _loaded(tx: Transaction, version: ModelVersionInfo, *, release_id: str, role: RoutedRole, share: float) -> Release:
    return Release(
        release_id=release_id,
        model=version.name,
        version=version.version,
        role=role,
        share=share,
        location=version.storage_location,
        digest=version.digest or "",
        files=version.files,
        inputs=version.inputs,
        form=forms.released(tx, version.name, version.version, version.digest or ""),
        environment=environments.of_release(tx, version),
    )


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
