"""What the gateway routes by: an immutable table, replaced as a whole when its epoch changes."""

from __future__ import annotations

from typing import Any, Literal

from tenure.records.admission import AdmissionRules
from tenure.records.base import Record
from tenure.records.journaling import AUDIT, JournalMode
from tenure.records.kills import Fallback, Stopped
from tenure.records.lookups import LookupRule
from tenure.records.people import Principal

ReleaseRole = Literal["champion", "challenger", "shadow"]
RoutedRole = Literal["champion", "challenger", "shadow", "fallback"]
"""What a version may answer as. `fallback`: instead of a killed one; it is no release and competes with nothing."""


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
    `environment` is the digest of the environment that was locked for it; empty when it runs in the server's.
    """

    release_id: str
    model: str
    version: int
    role: RoutedRole
    share: float
    location: str
    digest: str
    files: list[PinnedFile]
    inputs: list[InputColumn]
    form: ReleaseForm | None = None
    environment: str = ""


class Route(Record):
    """An endpoint and what answers there, champion first.

    `admission`: what the model's file asks of requests. `stopped`: what is killed here. `fallback`: what is answered
    instead, and `spare` the version that does so, if it is one. `lookups`: features that are filled from tables.
    `journal`: how answers are journaled. `slow_us`: later than this an answer breaks the objective of latency; 0 when
    none is promised.
    """

    endpoint: str
    model: str
    releases: list[Release]
    admission: AdmissionRules | None = None
    stopped: list[Stopped] = []
    fallback: Fallback | None = None
    spare: Release | None = None
    journal: JournalMode = AUDIT
    lookups: list[LookupRule] = []
    slow_us: int = 0


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
    role: RoutedRole
    state: Literal["starting", "serving", "failed"]
    detail: str = ""


class ServiceFigures(Record):
    """How a version served at an endpoint in the last `seconds`; latencies in milliseconds, None without a request.

    CPU seconds and memory are those of the version's own process, as it is now; None where the gateway answers itself.
    `queue_ms`: how long a request waited for that process on average, since it started. Bytes of bodies (`sent`) and of
    answers (`said`) are of the last `seconds`, as rows are.
    """

    endpoint: str
    version: int
    role: RoutedRole
    seconds: float
    requests: int
    rows: int
    errors: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    cpu_s: float | None
    rss_bytes: int | None
    queue_ms: float | None = None
    sent_bytes: int = 0
    said_bytes: int = 0


class GatewayStatus(Record):
    """What one gateway says about itself: the epoch it routes by, how its releases are, and how many requests it did
    not simply admit since it started, by endpoint and what became of them.

    `unjournaled`: answers that are not in the journal, by endpoint and why. `service`: how each version served lately.
    """

    gateway: str
    pid: int
    epoch: int
    releases: list[ReleaseHealth]
    written_at: int
    admissions: dict[str, dict[str, int]] = {}
    unjournaled: dict[str, dict[str, int]] = {}
    service: list[ServiceFigures] = []
