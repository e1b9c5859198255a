"""Samples of the service: stored once, added up, thinned to hours, forgotten."""

from __future__ import annotations

import msgspec

from tenure.records.base import DAY_US, HOUR_US, SECOND_US, Instant
from tenure.records.service_levels import MINUTE_US, ServiceSample
from tenure.store import service_samples
from tenure.store.ground import Ground

NOON = 1_750_001_400_000_000 // HOUR_US * HOUR_US
ALL = 400 * DAY_US


def sample(at: int = NOON, **changes: object) -> ServiceSample:
    made = ServiceSample(
        gateway="gateway a.1",
        endpoint="delay",
        version=1,
        role="champion",
        at=at,
        objective_us=50_000,
        answered=10,
        slow=2,
        rows=20,
        latency={3: 8, 40: 2},
        resident_bytes=100,
        answers="gateway",
    )
    return msgspec.structs.replace(made, **changes)


def test_what_is_stored_again_counts_once(each_ground: Ground) -> None:
    for _ in range(2):
        each_ground.database.write(lambda tx: service_samples.put(tx, [sample(), sample(gateway="gateway b.1")]))
    found = each_ground.database.read(lambda tx: service_samples.between(tx, "delay", NOON, NOON + 1))
    assert found == [sample(), sample(gateway="gateway b.1")]


def test_totals_are_of_the_span_and_latency_of_the_objective(each_ground: Ground) -> None:
    many = [
        sample(),
        sample(version=0, role="", objective_us=0, answered=0, slow=0, failed=2, overloaded=1, refused=7, latency={}),
        sample(NOON + MINUTE_US, objective_us=80_000),
        sample(NOON + 2 * MINUTE_US),
        sample(endpoint="other"),
    ]
    each_ground.database.write(lambda tx: service_samples.put(tx, many))
    with each_ground.database.reading() as tx:
        begins, until = [NOON + 90 * SECOND_US, NOON + MINUTE_US, NOON], NOON + 2 * MINUTE_US
        none, last, some = service_samples.totals(tx, "delay", begins, until, objective_us=50_000)
        unpromised = service_samples.totals(tx, "delay", [NOON], NOON + ALL, objective_us=0)
        took = service_samples.latencies_by(tx, "delay", NOON, NOON + ALL, 2 * MINUTE_US)
        by_two = service_samples.totals_by(tx, "delay", NOON, NOON + ALL, 2 * MINUTE_US, objective_us=50_000)
    assert (some.answered, some.failed, some.refused, some.timed, some.slow) == (20, 3, 7, 10, 2)
    assert some.since == NOON
    assert (last.answered, last.timed, last.since) == (10, 0, NOON + MINUTE_US)
    assert none == service_samples.Totals()
    assert took == {NOON: {3: 16, 40: 4}, NOON + 2 * MINUTE_US: {3: 8, 40: 2}}
    assert (unpromised[0].timed, unpromised[0].slow) == (0, 0)
    assert [(at - NOON, totals.answered) for at, totals in by_two] == [(0, 20), (2 * MINUTE_US, 10)]


def test_old_minutes_become_one_hour_of_all_gateways_and_old_hours_go(each_ground: Ground) -> None:
    now = Instant(NOON + 4 * DAY_US)
    many = [
        sample(),
        sample(NOON + 59 * MINUTE_US, gateway="gateway-2 b.1", resident_bytes=300, answers="scorer"),
        sample(NOON + 61 * MINUTE_US),
        sample(now - DAY_US),
    ]
    write = each_ground.database.write
    write(lambda tx: service_samples.put(tx, many))
    assert write(lambda tx: service_samples.thin(tx, now))
    assert not write(lambda tx: service_samples.thin(tx, now))
    write(lambda tx: service_samples.put(tx, [sample(NOON + MINUTE_US, gateway="gateway c.9")]))  # came late
    assert write(lambda tx: service_samples.thin(tx, now))
    hour, next_hour, minute = each_ground.database.read(lambda tx: service_samples.between(tx, "delay", 0, now))
    assert (hour.at, hour.minutes, hour.gateway, hour.answered, hour.rows) == (NOON, 60, "", 30, 60)
    assert (hour.resident_bytes, hour.answers, hour.latency) == (300, "scorer", {3: 24, 40: 6})
    assert (next_hour.at, next_hour.answered) == (NOON + HOUR_US, 10)
    assert minute == sample(now - DAY_US)
    much_later = Instant(NOON + 91 * DAY_US)
    write(lambda tx: service_samples.thin(tx, much_later))
    left = each_ground.database.read(lambda tx: service_samples.between(tx, "delay", 0, much_later))
    assert [one.minutes for one in left] == [60]
    assert left[0].at == now - DAY_US


def test_thinning_keeps_every_total(each_ground: Ground) -> None:
    now = Instant(NOON + 10 * DAY_US)
    many = [sample(NOON + place * 7 * MINUTE_US, answered=10 + place) for place in range(40)]
    each_ground.database.write(lambda tx: service_samples.put(tx, many))
    before = each_ground.database.read(lambda tx: service_samples.totals(tx, "delay", [NOON], now, objective_us=50_000))
    each_ground.database.write(lambda tx: service_samples.thin(tx, now, most_hours=2))
    each_ground.database.write(lambda tx: service_samples.thin(tx, now))
    after = each_ground.database.read(lambda tx: service_samples.totals(tx, "delay", [NOON], now, objective_us=50_000))
    assert before == after
    assert {
        one.minutes for one in each_ground.database.read(lambda tx: service_samples.between(tx, "delay", 0, now))
    } == {60}
