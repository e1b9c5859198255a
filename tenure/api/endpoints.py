"""Routes about endpoints, what is released at them, and promotion."""

from __future__ import annotations

from typing import Annotated

from litestar import delete, get, post
from litestar.params import Parameter

from tenure.access import ENDPOINT, LISTED, of_model
from tenure.build import registered_models
from tenure.deploy import endpoints, environments, promotions, releases, routing
from tenure.manage import facts
from tenure.records.endpoints import EndpointInfo, NewEndpoint, NewRelease, Promotion, ReleaseInfo
from tenure.records.people import Permission, Principal
from tenure.store.ground import Ground


@get("/api/v1/endpoints", permission=Permission.READ, subject=LISTED, sync_to_thread=True)
def list_endpoints(ground: Ground, principal: Principal) -> list[EndpointInfo]:
    """Every endpoint with its releases in service and their health."""
    every = ground.database.read(lambda tx: endpoints.describe_all(tx, ground.settings))
    return [one for one in every if principal.may(Permission.READ, one.model)]


@post("/api/v1/endpoints", permission=Permission.MANAGE, subject=of_model("model", place="body"), sync_to_thread=True)
def create_endpoint(ground: Ground, principal: Principal, data: NewEndpoint) -> EndpointInfo:
    """Make an endpoint for a model; its champion, if it has one, answers at once."""
    now = ground.clock()
    champion = ground.database.read(lambda tx: registered_models.aliases(tx, data.model).get("champion"))
    if champion is not None:
        environments.settle(ground, data.model, champion, now=now)
    ground.database.write(lambda tx: endpoints.create(tx, data, by=principal.name, now=now))
    routing.publish(ground)
    return ground.database.read(lambda tx: endpoints.describe(tx, data.name, ground.settings))


@get("/api/v1/endpoints/{name:str}", permission=Permission.READ, subject=ENDPOINT, sync_to_thread=True)
def get_endpoint(ground: Ground, name: str) -> EndpointInfo:
    """One endpoint."""
    return ground.database.read(lambda tx: endpoints.describe(tx, name, ground.settings))


@post("/api/v1/endpoints/{name:str}/releases", permission=Permission.MANAGE, subject=ENDPOINT, sync_to_thread=True)
def add_release(ground: Ground, principal: Principal, name: str, data: NewRelease) -> ReleaseInfo:
    """Put a version into service as challenger or shadow."""
    now = ground.clock()
    model = ground.database.read(lambda tx: releases.found(tx, name)).model
    facts.require_intact(ground, model, data.version)
    environments.settle(ground, model, data.version, now=now)
    release = ground.database.write(lambda tx: releases.add(tx, name, data, by=principal.name, now=now))
    routing.publish(ground)
    return release


@delete(
    "/api/v1/endpoints/{name:str}/releases/{release_id:str}",
    permission=Permission.MANAGE,
    subject=ENDPOINT,
    status_code=200,
    sync_to_thread=True,
)
def end_release(
    ground: Ground,
    principal: Principal,
    name: str,
    release_id: str,
    reason: Annotated[str, Parameter(min_length=3, max_length=2000)],
) -> ReleaseInfo:
    """Take a challenger or a shadow out of service, with a reason."""
    now = ground.clock()
    ended = ground.database.write(
        lambda tx: releases.end(tx, name, release_id, reason=reason, by=principal.name, now=now)
    )
    routing.publish(ground)
    return ended


@post(
    "/api/v1/models/{model:str}/versions/{version:int}/promote",
    permission=Permission.MANAGE,
    subject=of_model("model"),
    status_code=200,
    sync_to_thread=True,
)
def promote(ground: Ground, principal: Principal, model: str, version: int, data: Promotion) -> list[EndpointInfo]:
    """Make a version champion or challenger of its model; answers the model's endpoints as they are then."""
    now = ground.clock()
    facts.require_intact(ground, model, version)
    environments.settle(ground, model, version, now=now)
    ground.database.write(
        lambda tx: promotions.promote(
            tx, model, version, to=data.to, reason=data.reason, by=principal.name, now=now, share=data.share
        )
    )
    routing.publish(ground)
    every = ground.database.read(lambda tx: endpoints.describe_all(tx, ground.settings))
    return [endpoint for endpoint in every if endpoint.model == model]


handlers = [list_endpoints, create_endpoint, get_endpoint, add_release, end_release, promote]
