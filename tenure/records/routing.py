"""What the gateway routes by: an immutable table, replaced as a whole when its epoch changes."""

from __future__ import annotations

from typing import Any, Literal

from tenure.records.admission import AdmissionRules
from tenure.records.base import Record
from tenure.records.people import Principal

ReleaseRole = Literal["champion", "challenger", "shadow"]


class InputColumn(Record):
    """One column that a version takes.

    `type` is MLflow's name of it: double, float, long, integer, string, boolean or datetime.
    """

    name: str
    type: str
    required: bool = True


class PinnedFile(Record):
    path: str
    size_bytes: int
    sha256: str


class ReleaseForm(Record):
    """A form that was proven to answer as the version does: its files, by digest, and the rows to try it with.

    `probe` holds a few rows as columns, `answers` what the version itself said to them, within `tolerance`.
    """

    kind: str
    location: str
    digest: str
    files: list[PinnedFile]
    probe: dict[str, list[Any]]
    answers: list[Any]
    tolerance: float


class Release(Record):
    """A version in service at an endpoint: `share` of the traffic for champion and challenger, 0–1.

    `form` is what the gateway may answer with by itself, when one was proven.
    """

    release_id: str
    model: str
    version: int
    role: ReleaseRole
    share: float
    location: str
    digest: str
    files: list[PinnedFile]
    inputs: list[InputColumn]
    form: ReleaseForm | None = None


class Route(Record):
    """An endpoint and what answers there, champion first. `admission`: what the model's file asks of requests."""

    endpoint: str
    model: str
    releases: list[Release]
    admission: AdmissionRules | None = None


class RoutedToken(Record):
    """Who shows a token, and until when it is good."""

    principal: Principal
    expires_at: int


class RoutingTable(Record):
    """`tokens`: who may score by which token, by the SHA-256 of the token in hex."""

    epoch: int
    routes: dict[str, Route]
    tokens: dict[str, RoutedToken] = {}


class ReleaseHealth(Record):
    release_id: str
    endpoint: str
    version: int
    role: ReleaseRole
    state: Literal["starting", "serving", "failed"]
    detail: str = ""


class GatewayStatus(Record):
    """What one gateway says about itself: the epoch it routes by, how its releases are, and how many requests it did
    not simply admit since it started, by endpoint and what became of them."""

    gateway: str
    pid: int
    epoch: int
    releases: list[ReleaseHealth]
    written_at: int
    admissions: dict[str, dict[str, int]] = {}
