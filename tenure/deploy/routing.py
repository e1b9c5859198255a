"""What the gateways route by, made from the releases in service and published with a growing epoch."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tenure.build import model_versions
from tenure.deploy import admission
from tenure.errors import NotFound
from tenure.manage import tokens
from tenure.records.admission import AdmissionRules
from tenure.records.base import Instant
from tenure.records.endpoints import ReleaseInfo
from tenure.records.routing import Release, Route, RoutingTable
from tenure.serving import routing as published
from tenure.store import endpoints, forms, releases, settings_kept
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
        route = Route(endpoint=endpoint.name, model=endpoint.model, releases=[], admission=asked[endpoint.model])
        for release in in_service(tx, endpoint.name):
            with contextlib.suppress(NotFound):  # a version that was deleted is not routed to
                route.releases.append(as_routed(tx, release))
        routes[endpoint.name] = route
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
        published.write_table(folder, ground.database.read(lambda tx: table(tx, ground.clock(), solo=solo)))


def as_routed(tx: Transaction, release: ReleaseInfo) -> Release:
    """A release with its version's files, columns and proven form. Raises NotFound when the version was deleted."""
    version = model_versions.get(tx, release.model, release.version)
    return Release(
        release_id=release.release_id,
        model=release.model,
        version=release.version,
        role=release.role,
        share=release.share,
        location=version.storage_location,
        digest=version.digest or "",
        files=version.files,
        inputs=version.inputs,
        form=forms.released(tx, release.model, release.version, version.digest or ""),
    )


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
