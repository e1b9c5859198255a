"""Detectors take matured rows once and in their order, fire on harm alone, and begin again once acknowledged."""

from __future__ import annotations

import sys

import msgspec
import numpy as np
import pytest

from tenure.monitor import alerts, harm, losses
from tenure.monitor.harm import Cohort, Watching
from tenure.monitor.judging import Judgeable
from tenure.records.alerts import Alert
from tenure.records.base import DAY_US
from tenure.records.harm import Detector, Reference
from tenure.records.model_files import Harm, ModelFile, Monitors
from tenure.records.profiles import Judged
from tenure.records.windows import Window
from tenure.stats import detectors as stats
from tenure.store import detectors
from tenure.store.ground import Ground

from .test_judging import judged, rows_of
from .test_watch import VALUE, baseline, days, file_with
from .year import ENDPOINT, MODEL, START, Traffic, ids, profile_of

WEEK = 7 * DAY_US


def window_at(week: int, rows: int) -> Window:
    made = judged(rows_of(np.full(4, 0.5), [0, 1, 0, 1]))
    start = START + week * WEEK
    return msgspec.structs.replace(made, start_at=start, end_at=start + WEEK, predictions=rows)


def week_of(week: int, lost: np.ndarray, name: str = "error") -> Cohort:
    """A week of losses, evenly over its days."""
    at = START + week * WEEK + np.arange(len(lost)) * (WEEK // max(len(lost), 1))
    return Cohort(window_at(week, len(lost)), at, {name: lost})  # type: ignore[dict-item]


def watching(monitors: Monitors | None = None, **given: object) -> Watching:
    return Watching(monitors or Monitors(), Harm(**given), None, 1)  # type: ignore[arg-type]


def detector_of(name: str = "error") -> Detector:
    return Detector(endpoint=ENDPOINT, model=MODEL, version=1, detector=name)  # type: ignore[arg-type]


def errors(rate: float, rows: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random(rows) < rate).astype(float)


def after_weeks(rates: list[float], rows: int = 3000) -> list[Detector]:
    detector, found = detector_of(), []
    for week, rate in enumerate(rates):
        detector, _ = harm.advanced(detector, week_of(week, errors(rate, rows, week)), watching())
        found.append(detector)
    return found


def test_a_detector_learns_what_is_usual_then_watches_then_fires() -> None:
    states = [one.state for one in after_weeks([0.1, 0.1, 0.1, 0.2, 0.2])]
    assert states == ["watching", "watching", "watching", "firing", "firing"]


def test_an_alarm_says_since_when_and_how_much_worse() -> None:
    [*_, found] = after_weeks([0.1, 0.1, 0.1, 0.2])
    assert found.alarm is not None
    assert found.reference is not None
    assert abs(found.alarm.began_at - (START + 3 * WEEK)) < DAY_US
    assert found.alarm.low <= found.alarm.mean <= found.alarm.high
    assert found.alarm.low > found.reference.mu0
    assert found.alarm.statistic >= found.alarm.threshold == found.run_length
    _, said = harm.advanced(found, week_of(4, errors(0.2, 100)), watching())
    assert said is not None
    assert said.breach
    assert "share of wrong actions" in said.message
    assert "2013-02-2" in said.message


def test_what_gets_better_or_little_worse_is_no_harm() -> None:
    assert {one.state for one in after_weeks([0.1] + [0.05] * 6)} == {"watching"}
    assert {one.state for one in after_weeks([0.1] + [0.102] * 6)} == {"watching"}


def test_the_budget_of_time_is_a_run_length_by_the_traffic() -> None:
    """12,000 rows in 4 weeks; 4 monitors and 1 detector share 4 false alerts a year."""
    [*_, found] = after_weeks([0.1] * 4)
    assert found.run_length == pytest.approx(12_000 / 28 * 365.25 * 4 / 4)


def test_windows_in_parts_are_as_one() -> None:
    """What is kept between windows is enough: the statistic is that of all rows in one go."""
    [*_, found] = after_weeks([0.1] * 5)
    assert found.reference is not None
    bets = stats.bets_on(found.reference.mu0, found.reference.deviation)
    whole, _ = stats.follow(stats.Track(), np.concatenate([errors(0.1, 3000, week) for week in range(1, 5)]), bets)
    if found.design_effect == 1:
        np.testing.assert_allclose(found.memory.m, whole.m, rtol=1e-9)
    assert (found.memory.rows, found.memory.total) == (whole.rows, whole.total)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Detector) == found


def test_days_that_share_their_luck_are_no_harm() -> None:
    """Every fifth day is stormy and has four times the errors; over the weeks nothing changes."""
    rng, fired = np.random.default_rng(3), 0
    for _ in range(12):
        detector = detector_of()
        for week in range(12):
            storm = np.repeat(rng.random(7) < 0.2, 400)
            lost = (rng.random(2800) < np.where(storm, 0.32, 0.08)).astype(float)
            detector, _ = harm.advanced(detector, week_of(week, lost), watching())
        fired += detector.state == "firing"
        assert detector.design_effect > 5
    assert fired <= 4, "33,600 rows each at a run length of 109,000: 3.7 alarms are allowed"


def test_a_restart_rests_and_then_begins_from_nothing() -> None:
    fired = after_weeks([0.1, 0.1, 0.2])[-1]
    resting = harm.restarted(fired, Harm(cooldown_days=7))
    assert (resting.state, resting.memory.rows, resting.restarts) == ("cooldown", 0, 1)
    rested, said = harm.advanced(resting, week_of(3, errors(0.5, 3000)), watching())
    assert (rested.state, rested.memory.rows, said) == ("cooldown", 0, None)
    again, said = harm.advanced(rested, week_of(4, errors(0.5, 3000)), watching())
    assert again.state == "firing"
    assert said is not None
    assert said.anew


def test_a_restart_that_finds_nothing_says_so_once_it_has_seen_enough() -> None:
    fired = after_weeks([0.1, 0.1, 0.2])[-1]
    assert fired.alarm is not None
    detector = harm.restarted(fired, Harm(cooldown_days=0))
    few = fired.alarm.rows - 1
    detector, said = harm.advanced(detector, week_of(3, errors(0.08, few)), watching())
    assert said is None
    detector, said = harm.advanced(detector, week_of(4, errors(0.08, 3000)), watching())
    assert said is not None
    assert not said.breach


@pytest.mark.parametrize("lost", [np.full(5000, np.nan), np.empty(0), np.zeros(5000), np.ones(5000)])
def test_nothing_and_constants_are_defined(lost: np.ndarray) -> None:
    detector = detector_of()
    for week in range(3):
        detector, _ = harm.advanced(detector, week_of(week, lost), watching())
    assert detector.state in ("learning", "watching")


def test_values_beyond_all_others_count_as_the_end_of_the_range() -> None:
    rng, detector = np.random.default_rng(1), detector_of("value")
    for week in range(5):
        value = rng.normal(5, 1, 3000)
        value[:3] = [-1e12, np.inf, -np.inf] if week else value[:3]
        detector, _ = harm.advanced(detector, week_of(week, value, "value"), watching())
    assert detector.state == "watching"
    assert detector.reference is not None
    assert detector.reference.low < 5 < detector.reference.high
    detector, said = harm.advanced(detector, week_of(5, rng.normal(4, 1, 3000), "value"), watching())
    assert detector.alarm is not None
    assert said is not None
    assert (said.evidence.direction, said.evidence.measure) == ("below", "value")
    assert detector.alarm.mean == pytest.approx(4, abs=0.3)
    assert detector.alarm.reference == pytest.approx(5, abs=0.1)


def test_the_range_and_the_tolerance_can_be_declared() -> None:
    value, days_of = np.random.default_rng(1).normal(5, 1, 2000), np.arange(2000) // 300
    declared = Harm(value_range=(0, 20), tolerance=0.1)
    reference, _ = losses.first_reference("value", value, days_of, declared)
    assert (reference.low, reference.high) == (0, 20)
    allowed = losses.in_own_unit("value", reference.bound, reference) - losses.in_own_unit(
        "value", reference.mu0, reference
    )
    assert allowed == pytest.approx(0.5, rel=0.02)
    stricter = losses.tolerating("value", reference, Harm(tolerance=0))
    assert stricter.mu0 == stricter.bound


def test_what_is_watched_follows_from_the_outcomes() -> None:
    def what(score: object, y: object, value: object = None) -> Judgeable:
        rows = rows_of(score, y)
        return Judgeable(ENDPOINT, MODEL, 1, "champion", START, START + WEEK, rows, rows.score >= 0.5, value)  # type: ignore[arg-type]

    chances = losses.losses_of(what([0.2, 0.7, 0.9, np.nan], [0, 1, 0, 1]))
    assert list(chances) == ["brier", "error"]
    np.testing.assert_allclose(chances["brier"], [0.04, 0.09, 0.81, np.nan])
    np.testing.assert_array_equal(chances["error"], [0, 0, 1, np.nan])
    assert list(losses.losses_of(what([2.0, -1.0], [0, 1]))) == ["error"]
    numbers = losses.losses_of(what([10.0, 12.0], [11.5, 3.0], np.array([1.0, 2.0])))
    np.testing.assert_allclose(numbers["absolute_error"], [1.5, 9.0])
    assert "value" in numbers
    assert losses.losses_of(what([0.5, 0.5], [np.nan, np.nan])) == {}


def test_the_brier_loss_is_held_against_the_baseline() -> None:
    rng = np.random.default_rng(4)
    y = (rng.random(4000) < 0.3).astype(float)
    score = np.clip(0.3 + 0.4 * (y - 0.3) + rng.normal(0, 0.1, 4000), 0, 1)
    truth = (score - y) ** 2
    profile = profile_of({"temp": score})
    with_scores = msgspec.structs.replace(
        profile,
        score_of_positives=profile_of({"s": score[y == 1]}).columns["s"],
        score_of_negatives=profile_of({"s": score[y == 0]}).columns["s"],
        judged=Judged(
            rows=4000, positives=int(y.sum()), roc_auc=0.8, roc_auc_low=0.7, roc_auc_high=0.9, brier=float(truth.mean())
        ),
    )
    found = losses.baseline_reference("brier", with_scores, Harm(), truth[:0], np.empty(0, np.int64))
    assert found is not None
    assert found.source == "baseline"
    assert found.deviation == pytest.approx(truth.std(), rel=0.05)
    assert found.bound == pytest.approx(stats.risk_bound(truth), rel=0.01)
    assert losses.baseline_reference("error", with_scores, Harm(), truth, np.arange(4000)) is None
    without = msgspec.structs.replace(with_scores, score_of_positives=None)
    wider = losses.baseline_reference("brier", without, Harm(), truth[:0], np.empty(0, np.int64))
    assert wider is not None
    assert wider.deviation > found.deviation


# --- from the journal to an alert ------------------------------------------------------------------------------------


def kept(traffic: Traffic) -> dict[str, Detector]:
    with traffic.ground.database.reading() as tx:
        return {one.detector: one for one in detectors.of_endpoint(tx, ENDPOINT)}


def harm_alerts(traffic: Traffic) -> list[Alert]:
    with traffic.ground.database.reading() as tx:
        return [one for one in alerts.search(tx, endpoint=ENDPOINT) if one.monitor == "harm"]


def judge(traffic: Traffic) -> None:
    traffic.look()
    traffic.judge()


def test_harm_fires_stands_until_it_is_acknowledged_and_is_over_when_nothing_more_is_found(each_ground: Ground) -> None:
    traffic = Traffic(each_ground)
    traffic.apply(file_with(value=VALUE))
    days(traffic, 0, 21)
    judge(traffic)
    assert {name: one.state for name, one in kept(traffic).items()} == {
        "brier": "watching",
        "error": "watching",
        "value": "watching",
    }
    days(traffic, 21, 36, skill=-2.0)
    judge(traffic)
    found = harm_alerts(traffic)
    assert {one.subject for one in found} == {"brier", "error", "value"}
    assert {(one.state, one.severity) for one in found} == {("firing", "critical")}
    brier = next(one for one in found if one.subject == "brier")
    assert abs(brier.evidence.began_at - (START + 21 * DAY_US)) <= DAY_US
    days(traffic, 36, 43)
    judge(traffic)
    assert {one.state for one in harm_alerts(traffic)} == {"firing"}, "it stands although it is over"
    for one in found:
        said = {"reason": "a broken sensor, repaired", "by": "ann", "now": traffic.now()}
        traffic.ground.database.write(lambda tx, one=one, said=said: alerts.acknowledge(tx, one.alert_id, **said))
    days(traffic, 43, 64)
    judge(traffic)
    assert {one.state for one in harm_alerts(traffic)} == {"resolved"}
    assert {one.restarts for one in kept(traffic).values()} == {1}
    traffic.close()


def test_each_row_counts_once_and_in_the_order_of_prediction(traffic: Traffic) -> None:
    """The second week's outcomes come before the first's; the first is judged again, and again, for late ones."""
    traffic.apply(file_with())
    rng = np.random.default_rng(2)
    made = [traffic.predict(score=rng.random(300).tolist(), event_at=START + day * DAY_US) for day in range(22)]
    later = [key for frame in made[7:14] for key in ids(frame)]
    traffic.tell(later, (rng.random(2100) < 0.5).astype(float).tolist())
    judge(traffic)
    assert all(one.consumed_until == 0 for one in kept(traffic).values())
    first = [key for frame in made[:7] for key in ids(frame)]
    traffic.tell(first[:2000], (rng.random(2000) < 0.5).astype(float).tolist())
    judge(traffic)
    after = kept(traffic)["brier"]
    assert after.consumed_until == START + 14 * DAY_US
    assert (after.outcomes, after.reference.rows if after.reference else 0, after.memory.rows) == (4100, 2000, 2100)
    traffic.tell(first[2000:], [1.0] * 100)
    judge(traffic)
    assert kept(traffic)["brier"] == after


def test_a_window_whose_outcomes_never_come_is_passed_over(traffic: Traffic) -> None:
    traffic.apply(file_with())
    traffic.predict(score=[0.5] * 50, event_at=START)
    days(traffic, 7, 29)
    judge(traffic)
    assert kept(traffic)["brier"].consumed_until == 0 if kept(traffic) else True
    days(traffic, 29, 37)
    judge(traffic)
    found = kept(traffic)["brier"]
    assert found.passed_over == 50
    assert found.consumed_until == START + 35 * DAY_US


def test_a_detector_that_moved_on_meanwhile_is_left_alone(ground: Ground) -> None:
    first = detector_of()
    moved = msgspec.structs.replace(first, consumed_until=5)

    def put(one: Detector, before: int | None) -> bool:
        return ground.database.write(lambda tx: detectors.put(tx, one, before=before, now=1))  # type: ignore[arg-type]

    assert put(first, None)
    assert not put(first, None)
    assert put(moved, 0)
    assert not put(moved, 0)


def test_harm_can_be_turned_off(traffic: Traffic) -> None:
    traffic.apply(file_with(monitors=Monitors(harm=None)))
    days(traffic, 0, 15)
    judge(traffic)
    assert kept(traffic) == {}


def test_a_challenger_wakes_nobody(traffic: Traffic) -> None:
    traffic.apply(file_with())
    baseline(traffic)
    for day in range(15):
        traffic.predict(score=[0.5] * 50, event_at=START + day * DAY_US, role="challenger")
    judge(traffic)
    assert kept(traffic) == {}


def test_other_detectors_are_shown_where_the_file_asks_for_them(traffic: Traffic) -> None:
    pytest.importorskip("river")
    traffic.apply(file_with(monitors=Monitors(harm=Harm(compare=["adwin", "page-hinkley"]))))
    days(traffic, 0, 21)
    days(traffic, 21, 36, skill=-2.0)
    judge(traffic)
    [adwin, page] = kept(traffic)["brier"].compared
    assert (adwin.detector, page.detector) == ("adwin", "page-hinkley")
    assert adwin.rows == page.rows == 35 * 300
    assert adwin.problem is None
    assert any(at >= START + 21 * DAY_US for at in adwin.alarms_at)


def test_without_river_the_comparison_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "river", None)
    from tenure.monitor.rivals import compared

    found = compared("adwin", np.zeros(3), np.arange(3))
    assert "tenure[compare]" in (found.problem or "")


def test_a_file_with_an_unknown_detector_or_a_falling_range_is_refused() -> None:
    for harm_of in ({"compare": ["cusum"]}, {"value_range": [3, 1]}, {"tolerance": -1}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"model": "m", "purpose": "-", "owner": "-", "monitors": {"harm": harm_of}}, ModelFile)


def test_a_reference_knows_its_scale() -> None:
    about = Reference(source="first outcomes", rows=1, mean=0.5, deviation=0.1, bound=0.6, mu0=0.6, low=-10, high=30)
    x = losses.scaled("value", np.array([-50.0, -10, 10, 30, 99]), about)
    np.testing.assert_allclose(x, [1, 1, 0.5, 0, 0])
    assert losses.in_own_unit("value", 0.25, about) == 20
    assert losses.in_own_unit("absolute_error", 0.25, about) == 0
