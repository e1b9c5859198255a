"""Alerts on one card: what belongs together, what its root may be, what comes first."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from tenure.monitor.incidents import About, causes_of, grouped, is_muted, ranked, stake_of
from tenure.records.alerts import Alert
from tenure.records.base import DAY_US
from tenure.records.incidents import Incident, Mute, Stake
from tenure.records.windows import Interval

from ..web import samples

WEEK = 7 * DAY_US
_numbers = itertools.count()


def alert(monitor: str, subject: str, week: int, *, until: int | None = None, **more: object) -> Alert:
    """Opened by the window of `week`; kept open until the end of the window of `until`."""
    made = samples.make_alert(alert_id=f"{next(_numbers):06d}", monitor=monitor, subject=subject)
    last = week if until is None else until
    evidence = msgspec.structs.replace(made.evidence, window_start_at=last * WEEK, window_end_at=(last + 1) * WEEK)
    return msgspec.structs.replace(made, evidence=evidence, event_at=(week + 1) * WEEK, **more)


def about(**given: object) -> About:
    known = {"model_of": {"flight-delay": "flights"}, "stakes": {}, "mutes": [], "now": 0}
    return About(**{**known, **given})  # type: ignore[arg-type]


def subjects(incidents: list[Incident]) -> list[list[str]]:
    return sorted([cause.subject for cause in one.causes] for one in incidents)


def test_a_column_and_what_follows_from_it_are_one_incident() -> None:
    found = grouped(
        [
            alert("accuracy", "roc_auc", 6),
            alert("drift", "temp", 5, until=6),
            alert("data_quality", "temp", 5, until=6),
        ],
        about(),
    )
    [one] = found
    assert [(cause.subject, cause.monitors) for cause in one.causes] == [
        ("temp", ["data_quality", "drift"]),
        ("roc_auc", ["accuracy"]),
    ]
    assert one.headline == "flights: temp (data quality, drift), and with it roc_auc (accuracy)"
    assert (one.start_at, one.end_at) == (5 * WEEK, 7 * WEEK)


def test_what_does_not_overlap_is_apart_and_a_chain_is_together() -> None:
    chain = [alert("drift", "a", 0, until=2), alert("drift", "b", 2, until=4), alert("drift", "c", 4)]
    assert subjects(grouped([*chain, alert("drift", "d", 5)], about())) == [["a", "b", "c"], ["d"]]


def test_a_long_alert_holds_together_what_lies_within_it() -> None:
    found = grouped([alert("drift", "long", 0, until=9), alert("drift", "x", 1), alert("drift", "y", 5)], about())
    assert subjects(found) == [["long", "x", "y"]]


def test_slow_answers_are_no_cause_of_wrong_ones() -> None:
    assert len(grouped([alert("drift", "temp", 3), alert("latency", "p99", 3)], about())) == 2


def test_models_are_apart_and_endpoints_of_one_model_are_not() -> None:
    alerts = [alert("drift", "temp", 3, endpoint=name) for name in ("eu", "us", "other")]
    found = grouped(alerts, about(model_of={"eu": "flights", "us": "flights", "other": "fraud"}))
    assert sorted(one.endpoints for one in found) == [["eu", "us"], ["other"]]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_order_of_alerts_does_not_matter(order: tuple[int, ...]) -> None:
    alerts = [
        msgspec.structs.replace(one, alert_id=f"x{number}")
        for number, one in enumerate(
            [
                alert("drift", "a", 0, until=2),
                alert("drift", "b", 2),
                alert("accuracy", "auc", 1),
                alert("drift", "c", 7),
            ]
        )
    ]
    expected = grouped(alerts, about())
    assert grouped([alerts[place] for place in order], about()) == expected


def test_causes_stand_upstream_first_then_by_time() -> None:
    found = causes_of([alert("accuracy", "auc", 1), alert("drift", "late", 3), alert("drift", "early", 2)])
    assert [cause.subject for cause in found] == ["early", "late", "auc"]


def test_money_ranks_before_severity_and_an_open_one_before_an_acknowledged_one() -> None:
    def stake(value: float | None) -> Stake:
        per_day = None if value is None else Interval(value=value, low=value - 1, high=value + 1)
        return Stake(predictions_per_day=10, start_at=0, end_at=WEEK, per_day=per_day)

    names = {name: name for name in ("poor", "rich", "loss", "unknown", "seen")}
    stakes = {"poor": stake(5), "rich": stake(900), "loss": stake(-5000), "unknown": stake(None), "seen": stake(1e6)}
    alerts = [
        alert("drift", "a", 0, endpoint="poor"),
        alert("drift", "a", 0, endpoint="rich", severity="note"),
        alert("drift", "a", 0, endpoint="loss"),
        alert("accuracy", "a", 0, endpoint="unknown"),
        alert("drift", "a", 0, endpoint="seen", state="acknowledged"),
    ]
    found = ranked(grouped(alerts, about(model_of=names, stakes=stakes)))
    assert [one.model for one in found] == ["loss", "rich", "poor", "unknown", "seen"]


def test_without_money_severity_ranks_then_traffic() -> None:
    stakes = {name: Stake(predictions_per_day=n, start_at=0, end_at=1) for name, n in (("few", 1), ("many", 9))}
    alerts = [
        alert("drift", "a", 0, endpoint="few", severity="warning"),
        alert("drift", "a", 0, endpoint="many", severity="warning"),
        alert("drift", "a", 0, endpoint="none", severity="critical"),
    ]
    found = ranked(grouped(alerts, about(model_of={}, stakes=stakes)))
    assert [one.model for one in found] == ["none", "many", "few"]


def test_a_muted_incident_stands_last_and_only_while_all_of_it_is_muted() -> None:
    mute = Mute(
        mute_id="m",
        endpoint="flight-delay",
        monitor="drift",
        subject=None,
        reason="-",
        until_at=10,
        muted_by="ann",
        muted_at=0,
    )
    drift, accuracy = alert("drift", "temp", 0), alert("accuracy", "auc", 0)
    assert [one.muted for one in grouped([drift], about(mutes=[mute], now=9))] == [True]
    assert [one.muted for one in grouped([drift], about(mutes=[mute], now=10))] == [False]
    assert [one.muted for one in grouped([drift, accuracy], about(mutes=[mute], now=9))] == [False]
    assert not is_muted(accuracy, [mute], 9)


def test_a_stake_is_value_per_prediction_times_traffic_with_its_interval() -> None:
    windows = list(reversed(samples.make_year(3)))
    made = msgspec.structs.replace(
        windows[0], predictions=700, value_per_prediction=Interval(value=None, low=None, high=None)
    )
    told = msgspec.structs.replace(windows[1], value_per_prediction=Interval(value=2.0, low=-1.0, high=5.0))
    stake = stake_of([made, told])
    assert stake is not None
    assert stake.predictions_per_day == 100
    assert stake.per_day == Interval(value=200.0, low=-100.0, high=500.0)
    assert stake.start_at == told.start_at
    assert stake_of([]) is None
