"""The route about how an endpoint serves: objectives and their budgets, the series, what it carries."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.params import Parameter

from tenure.access import ENDPOINT
from tenure.monitor import service_series
from tenure.records.people import Permission
from tenure.records.service_levels import Service
from tenure.store.ground import Ground


@get("/api/v1/endpoints/{name:str}/service", permission=Permission.READ, subject=ENDPOINT, sync_to_thread=True)
def get_service(
    name: str, ground: Ground, hours: Annotated[int, Parameter(ge=1, le=service_series.MOST_HOURS)] = 24
) -> Service:
    """Error budgets with their burn rates, requests and latency over the last `hours`, and what a gateway carries."""
    return ground.database.read(lambda tx: service_series.service(tx, name, hours, ground.clock()))


handlers = [get_service]
