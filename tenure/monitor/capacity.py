"""What an endpoint was seen to carry, at which latency, when one process would be full, and what that depends on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from msgspec.structs import replace

from tenure.records.base import DAY_US, HOUR_US, Instant, moment_of
from tenure.records.service_levels import Capacity, Full, Percentile, ServiceSample
from tenure.serving.figures import percentile_of
from tenure.stats import capacity
from tenure.store import endpoints, service_samples
from tenure.store.database import Transaction

MOST_MINUTES = 30
BUSY = 0.5
A_MINUTE_S = 60
EXTRAPOLATED = 1.2
BY = {"gateway": "by the gateway itself, without a process of its own", "scorer": "by a scorer process"}
JOURNALED = {"audit": "every answer is journaled first", "sample": "a sample is journaled"}
Key = tuple[str, int]


class Busy(NamedTuple):
    """A minute of one gateway: what a version answered there, and what the gateway's process did in all."""

    at: int
    sample: ServiceSample
    own: ServiceSample | None


def of(tx: Transaction, endpoint: str, now: Instant) -> Capacity | None:
    """What the champion was seen to carry in the last three days; None while no minute tells."""
    since = now - service_samples.MINUTES_KEPT_DAYS * DAY_US
    version = service_samples.latest_version(tx, endpoint, since)
    if version is None:
        return None
    busy = service_samples.busiest(tx, endpoint, version, since, MOST_MINUTES)
    own = service_samples.of_processes(tx, {one.at for one in busy})
    gateways = service_samples.gateways(tx, now - HOUR_US)
    return stated(busy, own, journal=endpoints.journal(tx, endpoint).mode, gateways=max(len(gateways), 1))


def stated(samples: Sequence[ServiceSample], own: Iterable[ServiceSample], *, journal: str, gateways: int) -> Capacity:
    """The statement, from a version's busiest minutes, one at least, and what gateways' processes did then. Pure."""
    ours, theirs = _by_minute(samples), _by_minute(own)
    ranked = sorted(ours.items(), key=lambda item: (-item[1].answered, item[0]))
    most = ranked[0][1].answered
    busy = [Busy(key[1], one, theirs.get(key)) for key, one in ranked if one.answered >= most * BUSY]
    return _worded(_measured(ranked[0][1].version, busy, journal, gateways=gateways))


def _measured(version: int, busy: Sequence[Busy], journal: str, *, gateways: int) -> Capacity:
    requests = sum(one.sample.answered for one in busy)
    handled = sum(one.own.answered for one in busy if one.own)
    ours = sum(one.sample.answered for one in busy if one.own)
    fulls = (_full("scorer", [one.sample for one in busy]), _full("gateway", [one.own for one in busy if one.own]))
    return Capacity(
        version=version,
        seen=busy[0].sample.answered / A_MINUTE_S,
        seen_at=busy[0].at,
        minutes=len(busy),
        requests=requests,
        p99=_p99([one.sample for one in busy]),
        rows_per_request=sum(one.sample.rows for one in busy) / requests,
        bytes_per_request=sum(one.sample.sent_bytes for one in busy) / requests,
        answers=busy[0].sample.answers,
        gateways=gateways,
        others=1 - min(ours / handled, 1.0) if handled else 0.0,
        journal=journal,
        full=[one for one in fulls if one is not None],
    )


def _full(process: Literal["gateway", "scorer"], samples: Sequence[ServiceSample]) -> Full | None:
    told = [(one.cpu_requests, one.cpu_us) for one in samples if one.cpu_requests]
    cpu = capacity.cpu_of_request(told)
    at = capacity.full_at(cpu) if cpu else None
    if cpu is None or at is None:
        return None
    return Full(
        process=process,
        cpu_ms=cpu.value / 1000,
        cpu_low_ms=cpu.low / 1000,
        cpu_high_ms=cpu.high / 1000,
        value=at.value,
        low=at.low,
        high=None if math.isinf(at.high) else at.high,
        minutes=len(told),
        seen=max(requests for requests, _ in told) / A_MINUTE_S,
    )


def _p99(samples: Sequence[ServiceSample]) -> Percentile | None:
    latency: dict[int, int] = {}
    for one in samples:
        for bucket, count in one.latency.items():
            latency[bucket] = latency.get(bucket, 0) + count
    found = percentile_of(latency, 0.99)
    return Percentile(low_ms=found[0] / 1000, high_ms=found[1] / 1000) if found else None


def _worded(made: Capacity) -> Capacity:
    return replace(made, words=[_seen(made), *_full_said(made), _depends(made)])


def _seen(made: Capacity) -> str:
    p99 = f", p99 lay between {made.p99.low_ms:.3g} and {made.p99.high_ms:.3g} ms" if made.p99 else ""
    over = "In that minute alone" if made.minutes == 1 else f"Over the {made.minutes} busiest minutes"
    return (
        f"Seen up to {_rate(made.seen)} requests a second in one gateway, in the minute from "
        f"{_minute(made.seen_at)}, for version {made.version}. {over}, {made.requests:,} requests{p99}."
    )


def _full_said(made: Capacity) -> list[str]:
    if made.full:
        return [_full_words(one) for one in made.full]
    return [
        f"When a process is full cannot be told: that takes {capacity.LEAST_MINUTES} busy minutes in which its CPU was "
        "measured."
    ]


def _full_words(full: Full) -> str:
    named = "the gateway's process" if full.process == "gateway" else "the version's scorer process"
    high = f"{_rate(full.high)}" if full.high is not None else "more than can be told"
    told = (
        f"A request takes {full.cpu_ms:.3g} ms ({full.cpu_low_ms:.3g} to {full.cpu_high_ms:.3g}) of the CPU of "
        f"{named}, so one such process is full at about {_rate(full.value)} requests a second ({_rate(full.low)} to "
        f"{high}; 95 %, {full.minutes} minutes), where CPU is the limit"
    )
    times = full.value / full.seen
    if times > EXTRAPOLATED:
        return (
            f"{told}. It was seen at {_rate(full.seen)} at most: {times:,.3g} times as much is extrapolated and no "
            "promise, and answers become slow before a process is full."
        )
    return f"{told}. It was seen at {_rate(full.seen)}."


def _depends(made: Capacity) -> str:
    journaled = JOURNALED.get(made.journal, "answers leave whatever the journal takes")
    others = f", of whose requests {made.others:.0%} were others" if made.others >= 0.01 else ""
    gateways = "one gateway" if made.gateways == 1 else f"{made.gateways} gateways"
    rows = "1 row" if made.rows_per_request == 1 else f"{made.rows_per_request:.3g} rows"
    return (
        f"It depends on {rows} and {made.bytes_per_request:,.0f} bytes a request, answered "
        f"{BY.get(made.answers, 'in a way that is not known')}; {gateways}{others}; now {journaled}. What runs beside "
        "on the machine is not known here."
    )


def _by_minute(samples: Iterable[ServiceSample]) -> dict[Key, ServiceSample]:
    """One sample for each gateway and minute. A gateway is named before the run that counted."""
    found: dict[Key, ServiceSample] = {}
    for one in samples:
        key = one.gateway.partition(" ")[0], one.at
        found[key] = found[key].plus(one) if key in found else one
    return found


def _minute(at: int) -> str:
    """
    >>> _minute(1_749_957_600_000_000)
    '15 Jun 2025, 03:20 UTC'
    """
    moment = moment_of(at)
    return f"{moment.day} {moment:%b %Y, %H:%M} UTC"


def _rate(a_second: float) -> str:
    """
    >>> [_rate(n) for n in (0.0333, 41.23, 2345.6)]
    ['0.033', '41', '2,346']
    """
    return f"{a_second:,.0f}" if a_second >= 10 else f"{a_second:.2g}"
