"""Endpoints and releases, as the API tells of them."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from tenure.records.base import Record
from tenure.records.changes import Reason
from tenure.records.journaling import AUDIT, JournalMode
from tenure.records.routing import ReleaseHealth, ReleaseRole, ServiceFigures

EndpointName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class NewEndpoint(Record, forbid_unknown_fields=True):
    name: EndpointName
    model: str


class Endpoint(Record):
    """A name under which one model answers, whichever of its versions is in service."""

    name: str
    model: str
    created_at: int
    created_by: str


class NewRelease(Record, forbid_unknown_fields=True):
    """`share` of the requests: what a challenger answers, and the champion answers the rest; or what is copied to a
    shadow, everything when it is 0."""

    version: int
    role: ReleaseRole
    reason: Annotated[str, Meta(min_length=1)]
    share: Annotated[float, Meta(ge=0, le=1)] = 0.0


class Promotion(Record, forbid_unknown_fields=True):
    """Give a version another role. `share` counts for a challenger only: the part of the traffic that it answers."""

    to: Literal["champion", "challenger"]
    reason: Reason
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.1


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
    """`admissions`: how many requests the gateways flagged, clipped or refused for which reason since they started.

    `unjournaled`: answers that are not in the journal, by why. `service`: how each version served in the last minute.
    """

    name: str
    model: str
    created_at: int
    created_by: str
    scoring_url: str
    epoch: int
    releases: list[ReleaseInfo]
    health: list[ReleaseHealth]
    admissions: dict[str, int] = {}
    journal: JournalMode = AUDIT
    unjournaled: dict[str, int] = {}
    service: list[ServiceFigures] = []
