"""Endpoints and releases, as the API tells of them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tenure.records.base import Record
from tenure.records.routing import ReleaseHealth, ReleaseRole

EndpointName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class NewEndpoint(Record, forbid_unknown_fields=True):
    name: EndpointName
    model: str


class NewRelease(Record, forbid_unknown_fields=True):
    """`share` counts for a challenger only; the champion answers the rest."""

    version: int
    role: ReleaseRole
    reason: Annotated[str, Meta(min_length=1)]
    share: Annotated[float, Meta(ge=0, le=1)] = 0.0


class ReleaseInfo(Record):
    release_id: str
    endpoint: str
    model: str
    version: int
    role: ReleaseRole
    share: float
    reason: str
    released_by: str
    from_at: int
    until_at: int | None


class EndpointInfo(Record):
    name: str
    model: str
    created_at: int
    created_by: str
    scoring_url: str
    epoch: int
    releases: list[ReleaseInfo]
    health: list[ReleaseHealth]
