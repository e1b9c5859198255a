"""Burn-rate alarms: who is woken by what, by the clock, and how seldom by chance."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
from scipy import stats

from tenure.manage import model_files
from tenure.monitor import alerts, burning, service_levels
from tenure.monitor.service_levels import RULES
from tenure.records.alerts import Alert
from tenure.records.base import HOUR_US, SECOND_US, Instant
from tenure.records.model_files import ModelFile, Service
from tenure.records.service_levels import MINUTE_US, Burning, Spent
from tenure.store import service_samples
from tenure.store.ground import Ground

from .served import minute, put_minutes
from .year import MODEL, Traffic

ENDPOINT = "flight-delay"
NOON = 1_750_001_400_000_000 // HOUR_US * HOUR_US
PROMISED = Service(availability=0.999, latency_ms=50, latency_share=0.99)


@pytest.fixture
def promising(ground: Ground) -> Iterator[Ground]:
    traffic = Traffic(ground)
    promise(ground, PROMISED)
    yield ground
    traffic.close()


def promise(ground: Ground, service: Service | None) -> None:
    file = ModelFile(model=MODEL, purpose="Warn travellers", owner="ann", service=service)
    ground.database.write(lambda tx: model_files.apply(tx, file, by="ann", now=Instant(NOON)))


def look(ground: Ground, until: int) -> bool:
    return burning.look(ground, Instant(until + 10 * SECOND_US))


def put(ground: Ground, until: int, *counts: tuple[int, int], **more: int) -> None:
    ground.database.write(lambda tx: put_minutes(tx, until, counts, **more))


def standing(ground: Ground) -> dict[tuple[str, str], Alert]:
    found = ground.database.read(lambda tx: alerts.search(tx, endpoint=ENDPOINT))
    return {(one.monitor, one.subject): one for one in found}


def test_an_outage_wakes_and_is_over_once_the_last_minutes_are_clean(promising: Ground) -> None:
    put(promising, NOON, *[(100, 0)] * 300, *[(60, 40)] * 10)
    assert look(promising, NOON)
    fast = standing(promising)["slo_availability", "fast burn"]
    assert (fast.state, fast.severity) == ("firing", "critical")
    assert fast.evidence.window_end_at - fast.evidence.window_start_at == HOUR_US
    assert (fast.evidence.measure, fast.evidence.n_window) == ("availability_burn_rate", 6000)
    assert fast.evidence.value == pytest.approx(400 / 6000 / 0.001)
    assert "400 of 6,000 requests of the last hour were not answered" in fast.message
    assert "99.9 % of requests over 30 days" in fast.message
    put(promising, NOON + 4 * MINUTE_US, *[(100, 0)] * 4)
    look(promising, NOON + 4 * MINUTE_US)
    assert standing(promising)["slo_availability", "fast burn"].state == "firing"
    put(promising, NOON + 40 * MINUTE_US, *[(100, 0)] * 36)
    look(promising, NOON + 40 * MINUTE_US)
    assert standing(promising)["slo_availability", "fast burn"].state == "resolved"


def test_what_people_acknowledged_stays_so_while_it_burns(promising: Ground) -> None:
    put(promising, NOON, *[(60, 40)] * 10)
    look(promising, NOON)
    fast = standing(promising)["slo_availability", "fast burn"]
    promising.database.write(
        lambda tx: alerts.acknowledge(tx, fast.alert_id, reason="I look", by="ann", now=Instant(NOON))
    )
    put(promising, NOON + MINUTE_US, (60, 40))
    look(promising, NOON + MINUTE_US)
    after = standing(promising)["slo_availability", "fast burn"]
    assert (after.alert_id, after.state, after.evidence.n_window) == (fast.alert_id, "acknowledged", 1100)


def test_one_failure_of_three_is_no_alarm(promising: Ground) -> None:
    put(promising, NOON, (2, 1))
    assert not look(promising, NOON)
    assert standing(promising) == {}
    [availability, _] = promising.database.read(
        lambda tx: service_levels.budgets(tx, ENDPOINT, Instant(NOON + 10 * SECOND_US))
    )
    assert availability.rules[0].long_rate > 300
    assert availability.remaining > 0.5


def test_a_slow_leak_is_a_ticket(promising: Ground) -> None:
    hours = [(99_700, 300)] * (72 * 60)  # three times as fast as it lasts, for three days
    put(promising, NOON, *[(997, 3)] * len(hours))
    look(promising, NOON)
    found = standing(promising)
    assert set(found) == {("slo_availability", "slow burn")}
    slow = found["slo_availability", "slow burn"]
    assert slow.severity == "warning"
    assert slow.evidence.value == pytest.approx(3.0)
    assert "30 % of it is spent" in slow.message
    assert "the rest is gone in 7.0 days" in slow.message


def test_slow_answers_burn_the_budget_of_latency_alone(promising: Ground) -> None:
    put(promising, NOON, *[(100, 0)] * 60, slow=30)
    look(promising, NOON)
    assert set(standing(promising)) == {("slo_latency", "fast burn"), ("slo_latency", "slow burn")}
    assert "within 50 ms" in standing(promising)["slo_latency", "fast burn"].message


def test_refusals_that_are_the_callers_own_break_nothing(promising: Ground) -> None:
    put(promising, NOON, *[(10, 0)] * 60, refused=1000)
    assert not look(promising, NOON)


def test_overload_counts_as_not_answered(promising: Ground) -> None:
    put(promising, NOON, *[(60, 0)] * 60, overloaded=40)
    look(promising, NOON)
    assert ("slo_availability", "fast burn") in standing(promising)


def test_a_promise_that_was_taken_back_ends_its_alarms(promising: Ground) -> None:
    put(promising, NOON, *[(60, 40)] * 60)
    look(promising, NOON)
    promise(promising, None)
    look(promising, NOON + MINUTE_US)
    assert {one.state for one in standing(promising).values()} == {"resolved"}


def test_slow_by_another_promise_does_not_count(promising: Ground) -> None:
    put(promising, NOON, *[(100, 0)] * 60, slow=30, objective_us=10_000)
    assert not look(promising, NOON)


def test_the_watcher_looks_once_a_minute_and_takes_files_in(promising: Ground) -> None:
    watcher = burning.Watcher()
    folder = promising.settings.folder / "service"
    folder.mkdir()
    outage = [minute(NOON - place * MINUTE_US, 60, 40) for place in range(1, 20)]
    (folder / "gateway-a-0.json").write_bytes(msgspec.json.encode(outage))
    (folder / "gateway-a-1.json").write_text("no samples")
    at = Instant(NOON + 2 * SECOND_US)
    assert watcher.look_due(promising, at)
    assert standing(promising) == {}, "the last minute may still be under way"
    assert [path.name for path in folder.iterdir()] == ["gateway-a-1.unreadable"]
    assert watcher.look_due(promising, Instant(NOON + 6 * SECOND_US))
    [first] = [one for one in standing(promising).values() if one.subject == "fast burn"]
    assert not watcher.look_due(promising, Instant(NOON + 7 * SECOND_US))
    assert first.evidence.window_end_at == NOON


@pytest.mark.parametrize("rule", RULES)
def test_both_windows_must_burn(rule: service_levels.Rule) -> None:
    factor, many = rule.factor(30), 1_000_000
    hot, cool = Spent(total=many, bad=round(many * 0.001 * factor * 1.01)), Spent(total=many, bad=100)

    def calls(long: Spent, short: Spent, *, is_open: bool = False) -> bool:
        made = Burning(
            urgency=rule.urgency,
            long_minutes=rule.long_minutes,
            short_minutes=rule.short_minutes,
            factor=factor,
            long=long,
            short=short,
            long_rate=long.bad / long.total / 0.001,
            short_rate=short.bad / short.total / 0.001,
        )
        return burning.burns(made, 0.001, is_open=is_open)

    assert calls(hot, hot) == (rule.budget_share < 0.1 or burning.is_proven(hot, 0.001))
    assert not calls(cool, hot)
    assert not calls(hot, cool)
    assert calls(cool, hot, is_open=True)
    assert not calls(cool, cool, is_open=True)


def test_proof_is_the_exact_binomial_tail() -> None:
    level = burning._level()
    assert level == pytest.approx(0.01 / (365.25 * 1440 * 6))
    for total in (3, 50, 1_000, 100_000):
        for allowed in (0.001, 0.05):
            for bad in range(min(total, 40) + 1):
                tail = stats.binom.sf(bad - 1, total, allowed)
                assert burning.is_proven(Spent(total=total, bad=bad), allowed) == (tail < level)


def test_a_service_that_keeps_its_promise_calls_no_one(promising: Ground) -> None:
    """Thirty days of looks at every minute, at exactly the share that is allowed: the budget of chance is 1 in 100
    years, so that none is what must be seen."""
    rng = np.random.default_rng(11)
    failed = np.concatenate([[0], np.cumsum(rng.binomial(40, 0.001, 30 * 1440))])
    total = np.arange(len(failed)) * 40
    called = 0
    for rule in RULES:
        ends = np.arange(rule.long_minutes, len(failed))
        bad = failed[ends] - failed[ends - rule.long_minutes]
        requests = total[ends] - total[ends - rule.long_minutes]
        worst = int(bad.max())
        called += burning.is_proven(Spent(total=int(requests[0]), bad=worst), 0.001)
    assert called == 0


def test_minutes_are_forgotten_no_sooner_than_windows_need_them(promising: Ground) -> None:
    now = Instant(NOON + 17 * MINUTE_US)
    put(promising, int(now), *[(99, 1)] * (73 * 60))
    before = promising.database.read(lambda tx: service_levels.budgets(tx, ENDPOINT, now))
    promising.database.write(lambda tx: service_samples.thin(tx, now, most_hours=500))
    after = promising.database.read(lambda tx: service_levels.budgets(tx, ENDPOINT, now))
    assert [one.rules for one in after] == [one.rules for one in before]
    assert before[0].rules[2].long.total == 4320 * 100
