"""Windows of hours: a day has its rhythm, and only what breaks it is told."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure.monitor import alert_rows, drift_references, harm, judging, looking_back, thinning, verdicts
from tenure.monitor.harm import Cohort
from tenure.monitor.incidents import stake_of
from tenure.records.base import DAY_US, HOUR_US, moment_of
from tenure.records.model_files import AtLeast, DriftMonitor, Monitors, Season
from tenure.store import alerts, drift_reports, profiles, watermarks, windows
from tenure.store.ground import Ground

from ..web import samples
from .test_drift import reports
from .test_first_windows import register
from .test_harm import detector_of, errors, watching, window_at
from .test_watch import baseline, file_with, found, open_alerts
from .year import ENDPOINT, MODEL, START, Traffic, ids, profile_of

HOURLY = Monitors(window_hours=1, drift=DriftMonitor(against=("season",), season="hour_of_week"))


def warmth(hour: int) -> float:
    """How warm an hour of the day is: a rhythm of three deviations up and down."""
    return 3 * float(np.sin(2 * np.pi * (hour % 24) / 24))


def hours(traffic: Traffic, first: int, last: int, *, step: int = 1, rows: int = 300, shift: float = 0.0) -> None:
    """A request each `step` hours from START on, its outcomes told at once."""
    for hour in range(first, last, step):
        rng = np.random.default_rng(hour)
        y = (rng.random(rows) < 0.25).astype(float)
        made = traffic.predict(
            score=(1 / (1 + np.exp(-(rng.normal(size=rows) + 2 * (y - 0.5))))).tolist(),
            columns={"temp": (rng.normal(size=rows) + warmth(hour) + shift).tolist()},
            event_at=START + hour * HOUR_US + 60_000_000,
        )
        traffic.tell(ids(made), y.tolist(), START + (hour + 1) * HOUR_US)


def look(traffic: Traffic) -> None:
    traffic.look()
    traffic.judge()


def trained(traffic: Traffic) -> None:
    """A baseline of all hours of the day together."""
    rng = np.random.default_rng(1)
    traffic.keep_profile(profile_of({"temp": np.concatenate([rng.normal(warmth(h), 1, 300) for h in range(24)])}), 1)


def test_slots_are_the_same_hours_of_the_same_days() -> None:
    past = [(START - hour * HOUR_US, START - (hour - 1) * HOUR_US) for hour in range(1, 24 * 40)]

    def days_before(season: Season, cycles: int) -> list[float]:
        chosen = drift_references.same_season(
            START, START + HOUR_US, DriftMonitor(season=season, cycles=cycles), past
        )  # START is a Friday, at midnight
        return [(START - one) / DAY_US for one in chosen]

    assert days_before("hour_of_week", 4) == [7, 14, 21, 28]
    assert days_before("day_of_week", 2) == [7, 14]
    assert days_before("day_type", 1) == [1, 2, 3, 4, 7]


@given(
    hour=st.integers(-100_000, 600_000),
    width=st.sampled_from([1, 2, 3, 4, 6, 8, 12]),
    cycles=st.integers(1, 8),
    season=st.sampled_from(["hour_of_week", "day_of_week", "day_type"]),
)
def test_every_window_of_a_season_is_at_its_hour_and_within_its_weeks(
    hour: int, width: int, cycles: int, season: Season
) -> None:
    us = width * HOUR_US
    start = hour * us
    past = [(start - back * us, start - (back - 1) * us) for back in range(1, 60 * 24 // width)]
    chosen = drift_references.same_season(start, start + us, DriftMonitor(season=season, cycles=cycles), past)
    assert chosen == sorted(chosen, reverse=True)
    for one in chosen:
        assert one % DAY_US == start % DAY_US
        assert 0 < start - one <= 7 * cycles * DAY_US
        then, now = moment_of(one).weekday(), moment_of(start).weekday()
        assert (then >= 5) == (now >= 5) if season == "day_type" else then == now
    if season != "day_type":
        assert len(chosen) == cycles


@pytest.mark.parametrize("width", [1, 3, 12])
def test_the_budget_of_a_year_is_shared_by_so_many_more_windows(width: int) -> None:
    hourly, daily = judging.level(Monitors(window_hours=width)), judging.level(Monitors(window_days=1))
    assert hourly == pytest.approx(daily * width / 24, rel=0.02)
    accepted = hourly * judging.sharing(Monitors()) * 365.25 * 24 / width
    assert accepted == pytest.approx(Monitors().false_alerts_per_year, rel=0.001)


def test_a_daily_rhythm_is_no_drift_and_what_breaks_it_is(traffic: Traffic) -> None:
    """Three deviations up and down each day: by the hour of the week nothing drifts, by all else every day does."""
    drift = DriftMonitor(against=("season", "previous", "training"), season="hour_of_week", cycles=1)
    traffic.apply(file_with(monitors=Monitors(window_hours=4, drift=drift)))
    trained(traffic)
    week, broken = 7 * 24, 8 * 24 + 16
    hours(traffic, 0, broken, step=4)
    hours(traffic, broken, broken + 4, step=4, shift=1.5)
    hours(traffic, broken + 4, broken + 9, step=4)
    look(traffic)
    made = {
        (one.start_at - START) // HOUR_US: {each.against: each.state for each in one.comparisons}
        for one in reports(traffic)
    }
    assert list(made) == list(range(0, broken + 8, 4))
    assert {told["season"] for hour, told in made.items() if hour < week} == {"not_enough_data"}
    assert {hour for hour, told in made.items() if told["season"] == "breach"} == {broken}
    for other in ("previous", "training"):
        usual = [told[other] for hour, told in made.items() if 0 < hour < broken]
        assert usual.count("breach") > len(usual) / 2
    with traffic.ground.database.reading() as tx:
        seasonal = [one for one in alerts.search(tx, endpoint=ENDPOINT) if "season" in one.subject]
        behind = alert_rows.query(tx, seasonal[0].alert_id)
    assert "2013-02-09T16:00:00" in behind.sql
    assert "2013-02-09T20:00:00" in behind.sql
    assert [one.subject for one in seasonal] == ["temp (same season)"]
    assert "from 2013-02-09 16:00 to 20:00 UTC" in seasonal[0].message
    assert (seasonal[0].evidence.window_start_at, seasonal[0].evidence.window_end_at) == (
        START + broken * HOUR_US,
        START + (broken + 4) * HOUR_US,
    )


def test_late_outcomes_have_the_window_of_their_hour_judged_again_and_no_other(traffic: Traffic) -> None:
    traffic.apply(file_with(monitors=Monitors(window_hours=1)))
    made = [traffic.predict(score=[0.5] * 20, event_at=START + hour * HOUR_US) for hour in range(6)]
    look(traffic)
    before = {one.start_at: one for one in found(traffic)}
    assert sorted((start - START) // HOUR_US for start in before) == [0, 1, 2, 3, 4]
    traffic.tell(ids(made[2]), [1.0] * 20)
    look(traffic)
    after = {one.start_at: one for one in found(traffic)}
    changed = [start for start in after if after[start] != before[start]]
    assert changed == [START + 2 * HOUR_US]
    assert (after[changed[0]].outcomes, after[changed[0]].provisional) == (20, False)


def test_windows_change_from_days_to_hours_and_back_without_a_gap(traffic: Traffic) -> None:
    traffic.apply(file_with(monitors=Monitors(window_days=1)))
    hours(traffic, 0, 25, rows=5)
    look(traffic)
    traffic.apply(file_with(monitors=Monitors(window_hours=6)))
    hours(traffic, 25, 37, rows=5)
    look(traffic)
    traffic.apply(file_with(monitors=Monitors(window_days=1)))
    hours(traffic, 37, 74, rows=5)
    look(traffic)
    spans = [((one.start_at - START) // HOUR_US, (one.end_at - START) // HOUR_US) for one in found(traffic)[::-1]]
    assert spans == [(0, 24), (24, 30), (30, 36), (36, 48), (48, 72)]
    assert sum(one.predictions for one in found(traffic)) == 72 * 5


def test_a_first_baseline_is_of_a_whole_day_and_not_of_an_hour(traffic: Traffic) -> None:
    register(traffic)
    traffic.apply(file_with(monitors=HOURLY))
    hours(traffic, 8, 36, rows=1_100)
    look(traffic)
    with traffic.ground.database.reading() as tx:
        stored = profiles.get(tx, MODEL, 1)
    assert stored is not None
    taken = stored.profile.reference
    assert (taken.from_at, taken.until_at) == (START + 8 * HOUR_US, START + 32 * HOUR_US)
    assert stored.profile.rows == 24 * 1_100
    assert open_alerts(traffic) == {}


def test_accuracy_is_pooled_over_the_days_that_are_asked_for() -> None:
    monitors = Monitors(window_hours=6, accuracy=AtLeast(at_least=0.7, window_days=2))
    assert judging.windows_judged(monitors) == 8
    start, width = START + 6 * HOUR_US, 6 * HOUR_US
    spans = list(verdicts.spans_before(start, width, 12, 7))
    assert spans[0][1] == start
    assert all(later[0] == earlier[1] for later, earlier in itertools.pairwise(spans))
    assert start - 7 * width in {one for one, _ in spans}
    days = list(verdicts.spans_before(START, 7 * DAY_US, 3, 0))
    assert days == [(START - week * 7 * DAY_US, START - (week - 1) * 7 * DAY_US) for week in (1, 2, 3)]


def test_harm_learns_what_is_usual_from_a_day_and_not_from_a_night() -> None:
    detector = detector_of()
    known = []
    for hour in range(26):
        start, lost = START + hour * HOUR_US, errors(0.1, 400, hour)
        window = msgspec.structs.replace(window_at(0, 400), start_at=start, end_at=start + HOUR_US)
        at = start + np.arange(400) * (HOUR_US // 400)
        detector, _ = harm.advanced(detector, Cohort(window, at, {"error": lost}), watching())
        known.append(detector.reference is not None)
    assert known.index(True) == 22
    assert detector.reference is not None
    assert detector.reference.rows == 23 * 400


def test_what_is_at_stake_a_day_is_told_by_a_day_of_hours() -> None:
    made = samples.make_year(1)[0]
    hourly = [
        msgspec.structs.replace(
            made, start_at=START + hour * HOUR_US, end_at=START + (hour + 1) * HOUR_US, predictions=10 * (hour % 24)
        )
        for hour in range(47, -1, -1)
    ]
    stake = stake_of(hourly)
    assert stake is not None
    assert stake.predictions_per_day == 10 * sum(range(24))


def test_what_is_looked_back_on_is_as_long_in_hours_as_in_days(each_ground: Ground) -> None:
    traffic = Traffic(each_ground)
    traffic.apply(file_with(monitors=Monitors(window_hours=12)))
    hours(traffic, 0, 73, step=12, rows=5)
    look(traffic)
    with each_ground.database.reading() as tx:
        earlier = looking_back.earlier(tx, ENDPOINT, START + 60 * HOUR_US, START + 72 * HOUR_US, 9)
        lately = looking_back.lately(tx, ENDPOINT, 2, role="champion")
    assert [(one.start_at - START) // HOUR_US for one in earlier] == [36, 12]
    assert [(one.start_at - START) // HOUR_US for one in lately] == [60, 48, 36, 24]
    traffic.close()


def test_old_windows_of_hours_keep_their_figures_and_let_go_of_the_rest(each_ground: Ground) -> None:
    traffic = Traffic(each_ground)
    traffic.apply(file_with(monitors=Monitors(window_hours=12, drift=DriftMonitor(cycles=1))))
    baseline(traffic)
    made = traffic.predict(score=[0.5] * 50, columns={"temp": [0.0] * 50, "carrier": ["AA"] * 50}, event_at=START)
    hours(traffic, 12, 25, step=12, rows=20)
    hours(traffic, 24 * 36, 24 * 36 + 25, step=12, rows=20)
    look(traffic)
    before = {one.start_at: one for one in found(traffic)}
    with each_ground.database.reading() as tx:
        whole = {one.start_at: one for one in windows.search(tx, ENDPOINT)}
        mark = watermarks.get(tx, ENDPOINT)
        kept = [start for start in whole if drift_reports.get(tx, ENDPOINT, start_at=start) is not None]
    assert mark is not None
    assert mark.thinned_until == mark.monitored_until - thinning.kept_us(HOURLY)
    old = [START, START + 12 * HOUR_US, START + 24 * HOUR_US]
    assert [start for start in sorted(whole) if whole[start].profile is None] == old
    assert sorted(kept) == [
        start for start in sorted(whole) if start not in old or whole[start].drift_state == "breach"
    ]
    traffic.tell(ids(made), [1.0] * 50)
    look(traffic)
    after = {one.start_at: one for one in found(traffic)}
    assert (before[START].outcomes, after[START].outcomes) == (0, 50)
    assert (after[START].drift_state, after[START].profile) == (before[START].drift_state, None)
    traffic.close()
