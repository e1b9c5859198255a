"""Windows are judged when their time has passed, and again when something of theirs came late."""

from __future__ import annotations

import numpy as np
import pytest

from tenure.errors import Conflict
from tenure.monitor import alerts, progress, report, windows
from tenure.records.base import DAY_US
from tenure.records.model_files import Alerts, AtLeast, ModelFile, Monitors
from tenure.records.windows import Window
from tenure.store import audit

from .year import ENDPOINT, MODEL, START, Traffic, ids, profile_of

VALUE = "case when action and y then 12.0 when action then -2.0 when y then -6.0 else 0 end"


def file_with(**given: object) -> ModelFile:
    return ModelFile(model=MODEL, purpose="Warn travellers", owner="ann", **given)  # type: ignore[arg-type]


def days(
    traffic: Traffic,
    first: int,
    last: int,
    *,
    skill: float = 2.0,
    shift: float = 0.0,
    rows: int = 300,
    version: int = 1,
) -> None:
    """A request each day, its outcomes told at once; `skill` is how far apart the scores of yes and no lie."""
    rng = np.random.default_rng(abs(first) * 1000 + abs(last))
    for day in range(first, last):
        y = (rng.random(rows) < 0.25).astype(float)
        score = 1 / (1 + np.exp(-(rng.normal(size=rows) + skill * (y - 0.5))))
        made = traffic.predict(
            score=score.tolist(),
            columns={
                "temp": (rng.normal(size=rows) + shift).tolist(),
                "carrier": rng.choice(["AA", "UA"], rows).tolist(),
            },
            event_at=START + day * DAY_US,
            version=version,
        )
        traffic.tell(ids(made), y.tolist(), START + (day + 1) * DAY_US)


def baseline(traffic: Traffic, version: int = 1) -> None:
    rng = np.random.default_rng(1)
    profile = profile_of({"temp": rng.normal(size=5000), "carrier": rng.choice(["AA", "UA"], 5000).tolist()})
    traffic.keep_profile(profile, version)


def found(traffic: Traffic, **given: object) -> list[Window]:
    with traffic.ground.database.reading() as tx:
        return windows.search(tx, ENDPOINT, **given)  # type: ignore[arg-type]


def open_alerts(traffic: Traffic) -> dict[tuple[str, str], str]:
    with traffic.ground.database.reading() as tx:
        return {(one.monitor, one.subject): one.state for one in alerts.search(tx, endpoint=ENDPOINT)}


def test_a_window_is_judged_when_a_later_prediction_has_come(traffic: Traffic) -> None:
    traffic.apply(file_with(value=VALUE))
    baseline(traffic)
    days(traffic, 0, 7)
    traffic.look()
    traffic.judge()
    assert found(traffic) == []
    assert progress.of(traffic.ground, ENDPOINT).monitored_until == START
    days(traffic, 7, 8)
    traffic.look()
    traffic.judge()
    [window] = found(traffic)
    assert (window.start_at, window.end_at) == (START, START + 7 * DAY_US)
    assert (window.predictions, window.outcomes, window.maturity) == (2100, 2100, 1.0)
    assert not window.provisional
    assert window.drift_state == "ok"
    assert window.value.value is not None
    assert window.confusion is not None
    assert window.latency_p50_ms == 1.5
    assert progress.of(traffic.ground, ENDPOINT).monitored_until == START + 7 * DAY_US


def test_late_outcomes_have_only_their_window_judged_again(traffic: Traffic) -> None:
    rng = np.random.default_rng(0)
    made = [traffic.predict(score=rng.random(100).tolist(), event_at=START + day * DAY_US) for day in range(15)]
    traffic.look()
    traffic.judge()
    before = {window.start_at: window for window in found(traffic)}
    assert [window.provisional for window in before.values()] == [True, True]
    traffic.tell(ids(made[2]), [1.0] * 100)
    traffic.look()
    held_back = progress.of(traffic.ground, ENDPOINT).monitored_until
    assert held_back == START
    traffic.judge()
    after = {window.start_at: window for window in found(traffic)}
    assert after[START].outcomes == 100
    assert after[START + 7 * DAY_US] == before[START + 7 * DAY_US]
    assert progress.of(traffic.ground, ENDPOINT).monitored_until == START + 14 * DAY_US


def test_drift_fires_once_is_acknowledged_and_resolved_by_a_later_window(traffic: Traffic) -> None:
    traffic.apply(file_with())
    baseline(traffic)
    days(traffic, 0, 7)
    days(traffic, 7, 21, shift=1.5)
    days(traffic, 21, 29)
    traffic.look()
    traffic.judge()
    with traffic.ground.database.reading() as tx:
        [alert] = alerts.search(tx, endpoint=ENDPOINT)
        told = [event.action for event in audit.search(tx, subject=f"endpoints/{ENDPOINT}", action="alert.")]
    assert (alert.monitor, alert.subject, alert.state) == ("drift", "temp", "resolved")
    assert alert.event_at == START + 14 * DAY_US
    assert alert.resolved_event_at == START + 28 * DAY_US
    assert told == ["alert.resolved", "alert.opened"]
    assert "'temp'" in alert.message


def test_after_an_alert_was_resolved_the_same_breach_waits_for_its_cooldown(traffic: Traffic) -> None:
    traffic.apply(file_with(alerts=Alerts(cooldown="10d")))
    baseline(traffic)
    for first, shift in ((0, 1.5), (7, 0.0), (14, 1.5), (21, 1.5)):
        days(traffic, first, first + 7, shift=shift)
    days(traffic, 28, 29)
    traffic.look()
    traffic.judge()
    with traffic.ground.database.reading() as tx:
        found = alerts.search(tx, endpoint=ENDPOINT)
    assert [(one.state, (one.event_at - START) // DAY_US) for one in found] == [("firing", 28), ("resolved", 7)]


def test_only_a_firing_alert_can_be_acknowledged(traffic: Traffic) -> None:
    traffic.apply(file_with())
    baseline(traffic)
    days(traffic, 0, 8, shift=1.5)
    traffic.look()
    traffic.judge()
    with traffic.ground.database.reading() as tx:
        [alert] = alerts.search(tx, state="firing")
    acknowledge = {"reason": "winter", "by": "ann", "now": traffic.now()}
    traffic.ground.database.write(lambda tx: alerts.acknowledge(tx, alert.alert_id, **acknowledge))
    assert open_alerts(traffic) == {("drift", "temp"): "acknowledged"}
    with pytest.raises(Conflict):
        traffic.ground.database.write(lambda tx: alerts.acknowledge(tx, alert.alert_id, **acknowledge))


def test_lost_accuracy_is_pending_while_outcomes_are_missing_and_then_fires(traffic: Traffic) -> None:
    traffic.apply(file_with(monitors=Monitors(accuracy=AtLeast(at_least=0.8, min_outcomes=500))))
    rng = np.random.default_rng(3)
    made = [traffic.predict(score=rng.random(200).tolist(), event_at=START + day * DAY_US) for day in range(8)]
    told = [(rng.random(200) < 0.3).astype(float).tolist() for _ in made]
    for one, values in zip(made[:5], told[:5], strict=True):
        traffic.tell(ids(one), values)
    traffic.look()
    traffic.judge()
    assert open_alerts(traffic) == {("accuracy", "roc_auc"): "pending"}
    for one, values in zip(made[5:], told[5:], strict=True):
        traffic.tell(ids(one), values)
    traffic.look()
    traffic.judge()
    assert open_alerts(traffic) == {("accuracy", "roc_auc"): "firing"}


def test_trailing_windows_are_added_until_there_are_outcomes_enough(traffic: Traffic) -> None:
    traffic.apply(file_with(monitors=Monitors(accuracy=AtLeast(at_least=0.6, min_outcomes=1000))))
    days(traffic, 0, 22, rows=60)
    traffic.look()
    traffic.judge()
    latest, middle, first = found(traffic)
    assert [one.accuracy_state for one in (first, middle, latest)] == ["not_enough_data", "not_enough_data", "ok"]
    assert latest.judged_outcomes == 3 * 7 * 60
    assert latest.outcomes == 7 * 60


def test_a_new_champion_is_judged_by_its_own_baseline(traffic: Traffic) -> None:
    traffic.apply(file_with())
    baseline(traffic)
    rng = np.random.default_rng(1)
    moved = profile_of({"temp": rng.normal(size=5000) + 1.5, "carrier": rng.choice(["AA", "UA"], 5000).tolist()})
    traffic.keep_profile(moved, 2)
    days(traffic, 0, 7, shift=1.5)
    days(traffic, 7, 15, shift=1.5, version=2)
    traffic.look()
    traffic.judge()
    assert {window.version: window.drift_state for window in found(traffic)} == {1: "breach", 2: "ok"}


def test_without_file_and_baseline_a_window_says_what_it_cannot_tell(traffic: Traffic) -> None:
    days(traffic, 0, 8)
    traffic.look()
    traffic.judge()
    [window] = found(traffic)
    assert (window.drift_state, window.accuracy_state, window.value.value) == (
        "not_enough_data",
        "not_enough_data",
        None,
    )
    assert window.roc_auc.value is not None


def test_a_broken_expression_leaves_the_rest_of_the_window_standing(traffic: Traffic) -> None:
    traffic.apply(file_with(value="no_such_column * 2"))
    days(traffic, 0, 8)
    traffic.look()
    traffic.judge()
    [window] = found(traffic)
    assert window.value.value is None
    assert window.confusion is not None


def test_a_year_without_traffic_is_passed_over_at_once(traffic: Traffic) -> None:
    days(traffic, 0, 1)
    days(traffic, 4000, 4001)
    traffic.look()
    traffic.judge()
    assert len(found(traffic)) == 1
    assert progress.of(traffic.ground, ENDPOINT).monitored_until == START + 4000 // 7 * 7 * DAY_US


def test_another_window_width_begins_where_the_last_window_ended(traffic: Traffic) -> None:
    traffic.apply(file_with())
    days(traffic, 0, 8)
    traffic.look()
    traffic.judge()
    traffic.apply(file_with(monitors=Monitors(window_days=2)))
    days(traffic, 8, 12)
    traffic.look()
    traffic.judge()
    spans = [((one.start_at - START) // DAY_US, (one.end_at - START) // DAY_US) for one in found(traffic)]
    assert spans == [(9, 11), (7, 9), (0, 7)]


def test_predictions_from_before_the_first_get_windows_too(traffic: Traffic) -> None:
    days(traffic, 0, 8)
    traffic.look()
    traffic.judge()
    days(traffic, -3, -2)
    traffic.look()
    traffic.judge()
    assert [(one.start_at - START) // DAY_US for one in found(traffic)] == [0, -7]


def test_the_report_tells_of_each_month(traffic: Traffic) -> None:
    traffic.apply(file_with(value=VALUE))
    baseline(traffic)
    days(traffic, 0, 20, shift=1.5)
    days(traffic, 30, 40, version=2)
    traffic.look()
    traffic.judge()
    february, march = report.by_month(traffic.ground, ENDPOINT)
    assert (february.predictions, february.outcomes, february.versions) == (6000, 6000, [1])
    assert (march.predictions, march.versions) == (3000, [2])
    assert february.alerts == 1
    assert february.value is not None
    assert february.roc_auc.value is not None
    assert 0.85 < february.roc_auc.value < 0.95


def test_the_drift_of_a_part_of_a_window_is_shown_but_not_judged(traffic: Traffic) -> None:
    """What was promoted on the fourth day must not alarm because the first three days are missing."""
    traffic.apply(file_with())
    baseline(traffic)
    baseline(traffic, 2)
    days(traffic, 0, 3, shift=1.5)
    days(traffic, 3, 8, shift=1.5, version=2)
    traffic.look()
    traffic.judge()
    parts = found(traffic)
    assert {window.version: window.drift_state for window in parts} == {1: "not_enough_data", 2: "not_enough_data"}
    assert all(column.psi > 0.5 for window in parts for column in window.drift if column.column == "temp")
    assert open_alerts(traffic) == {}
