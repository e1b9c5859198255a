"""Endpoints: the names under which models answer."""

from __future__ import annotations

from collections import Counter

from tenure.build import registered_models
from tenure.deploy import releases, routing
from tenure.errors import AlreadyExists
from tenure.records.base import Instant
from tenure.records.endpoints import Endpoint, EndpointInfo, NewEndpoint, NewRelease
from tenure.records.routing import GatewayStatus
from tenure.serving import routing as published
from tenure.settings import Settings
from tenure.store import audit, endpoints, model_files
from tenure.store import releases as kept
from tenure.store.database import Transaction


def create(tx: Transaction, new: NewEndpoint, *, by: str, now: Instant) -> Endpoint:
    """Make an endpoint for a registered model. When the model has a champion, it answers there at once, unless the
    model's file asks people to sign for a deployment: then the endpoint waits for that change.

    Raises AlreadyExists for a name that is taken, NotFound for a model that is not registered, and GateNotMet when the
    champion of a model under governance is not approved.
    """
    taken = endpoints.get(tx, new.name)
    if taken is not None:
        raise AlreadyExists(
            f"The name of an endpoint must be new. {new.name!r} answers for the model {taken.model!r} already.",
            where="name",
        )
    registered_models.get(tx, new.model)
    endpoints.add(tx, new.name, new.model, by=by, now=now)
    routing.bump(tx)
    audit.append(tx, "endpoint.created", subject=new.name, by=by, at=now, detail={"model": new.model})
    made = releases.found(tx, new.name)
    champion = registered_models.aliases(tx, new.model).get("champion")
    applied = model_files.current(tx, new.model)
    if champion is not None and not (applied and applied.file.deployment):
        reason = "the model's champion when the endpoint was made"
        release = NewRelease(version=champion, role="champion", reason=reason)
        releases.record(tx, made, release, by=by, now=now)
        releases.start(tx, made, release, by=by, now=now)
    return made


def get(tx: Transaction, name: str) -> Endpoint:
    """The endpoint of that name. Raises NotFound."""
    return releases.found(tx, name)


def champion_version(tx: Transaction, name: str) -> int | None:
    """The version that answers at an endpoint; None while nothing does."""
    for release in kept.open_ones(tx, endpoint=name):
        if release.role == "champion":
            return release.version
    return None


def describe(tx: Transaction, name: str, settings: Settings) -> EndpointInfo:
    """An endpoint with its releases in service and what the gateways say of their health."""
    return _info(tx, get(tx, name), settings, published.read_statuses(settings.folder))


def describe_all(tx: Transaction, settings: Settings) -> list[EndpointInfo]:
    """Every endpoint by name, as `describe` tells of one."""
    statuses = published.read_statuses(settings.folder)
    return [_info(tx, endpoint, settings, statuses) for endpoint in endpoints.list_all(tx)]


def _info(tx: Transaction, endpoint: Endpoint, settings: Settings, statuses: list[GatewayStatus]) -> EndpointInfo:
    counted: Counter[str] = Counter()
    unjournaled: Counter[str] = Counter()
    for status in statuses:
        counted.update(status.admissions.get(endpoint.name, {}))
        unjournaled.update(status.unjournaled.get(endpoint.name, {}))
    return EndpointInfo(
        name=endpoint.name,
        model=endpoint.model,
        created_at=endpoint.created_at,
        created_by=endpoint.created_by,
        scoring_url=f"{settings.shown_scoring_url}/endpoints/{endpoint.name}/invocations",
        epoch=routing.epoch(tx),
        releases=routing.in_service(tx, endpoint.name),
        health=[one for status in statuses for one in status.releases if one.endpoint == endpoint.name],
        admissions=dict(counted.most_common()),
        journal=endpoints.journal(tx, endpoint.name),
        unjournaled=dict(unjournaled.most_common()),
        service=[one for status in statuses for one in status.service if one.endpoint == endpoint.name],
    )
