"""The series of a service: what came in each span, and what was left of the budget at its end."""

from __future__ import annotations

import pytest

from tenure.errors import NotFound
from tenure.monitor import service_levels, service_series
from tenure.records.base import DAY_US, HOUR_US, SECOND_US, Instant
from tenure.records.service_levels import MINUTE_US
from tenure.store import service_samples
from tenure.store.database import Transaction
from tenure.store.ground import Ground

from .served import ENDPOINT, put_minutes
from .test_burning import NOON, look, promise, promising, standing  # noqa: F401  one is a fixture

NOW = Instant(NOON + 10 * SECOND_US)


def test_spans_add_up_to_what_came(promising: Ground) -> None:  # noqa: F811
    promising.database.write(lambda tx: put_minutes(tx, NOON, [(60, 1)] * 600, slow=3))
    with promising.database.reading() as tx:
        told = service_series.service(tx, ENDPOINT, 24, NOW)
    assert sum(point.answered for point in told.series) == 600 * 60
    assert sum(point.failed for point in told.series) == 600
    assert len(told.series) == 60
    assert {point.end_at - point.start_at for point in told.series} == {10 * MINUTE_US}
    assert told.series[0].p50_ms == pytest.approx(5.0, rel=0.125)
    assert told.series[0].p99_ms == pytest.approx(80, rel=0.125)
    assert told.series[-1].end_at == NOON


def test_the_last_point_of_a_budget_is_the_budget(promising: Ground) -> None:  # noqa: F811
    promising.database.write(lambda tx: put_minutes(tx, NOON, [(60, 1)] * 600, slow=3))
    with promising.database.reading() as tx:
        told = service_series.service(tx, ENDPOINT, 24, NOW)
    assert told.series[-1].budgets == pytest.approx({one.objective: one.remaining for one in told.budgets})
    left = [point.budgets["availability"] for point in told.series]
    assert left == sorted(left, reverse=True)


def test_what_is_older_than_the_period_is_forgiven(promising: Ground) -> None:  # noqa: F811
    long_ago = NOON - 30 * DAY_US - 2 * HOUR_US

    def put(tx: Transaction) -> None:
        put_minutes(tx, long_ago, [(0, 1000)] * 10)
        put_minutes(tx, NOON, [(100, 0)] * 10)

    promising.database.write(put)
    [availability, _] = promising.database.read(lambda tx: service_levels.budgets(tx, ENDPOINT, NOW))
    assert (availability.spent.bad, availability.remaining) == (0, 1.0)


def test_an_alert_is_drawn_by_the_rates_that_led_to_it(promising: Ground) -> None:  # noqa: F811
    promising.database.write(lambda tx: put_minutes(tx, NOON, [(100, 0)] * 150 + [(80, 20)] * 30))
    look(promising, NOON)
    fast = standing(promising)["slo_availability", "fast burn"]
    told = promising.database.read(lambda tx: service_series.burnt(tx, fast))
    assert (told.measure, told.threshold) == ("availability_burn_rate", fast.evidence.threshold)
    assert [one.end_at for one in told.points] == [NOON - step * 5 * MINUTE_US for step in range(24, -1, -1)]
    assert {one.end_at - one.start_at for one in told.points} == {5 * MINUTE_US}
    values = [one.value for one in told.points]
    assert values[:19] == [0.0] * 19
    assert values[19:] == pytest.approx([step * 5 * 20 / 6000 / 0.001 for step in range(1, 7)])
    assert values[-1] == fast.evidence.value


def test_an_alert_of_three_days_is_drawn_by_hours(promising: Ground) -> None:  # noqa: F811
    promising.database.write(lambda tx: put_minutes(tx, NOON, [(997, 3)] * (5 * 24 * 60)))
    promising.database.write(lambda tx: service_samples.thin(tx, NOW, most_hours=200))
    look(promising, NOON)
    slow = standing(promising)["slo_availability", "slow burn"]
    told = promising.database.read(lambda tx: service_series.burnt(tx, slow))
    assert len(told.points) == 20  # the earlier ones end before there was a request
    assert [one.value for one in told.points] == pytest.approx([3.0] * 20)


def test_an_alert_about_what_is_promised_no_longer_is_told_by_its_own_figure(promising: Ground) -> None:  # noqa: F811
    promising.database.write(lambda tx: put_minutes(tx, NOON, [(60, 40)] * 60))
    look(promising, NOON)
    fast = standing(promising)["slo_availability", "fast burn"]
    promise(promising, None)
    told = promising.database.read(lambda tx: service_series.burnt(tx, fast))
    assert [one.value for one in told.points] == [fast.evidence.value]


@pytest.mark.parametrize("hours", [1, 24, 72, 24 * 90])
def test_no_series_is_longer_than_can_be_drawn(promising: Ground, hours: int) -> None:  # noqa: F811
    promising.database.write(lambda tx: put_minutes(tx, NOON, [(1, 0)] * 4500))
    promising.database.write(lambda tx: service_samples.thin(tx, NOW))
    series = promising.database.read(lambda tx: service_series.series(tx, ENDPOINT, hours, NOW))
    assert len(series) <= service_series.MOST_POINTS + 1
    assert sum(point.answered for point in series) <= 4500


def test_an_endpoint_that_is_not_there_is_not_found(promising: Ground) -> None:  # noqa: F811
    with pytest.raises(NotFound), promising.database.reading() as tx:
        service_series.service(tx, "nobody", 24, NOW)
