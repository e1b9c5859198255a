"""How endpoints serve over real time: samples of a minute or an hour, objectives, error budgets, capacity."""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from tenure.records.base import SECOND_US, Record

MINUTE_US = 60 * SECOND_US
ObjectiveKind = Literal["availability", "latency"]
Urgency = Literal["page", "ticket"]
Answers = Literal["", "gateway", "scorer"]
COUNTS = (
    "answered",
    "failed",
    "overloaded",
    "refused",
    "slow",
    "rows",
    "sent_bytes",
    "said_bytes",
    "latency_us",
    "cpu_us",
    "cpu_requests",
)
"""What of samples adds up."""


class ServiceSample(Record):
    """What one gateway counted of one version at one endpoint in `minutes` of the clock from `at` on (µs UTC).

    Every number adds up but `resident_bytes`, the most memory that was seen. What was not answered is `failed` (a
    server's error), `overloaded` (too much was waiting) or `refused` (the caller's own mistake, quotas too); version 0
    stands for what no version was asked. An empty endpoint is the gateway's process itself, with all of its requests
    under `answered`. `slow`: answered later than `objective_us`; 0 there means that nothing was promised. `latency`:
    answered requests by bucket of `serving/figures.py`. `cpu_us` is of the process that computed, and `cpu_requests`
    the requests it is for: fewer than were answered where no process was measured. Times are microseconds.
    """

    gateway: str
    endpoint: str
    version: int
    role: str
    at: int
    minutes: int = 1
    objective_us: int = 0
    answered: int = 0
    failed: int = 0
    overloaded: int = 0
    refused: int = 0
    slow: int = 0
    rows: int = 0
    sent_bytes: int = 0
    said_bytes: int = 0
    latency_us: int = 0
    cpu_us: int = 0
    cpu_requests: int = 0
    resident_bytes: int = 0
    answers: Answers = ""
    latency: dict[int, int] = {}

    def plus(self, other: ServiceSample) -> ServiceSample:
        """Both together, under this one's names."""
        latency = dict(self.latency)
        for bucket, count in other.latency.items():
            latency[bucket] = latency.get(bucket, 0) + count
        return replace(
            self,
            **{name: getattr(self, name) + getattr(other, name) for name in COUNTS},
            resident_bytes=max(self.resident_bytes, other.resident_bytes),
            answers=max(self.answers, other.answers),
            latency=latency,
        )


class Spent(Record):
    """Requests that an objective is about, and those of them that broke it, in a span of the clock."""

    total: int = 0
    bad: int = 0


class Burning(Record):
    """One burn-rate rule: it calls when both the long and the short window burn `factor` times as fast as the budget
    allows, and the long one is proven to burn. 1 spends the budget in exactly its period."""

    urgency: Urgency
    long_minutes: int
    short_minutes: int
    factor: float
    long: Spent
    short: Spent
    long_rate: float
    short_rate: float


class Budget(Record):
    """An objective of the model's file and what is left of its error budget.

    `allowed`: the share of requests that may break it, 0–1. `remaining`: 1 is all of the budget, 0 none, below 0 more
    than all is spent; it is held against the traffic of a whole period as it was lately. `gone_in_hours`: at the rate
    of the last hour; None while nothing burns, 0 when nothing is left. `seen_days`: how much of the period was seen.
    """

    objective: ObjectiveKind
    target: float
    allowed: float
    over_days: int
    latency_ms: float | None
    spent: Spent
    seen_days: float
    remaining: float
    gone_in_hours: float | None
    rules: list[Burning] = []


class ServicePoint(Record):
    """A span of the clock [start_at, end_at) over all gateways and versions; percentiles are None without requests.

    `budgets`: what remained of each objective's budget at its end.
    """

    start_at: int
    end_at: int
    answered: int
    failed: int
    refused: int
    rows: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    budgets: dict[ObjectiveKind, float] = {}


class Percentile(Record):
    """Between which bounds a percentile of latency lies, in milliseconds: the bounds of its bucket."""

    low_ms: float
    high_ms: float


class Full(Record):
    """At how many requests a second one process would be full, by the utilisation law: [low, high], None for a bound
    that cannot be told.

    `cpu_ms`, with its interval at 95 %, is what one request takes of that process; `minutes` the minutes that tell.
    `seen`: the most requests a second that it handled in a minute; `value` beyond that is extrapolated.
    """

    process: Literal["gateway", "scorer"]
    cpu_ms: float
    cpu_low_ms: float
    cpu_high_ms: float
    value: float
    low: float
    high: float | None
    minutes: int
    seen: float


class Capacity(Record):
    """What a version was seen to carry, in its busiest minutes of the last three days, and what that depends on.

    `seen`: requests a second of the busiest minute, by one gateway; `requests`, `p99` and what follows are of the
    busiest minutes together: those with at least half as many. `others`: the share of the gateway's requests then that
    were for other endpoints, or not answered. `words`: all of it in plain sentences.
    """

    version: int
    seen: float
    seen_at: int
    minutes: int
    requests: int
    p99: Percentile | None
    rows_per_request: float
    bytes_per_request: float
    answers: Answers
    gateways: int
    others: float
    journal: str
    full: list[Full] = []
    words: list[str] = []


class Service(Record):
    """How an endpoint serves: what it promises, its series (the earliest first), what it carries."""

    endpoint: str
    budgets: list[Budget]
    series: list[ServicePoint]
    capacity: Capacity | None
