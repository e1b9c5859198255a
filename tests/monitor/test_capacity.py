"""What is said of a gateway's capacity: from the busiest minutes, with an interval, and never as a promise."""

from __future__ import annotations

import msgspec
import pytest

from tenure.monitor import capacity
from tenure.records.base import SECOND_US, Instant
from tenure.records.service_levels import MINUTE_US, ServiceSample
from tenure.store import service_samples
from tenure.store.ground import Ground

from .served import ENDPOINT, minute
from .test_burning import NOON, promising  # noqa: F401  a fixture


def own(at: int, handled: int, cpu_us: int, **more: object) -> ServiceSample:
    made = minute(at, handled, endpoint="", version=0, role="", cpu_us=cpu_us, cpu_requests=handled)
    return msgspec.structs.replace(made, **more)


def minutes(count: int) -> list[int]:
    return [NOON + place * MINUTE_US for place in range(count)]


def test_a_gateway_is_full_where_its_cpu_is() -> None:
    at = minutes(8)
    samples = [minute(one, 600 + place, ms=4.0) for place, one in enumerate(at)]
    processes = [own(one, 1200, 600_000 + (-1) ** place * 1000) for place, one in enumerate(at)]
    told = capacity.stated(samples, processes, journal="audit", gateways=2)
    assert (told.seen, told.seen_at, told.minutes) == (607 / 60, at[7], 8)
    assert told.others == pytest.approx(0.5, abs=0.01)
    [full] = told.full
    assert (full.process, full.minutes, full.seen) == ("gateway", 8, 20.0)
    assert full.cpu_ms == pytest.approx(0.5)
    assert full.value == pytest.approx(2000)
    assert full.low < full.value < (full.high or 0)
    assert told.p99 is not None
    assert told.p99.low_ms <= 4.0 < told.p99.high_ms
    seen, extrapolated, depends = told.words
    assert seen.startswith("Seen up to 10 requests a second in one gateway")
    assert "100 times as much is extrapolated and no promise" in extrapolated
    assert "2 gateways, of whose requests 50% were others" in depends
    assert "depends on 1 row and 100 bytes a request" in depends


def test_a_process_that_was_nearly_full_is_not_extrapolated() -> None:
    samples = [minute(one, 6000, answers="scorer", cpu_us=57_000_000, cpu_requests=6000) for one in minutes(6)]
    told = capacity.stated(samples, [], journal="sample", gateways=1)
    assert told.full[0].process == "scorer"
    assert told.full[0].value == pytest.approx(6000 / 57)
    assert "extrapolated" not in " ".join(told.words)
    assert "by a scorer process" in told.words[-1]


def test_few_minutes_say_what_was_seen_and_not_when_it_is_full() -> None:
    told = capacity.stated([minute(one, 10) for one in minutes(4)], [], journal="audit", gateways=1)
    assert told.full == []
    assert "Over the 4 busiest minutes, 40 requests" in told.words[0]
    assert "cannot be told" in told.words[1]
    alone = capacity.stated([minute(NOON, 10)], [], journal="audit", gateways=1)
    assert "In that minute alone, 10 requests" in alone.words[0]


def test_quiet_minutes_do_not_count_as_busy() -> None:
    told = capacity.stated(
        [minute(one, 1000 if one == NOON else 499) for one in minutes(9)], [], journal="", gateways=1
    )
    assert told.minutes == 1


def test_two_gateways_are_two_minutes(promising: Ground) -> None:  # noqa: F811
    both = [
        sample
        for one in minutes(6)
        for name in ("gateway a.1", "gateway-2 b.1")
        for sample in (minute(one, 300, gateway=name), own(one, 300, 150_000, gateway=name))
    ]
    older = [minute(NOON - MINUTE_US, 9999, version=7), minute(NOON, 9999, role="challenger", version=9)]
    promising.database.write(lambda tx: service_samples.put(tx, [*both, *older]))
    told = promising.database.read(lambda tx: capacity.of(tx, ENDPOINT, Instant(NOON + 600 * SECOND_US)))
    assert told is not None
    assert (told.version, told.seen, told.gateways, told.minutes) == (1, 5.0, 2, 12)
    assert promising.database.read(lambda tx: capacity.of(tx, "other", Instant(NOON))) is None


def test_a_version_that_failed_at_everything_was_seen_to_carry_nothing(promising: Ground) -> None:  # noqa: F811
    failing = [minute(one, 0, 30, latency={}, version=2) for one in minutes(3)]
    promising.database.write(lambda tx: service_samples.put(tx, failing))
    now = Instant(NOON + 600 * SECOND_US)
    assert promising.database.read(lambda tx: capacity.of(tx, ENDPOINT, now)) is None
    promising.database.write(lambda tx: service_samples.put(tx, [minute(NOON - MINUTE_US, 60, version=1)]))
    told = promising.database.read(lambda tx: capacity.of(tx, ENDPOINT, now))
    assert told is not None
    assert told.version == 1
