"""What the gateway counts of its own service: plain numbers in lists, about half a microsecond a request.

They are put into words only when somebody asks: Prometheus at `/metrics`, or the page of an endpoint through the
gateway's status.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from tenure.records.routing import RoutedRole, ServiceFigures
from tenure.stats.latency_percentiles import bucket_at

OCTAVES = 27  # 2**26 µs are 67 s, longer than a request may take by default
SHARES = 8
BUCKETS = (OCTAVES - 3) * SHARES
BOUNDS_US: list[int] = [
    place + 1 if place < SHARES else (place % SHARES + SHARES + 1) << (place // SHARES - 1) for place in range(BUCKETS)
]
"""Upper bounds of the buckets: eight for each doubling, so that a percentile is right within 12.5 %."""
BOUNDS_S: list[float] = [(1 << (place // 2)) * (0.75, 1.0)[place % 2] / 1e6 for place in range(2 * OCTAVES)]
"""The bounds that Prometheus is told, which are some of those: two for each doubling."""
TOLD: list[int] = [bisect_right(BOUNDS_US, round(bound * 1e6, 3)) for bound in BOUNDS_S]
LATELY_S = 60.0
KEPT = 13
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Served:
    """One release at one endpoint: what it answered since the gateway started.

    `refused`: requests that it was asked and did not answer, by status; `overloaded`: those of them for which too much
    was waiting, which is no fault of the caller.
    """

    __slots__ = (
        "endpoint",
        "latency",
        "latency_us",
        "objective_us",
        "overloaded",
        "past",
        "refused",
        "role",
        "rows",
        "said_bytes",
        "sent_bytes",
        "slow",
        "version",
    )

    def __init__(self, endpoint: str, version: int, role: RoutedRole, objective_us: int = 0) -> None:
        self.endpoint, self.version, self.role = endpoint, version, role
        self.objective_us = objective_us
        self.slow = 0
        self.latency = [0] * BUCKETS
        self.latency_us = 0
        self.rows = 0
        self.sent_bytes = 0
        self.said_bytes = 0
        self.refused: Counter[int] = Counter()
        self.overloaded = 0
        self.past: deque[tuple[float, list[int], int, int, int]] = deque(
            [(time.monotonic(), [0] * BUCKETS, 0, 0, 0)], maxlen=KEPT
        )

    def answered(self, latency_us: int, rows: int, sent_bytes: int, said_bytes: int) -> None:
        self.latency[bucket(latency_us)] += 1
        self.latency_us += latency_us
        self.rows += rows
        self.sent_bytes += sent_bytes
        self.said_bytes += said_bytes
        self.slow += latency_us > self.objective_us

    @property
    def failed(self) -> int:
        """Requests that were lost here by a fault of the server's."""
        return failures(self.refused)

    def remember(self) -> None:
        """Keep how it stands, so that `lately` has something to compare with. Called every few seconds."""
        self.past.append((time.monotonic(), list(self.latency), self.rows, self.sent_bytes, self.said_bytes))


class Figures:
    """Of one gateway: what each release answered, what each endpoint refused, and how many requests are under way.

    `refused`: by endpoint and status, what was refused before a release was asked.
    """

    def __init__(self) -> None:
        self.served: dict[tuple[str, str], Served] = {}
        self.refused: Counter[tuple[str, int]] = Counter()
        self.objectives: Mapping[str, int] = {}
        self.in_flight = 0
        self._remembered_at = time.monotonic()

    def of(self, endpoint: str, release_id: str, version: int, role: RoutedRole) -> Served:
        found = self.served.get((endpoint, release_id))
        if found is None:
            found = self.served[endpoint, release_id] = Served(
                endpoint, version, role, self.objectives.get(endpoint, 0)
            )
        return found

    def refuse(self, endpoint: str, status: int, release_id: str = "", *, overloaded: bool = False) -> None:
        """Count a request that was not answered: by the release that was asked, else by the endpoint."""
        served = self.served.get((endpoint, release_id))
        if served is None:
            self.refused[endpoint, status] += 1
        else:
            served.refused[status] += 1
            served.overloaded += overloaded

    def refusals(self) -> int:
        """Requests that were not answered, whoever was asked."""
        return self.refused.total() + sum(one.refused.total() for one in self.served.values())

    def promise(self, objectives: Mapping[str, int]) -> None:
        """Take up by endpoint, in microseconds, when an answer counts as slow; 0 where nothing is promised."""
        self.objectives = objectives
        for one in self.served.values():
            one.objective_us = objectives.get(one.endpoint, 0)

    def remember(self) -> None:
        """Have every release keep how it stands, every few seconds at most."""
        now = time.monotonic()
        if now < self._remembered_at + LATELY_S / (KEPT - 1):
            return
        self._remembered_at = now
        for one in self.served.values():
            one.remember()


def failures(refused: Mapping[int, int]) -> int:
    """Those of refusals by status that are the server's own fault."""
    return sum(count for status, count in refused.items() if status >= 500)


def bucket(latency_us: int) -> int:
    """Which bucket a latency falls into: eight for each doubling, and below 8 µs one for each microsecond.

    >>> [bucket(one) for one in (0, 1, 7, 8, 9, 15, 16, 17, 18)]
    [0, 1, 7, 8, 9, 15, 16, 16, 17]
    """
    octave = latency_us.bit_length() - 4
    if octave <= 0:
        return latency_us
    return min(octave * SHARES + (latency_us >> octave), BUCKETS - 1)


def as_told(counts: Sequence[int]) -> list[int]:
    """Counts by bucket as Prometheus is told them, by `BOUNDS_S`; what lies beyond the last bound belongs to it."""
    begins = [0, *TOLD[:-1]]
    return [sum(counts[begin:end]) for begin, end in zip(begins, [*TOLD[:-1], BUCKETS], strict=True)]


def percentile_of(counts: Mapping[int, int], share: float) -> tuple[int, int] | None:
    """The bounds, in microseconds, of the bucket in which this share (0–1) of the requests was answered; None without
    any.

    >>> percentile_of({bucket(900): 99, bucket(30_000): 1}, 0.99)
    (896, 960)
    """
    place = bucket_at(counts, share)
    return None if place is None else (BOUNDS_US[place - 1] if place else 0, BOUNDS_US[place])


def percentile_ms(counts: Sequence[int], share: float) -> float | None:
    """The upper bound of the bucket in which this share of the requests was answered, in ms; None without any."""
    found = percentile_of(sparse(counts), share)
    return found[1] / 1000 if found else None


def sparse(counts: Sequence[int]) -> dict[int, int]:
    """Counts by bucket, without the buckets that hold none."""
    return {place: count for place, count in enumerate(counts) if count}


def lately(served: Served, pid: int | None, queue: tuple[float, int] = (0.0, 0)) -> ServiceFigures:
    """How a release served within the last minute or so, and what its process takes now.

    `queue`: seconds that requests waited for that process since it started, and how many they were.
    """
    since, before, rows, sent_bytes, said_bytes = served.past[0]
    counts = [now - then for now, then in zip(served.latency, before, strict=True)]
    usage = process_usage(pid) if pid else None
    return ServiceFigures(
        endpoint=served.endpoint,
        version=served.version,
        role=served.role,
        seconds=time.monotonic() - since,
        requests=sum(counts),
        rows=served.rows - rows,
        errors=served.failed + served.overloaded,
        p50_ms=percentile_ms(counts, 0.5),
        p95_ms=percentile_ms(counts, 0.95),
        p99_ms=percentile_ms(counts, 0.99),
        cpu_s=usage[0] if usage else None,
        rss_bytes=usage[1] if usage else None,
        queue_ms=queue[0] / queue[1] * 1000 if queue[1] else None,
        sent_bytes=served.sent_bytes - sent_bytes,
        said_bytes=served.said_bytes - said_bytes,
    )


def process_usage(pid: int) -> tuple[float, int] | None:
    """CPU seconds and resident bytes of a process; None for one that is gone, and where there is no /proc."""
    try:
        # The command's name stands in brackets and may hold anything, so what counts begins after the last one.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    except (OSError, IndexError):
        return None
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND, resident
