"""What a gateway counted, as samples of single minutes: put down as files, which the worker takes into the database.

Nothing is counted here: once a minute the counters of `serving/figures.py` are held against what they were a minute
ago. A gateway that is killed loses what it counted since the last full minute.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from tenure.errors import TenureError
from tenure.records.base import SECOND_US, Instant, new_id
from tenure.records.service_levels import MINUTE_US, ServiceSample
from tenure.serving import routing
from tenure.serving.figures import Figures, Served, process_usage, sparse

log = logging.getLogger("tenure.gateway")
MOST_WAITING = 10_000
"""Samples that wait for a disk that takes none; the oldest are dropped."""

UNANSWERED = ("failed", "overloaded", "refused")

Pids = Mapping[tuple[str, str], int]
"""The process that computes for a release at an endpoint, where that is not the gateway's own."""


class Stood(NamedTuple):
    """A release's counters as they stood."""

    latency: list[int]
    latency_us: int
    rows: int
    sent_bytes: int
    said_bytes: int
    slow: int
    failed: int
    overloaded: int
    refused: int


NOTHING = Stood([], 0, 0, 0, 0, 0, 0, 0, 0)


class Sampler:
    """The samples of one gateway. `run` tells this process from those before it, since their counts add up."""

    def __init__(self, folder: Path, name: str, now: Instant) -> None:
        self._spool = folder / "service"
        self._run = f"{name} {new_id(now)}"
        self._since = now // MINUTE_US * MINUTE_US
        self._stood: dict[tuple[str, str], Stood] = {}
        self._refused: Counter[tuple[str, int]] = Counter()
        self._cpu_us: dict[int, int] = {}
        self._waiting: list[ServiceSample] = []
        self._made = 0
        self._usage(os.getpid())

    def keep(self, figures: Figures, pids: Pids, now: Instant) -> None:
        """When a minute has passed, put down what was counted in it; a full disk is logged and stops nothing."""
        if not self._since <= now < self._since + MINUTE_US:
            self.cut(figures, pids)
            self.write()
            self._since = now // MINUTE_US * MINUTE_US

    def cut(self, figures: Figures, pids: Pids) -> None:
        """Make samples of what was counted until now. Also called before other objectives hold.

        What came since the minute's end, a second at most, belongs to it.
        """
        served = list(self._served(figures, pids))
        self._waiting += [*served, *self._unanswered(figures), *self._own(figures, served)]
        self._waiting = self._waiting[-MOST_WAITING:]
        self._refused = figures.refused.copy()
        self._stood = {key: _stood(one) for key, one in figures.served.items()}

    def write(self) -> None:
        """Put down what waits. Each file is told apart in its samples, so that one read twice counts once."""
        if not self._waiting:
            return
        whole = [msgspec.structs.replace(one, gateway=f"{self._run}.{self._made}") for one in _merged(self._waiting)]
        try:
            path = self._spool / f"{self._run.replace(' ', '-')}-{self._made:08d}.json"
            routing.write_whole(path, msgspec.json.encode(whole))
        except TenureError as problem:
            log.warning("what was counted of the service is not kept yet: %s", problem.message)
            return
        self._made += 1
        self._waiting = []

    def _served(self, figures: Figures, pids: Pids) -> Iterator[ServiceSample]:
        shares = self._shares_of_cpu(figures, pids)
        for key, one in figures.served.items():
            was, stands = self._stood.get(key, NOTHING), _stood(one)
            latency = [now - then for now, then in zip(one.latency, was.latency or [0] * len(one.latency), strict=True)]
            answered = sum(latency)
            unanswered = {name: getattr(stands, name) - getattr(was, name) for name in UNANSWERED}
            if not answered and not any(unanswered.values()):
                continue
            cpu = shares.get(key)
            yield ServiceSample(
                gateway=self._run,
                endpoint=one.endpoint,
                version=one.version,
                role=one.role,
                at=self._since,
                objective_us=one.objective_us,
                answered=answered,
                **unanswered,
                slow=one.slow - was.slow if one.objective_us else 0,
                rows=one.rows - was.rows,
                sent_bytes=one.sent_bytes - was.sent_bytes,
                said_bytes=one.said_bytes - was.said_bytes,
                latency_us=one.latency_us - was.latency_us,
                cpu_us=cpu[0] if cpu else 0,
                cpu_requests=answered if cpu else 0,
                resident_bytes=cpu[1] if cpu else 0,
                answers="scorer" if key in pids else "gateway",
                latency=sparse(latency),
            )

    def _shares_of_cpu(self, figures: Figures, pids: Pids) -> dict[tuple[str, str], tuple[int, int]]:
        """CPU (µs) of this minute and memory of the process behind each release. Releases that share a process share
        its CPU by their rows."""
        rows = {
            key: figures.served[key].rows - self._stood.get(key, NOTHING).rows for key in pids if key in figures.served
        }
        shares: dict[tuple[str, str], tuple[int, int]] = {}
        for pid in sorted({pids[key] for key in rows}):
            used = self._usage(pid)
            together = {key: count for key, count in rows.items() if pids[key] == pid}
            total = sum(together.values())
            if used is not None and total:
                shares |= {key: (used[0] * count // total, used[1]) for key, count in together.items()}
        return shares

    def _unanswered(self, figures: Figures) -> Iterator[ServiceSample]:
        failed, refused = Counter[str](), Counter[str]()
        for (name, status), count in figures.refused.items():
            (failed if status >= 500 else refused)[name] += count - self._refused[name, status]
        for name in sorted((failed | refused).keys() - {""}):
            yield ServiceSample(
                gateway=self._run,
                endpoint=name,
                version=0,
                role="",
                at=self._since,
                failed=failed[name],
                refused=refused[name],
            )

    def _own(self, figures: Figures, served: Iterable[ServiceSample]) -> Iterator[ServiceSample]:
        """The gateway's process itself: all requests that it handled, whatever became of them."""
        refused = figures.refused.total() - self._refused.total()
        handled = sum(one.answered + one.failed + one.overloaded + one.refused for one in served) + refused
        used = self._usage(os.getpid())
        if handled:
            yield ServiceSample(
                gateway=self._run,
                endpoint="",
                version=0,
                role="",
                at=self._since,
                answered=handled,
                cpu_us=used[0] if used else 0,
                cpu_requests=handled if used else 0,
                resident_bytes=used[1] if used else 0,
                answers="gateway",
            )

    def _usage(self, pid: int) -> tuple[int, int] | None:
        """CPU (µs) that a process took since it was looked at last, and its memory; None at the first look."""
        usage = process_usage(pid)
        if usage is None:
            return None
        cpu_us, before = round(usage[0] * SECOND_US), self._cpu_us.get(pid)
        self._cpu_us[pid] = cpu_us
        return None if before is None else (max(cpu_us - before, 0), usage[1])


def _merged(samples: Iterable[ServiceSample]) -> list[ServiceSample]:
    """One sample for each minute, endpoint, version, role and objective: a minute may have been cut."""
    found: dict[tuple[object, ...], ServiceSample] = {}
    for one in samples:
        key = (one.at, one.endpoint, one.version, one.role, one.objective_us)
        found[key] = found[key].plus(one) if key in found else one
    return list(found.values())


def _stood(one: Served) -> Stood:
    failed, refused = one.failed, one.refused.total()
    return Stood(
        list(one.latency),
        one.latency_us,
        one.rows,
        one.sent_bytes,
        one.said_bytes,
        one.slow,
        failed,
        one.overloaded,
        refused - failed - one.overloaded,
    )
