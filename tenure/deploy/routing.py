"""What the gateways route by, made from the releases in service and published with a growing epoch."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tenure.build import model_versions
from tenure.errors import NotFound
from tenure.records.endpoints import ReleaseInfo
from tenure.records.routing import Release, Route, RoutingTable
from tenure.serving import routing as published
from tenure.store import endpoints, releases, settings_kept
from tenure.store.database import Transaction
from tenure.store.ground import Ground

EPOCH = "routing_epoch"


def bump(tx: Transaction) -> int:
    """Count the routing epoch up: every transaction that changes what answers where does so before it commits."""
    return settings_kept.count_up(tx, EPOCH)


def epoch(tx: Transaction) -> int:
    return int(settings_kept.get(tx, EPOCH) or 0)


def table(tx: Transaction) -> RoutingTable:
    """The routes as they stand in this transaction: every endpoint with its open releases, champion first."""
    known = endpoints.list_all(tx)
    routes = {endpoint.name: Route(endpoint=endpoint.name, model=endpoint.model, releases=[]) for endpoint in known}
    for release in releases.open_ones(tx):
        with contextlib.suppress(NotFound):  # a version that was deleted is not routed to
            routes[release.endpoint].releases.append(_release(tx, release))
    return RoutingTable(epoch=epoch(tx), routes={name: _shared_out(route) for name, route in routes.items()})


def publish(ground: Ground) -> None:
    """Write the table where the gateways read it. Called after every commit that changed the epoch.

    The lock makes it monotone: who comes later reads the database later, so no older table overwrites a newer one.
    """
    folder = ground.settings.folder
    with _lock(folder / "routing" / "table.lock"):
        published.write_table(folder, ground.database.read(table))


def _release(tx: Transaction, release: ReleaseInfo) -> Release:
    version = model_versions.get(tx, release.model, release.version)
    return Release(
        release_id=release.release_id,
        model=release.model,
        version=release.version,
        role=release.role,
        share=release.share,
        location=version.folder or "",
        digest=version.digest or "",
        files=version.files,
        inputs=version.inputs,
    )


def _shared_out(route: Route) -> Route:
    """The champion answers what the challengers leave."""
    given = sum(release.share for release in route.releases if release.role == "challenger")
    shares = {"champion": max(0.0, 1.0 - given), "shadow": 0.0}
    shared = [
        msgspec.structs.replace(release, share=shares.get(release.role, release.share)) for release in route.releases
    ]
    return msgspec.structs.replace(route, releases=shared)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
