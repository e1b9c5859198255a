"""What a window says about drift: against each reference, of its schema, of what training had not seen."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from tenure.monitor import drift_references, drifting, findings_drift, profiling
from tenure.monitor.drifting import Beside, Reference
from tenure.monitor.judging import Judgeable, level, sharing
from tenure.records.base import DAY_US
from tenure.records.drift import DriftReport
from tenure.records.model_files import DriftMonitor, Feature, Monitors
from tenure.records.profiles import Profile
from tenure.sdk import baselines
from tenure.store import drift_reports

from .test_judging import rows_of
from .test_watch import baseline, days, file_with, found, open_alerts
from .year import ENDPOINT, MODEL, START, Traffic, ids, profile_of

RNG = np.random.default_rng(1)
TRAINED = profile_of(
    {"temp": RNG.normal(50, 10, 5_000), "carrier": RNG.choice(["AA", "UA"], 5_000).tolist()},
    score=RNG.random(5_000),
)


def reported(
    columns: dict[str, Any],
    references: list[Reference] | None = None,
    monitors: Monitors | None = None,
    action: Any = None,
    **beside: Any,
) -> DriftReport:
    rows = len(next(iter(columns.values())))
    score = np.random.default_rng(rows).random(rows)
    what = Judgeable(
        endpoint=ENDPOINT,
        model=MODEL,
        version=1,
        role="champion",
        start_at=START,
        end_at=START + 7 * DAY_US,
        rows=rows_of(score, np.full(rows, np.nan), **columns),
        action=action,
    )
    profile = profiling.profile_like(TRAINED, columns, score, what.rows.y)
    made = Beside(references or [Reference("training", TRAINED)], **beside)
    return drifting.report(what, profile, TRAINED, monitors or Monitors(), made)


def usual(rows: int = 2_000, seed: int = 2, **changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    carrier = rng.choice(np.array(["AA", "UA"], dtype=object), rows)
    return {"temp": rng.normal(50, 10, rows), "carrier": carrier, **changes}


def breaches(report: DriftReport) -> set[str]:
    return {one.subject for one in findings_drift.findings_of(report) if one.breach}


def test_a_usual_window_is_in_order_and_says_so() -> None:
    report = reported(usual())
    [training] = report.comparisons
    assert {one.column for one in training.columns} == {"temp", "carrier", "score"}
    assert {one.state for one in training.columns} == {"ok"}
    assert {one.words for one in training.columns} == {"No change."}
    assert (breaches(report), report.schema) == (set(), [])
    temp = next(one for one in training.columns if one.column == "temp")
    assert sum(temp.reference_bins) == 5_000
    assert all(one.q_value is not None for one in temp.statistics if one.kind == "test")


def test_the_worst_column_comes_first_and_is_told_in_words() -> None:
    temp = usual()["temp"]
    report = reported(usual(temp=temp + 12, carrier=np.array(["AA"] * 1_400 + ["UA"] * 600, dtype=object)))
    [first, second, _] = report.comparisons[0].columns
    assert (first.column, second.column, report.comparisons[0].state) == ("temp", "carrier", "breach")
    assert "the mean went from" in first.words
    assert "'UA' went from 51.6% to 30.0%" in second.words
    assert first.unit_factor is None
    metres = reported(usual(temp=temp * 1000)).comparisons[0].columns[0]
    assert metres.unit_factor == 1000
    assert "about 1000 times" in metres.words


def test_what_matters_little_weighs_little() -> None:
    temp = usual()["temp"] + 12
    for share in (0.9, 0.1):
        report = reported(usual(temp=temp), importances={"temp": share, "carrier": 1 - share})
        told = report.comparisons[0]
        assert told.columns[0].column == "temp"
        assert told.weighted_drift is not None
        assert (told.weighted_drift > 0.5) is (share > 0.5)
    assert reported(usual()).comparisons[0].weighted_drift is None


def test_the_schema_is_held_against_the_baseline() -> None:
    known = usual(500)
    text = np.array([f"{one:.1f} F" for one in known["temp"]], dtype=object)
    wrong = reported({"temp": text, "carrier": np.arange(500.0), "extra": known["temp"]})
    assert {(one.column, one.problem) for one in wrong.schema} == {
        ("temp", "type"),
        ("carrier", "type"),
        ("extra", "extra"),
    }
    assert {"temp (schema)", "carrier (schema)"} <= breaches(wrong)
    assert "extra (schema)" not in breaches(wrong)
    gone = reported({"temp": known["temp"]})
    assert [(one.column, one.problem) for one in gone.schema] == [("carrier", "missing")]
    assert "carrier (schema)" in breaches(gone)
    assert "carrier (missing)" not in breaches(gone)
    declared = reported({**known, "extra": known["temp"]}, features={"extra": Feature()})
    assert declared.schema == []
    few = text.copy()
    few[1:] = 1.0
    assert reported({**known, "temp": few}).schema == []


def test_texts_and_moments_are_columns_though_only_measures_of_them_are_counted() -> None:
    rows = 300
    day = np.datetime64("2013-01-01") + np.arange(rows) * np.timedelta64(7, "h")
    note = np.array([f"note {row}: {'x' * (row % 17)}" for row in range(rows)], dtype=object)
    table = {"at": day, "note": note}
    baseline = baselines.profile_of(table, texts=["note"])
    assert "note" not in baseline.columns
    score = np.zeros(rows)
    later = rows_of(score, score, **{**table, "at": day + np.timedelta64(365, "D")})
    assert drifting.schema(later, baseline, {}) == []
    gone = drifting.schema(rows_of(score, score, at=day), baseline, {})
    assert [(one.column, one.problem) for one in gone] == [("note", "missing")]
    profile = profiling.profile_like(baseline, later.columns, score, score)
    pairs = drifting._pairs(Reference(against="training", profile=baseline), profile, (0, 0))
    assert {name.partition(" · ")[0] for name in pairs} == {"at", "note"}
    assert not any(like.measure == "moment" for like, _ in pairs.values())


def test_missing_values_are_a_finding_when_they_are_many_more_than_before() -> None:
    gaps = usual()
    gaps["temp"][:200] = np.nan
    assert breaches(reported(gaps)) == {"temp (missing)"}
    stray = usual()
    stray["temp"][0] = np.nan
    assert breaches(reported(stray)) == set()


def test_new_levels_are_named_and_a_cold_summer_is_told() -> None:
    changed = usual()
    changed["carrier"][:60], changed["carrier"][60:70] = "ZZ", "YY"
    changed["temp"][:300] = -40.0
    report = reported(changed)
    told = {one.what: one for one in report.unseen}
    assert [(one.level, one.count) for one in told["new_levels"].names] == [("ZZ", 60), ("YY", 10)]
    assert told["new_levels"].low is not None
    assert told["new_levels"].low < 70 / 2_000 < (told["new_levels"].high or 0)
    assert (told["out_of_range"].count, told["out_of_range"].n) == (300, 2_000)
    assert told["out_of_range"].from_low == TRAINED.columns["temp"].min  # type: ignore[union-attr]  # it is numeric


def test_a_reference_that_there_is_none_of_says_why_and_each_is_judged_by_itself() -> None:
    earlier = profiling.profile_like(TRAINED, usual(3_000, 5, temp=RNG.normal(62, 10, 3_000)), np.full(3_000, 0.5), [])
    warm = usual(temp=np.random.default_rng(6).normal(62, 10, 2_000))
    references = [
        Reference("training", TRAINED),
        Reference("previous", earlier, from_at=START - 7 * DAY_US, until_at=START, decided_yes=900, decided=3_000),
        Reference("season", None, "There is no past window of the same season yet."),
    ]
    report = reported(warm, references, action=np.arange(2_000) < 1_400)
    states = {one.against: one.state for one in report.comparisons}
    assert states["training"] == "breach"
    assert states["season"] == "not_enough_data"
    assert report.comparisons[2].reason.startswith("There is no past window")
    previous = {one.column: one.state for one in report.comparisons[1].columns}
    assert (previous["temp"], previous["carrier"], previous["decision"]) == ("ok", "ok", "breach")
    assert "temp (previous window)" not in breaches(report)
    assert "decision (previous window)" in breaches(report)


def test_each_reference_takes_its_share_of_the_budget() -> None:
    one, three = Monitors(), Monitors(drift=DriftMonitor(against=("training", "previous"), together=True))
    assert level(three) == pytest.approx(level(one) * sharing(one) / sharing(three), rel=0.01)
    assert sharing(three) == sharing(one) + 2


def test_the_same_season_is_the_same_weekday_or_the_same_kind_of_day() -> None:
    past = [(START - day * DAY_US, START - (day - 1) * DAY_US) for day in range(1, 40)]  # START is a Friday
    weekly = drift_references.same_season(START, START + DAY_US, DriftMonitor(), past)
    assert weekly == [START - days * DAY_US for days in (7, 14, 21, 28)]
    kind = drift_references.same_season(START, START + DAY_US, DriftMonitor(season="day_type", cycles=1), past)
    assert kind == [START - days * DAY_US for days in (1, 2, 3, 4, 7)]
    weeks = [(START - week * 7 * DAY_US, START - (week - 1) * 7 * DAY_US) for week in range(1, 10)]
    long = drift_references.same_season(START, START + 7 * DAY_US, DriftMonitor(cycles=3), [*weeks, *past])
    assert long == [START - week * 7 * DAY_US for week in (1, 2, 3)]


def test_a_season_needs_windows_that_have_one() -> None:
    with pytest.raises(ValueError, match="one day or of whole weeks"):
        Monitors(window_days=3, drift=DriftMonitor(against=("season",)))
    with pytest.raises(ValueError, match="once"):
        DriftMonitor(against=("training", "training"))
    with pytest.raises(msgspec.ValidationError, match="Invalid enum value"):
        msgspec.convert({"against": ["yesterday"]}, DriftMonitor)


def test_profiles_of_windows_add_up_to_that_of_all_their_rows() -> None:
    parts = [usual(700, seed) for seed in range(3)]
    scores = np.random.default_rng(9).random((3, 700))
    made = [
        profiling.profile_like(TRAINED, part, score, np.full(700, np.nan))
        for part, score in zip(parts, scores, strict=True)
    ]
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    expected = profiling.profile_like(TRAINED, whole, scores.ravel(), np.full(2_100, np.nan))
    merged = profiling.merge(made)
    assert merged.rows == 2_100
    assert merged.columns["carrier"] == expected.columns["carrier"]
    assert (merged.score and merged.score.counts) == (expected.score and expected.score.counts)


def reports(traffic: Traffic) -> list[DriftReport]:
    with traffic.ground.database.reading() as tx:
        made = [drift_reports.get(tx, ENDPOINT, start_at=one.start_at) for one in reversed(found(traffic))]
    return [one for one in made if one is not None]


def test_weekends_do_not_alarm_against_weekends(traffic: Traffic) -> None:
    """Windows of a day, warmer at weekends: against training every weekend drifts, against its season none does."""
    drift = DriftMonitor(against=("season", "previous"), cycles=3)
    traffic.apply(file_with(monitors=Monitors(window_days=1, drift=drift)))
    baseline(traffic)
    for day in range(23):
        days(traffic, day, day + 1, shift=1.5 if (day + 4) % 7 >= 5 else 0.0)
    traffic.look()
    traffic.judge()
    made = reports(traffic)
    assert len(made) == 22
    by_season = [one.comparisons[0] for one in made]
    assert [one.state for one in by_season[:7]] == ["not_enough_data"] * 7
    assert {one.state for one in by_season[7:]} == {"ok"}
    by_yesterday = {(START + day * DAY_US) for day, one in enumerate(made) if one.comparisons[1].state == "breach"}
    changes = {START + day * DAY_US for day in range(1, 22) if ((day + 4) % 7 >= 5) != ((day + 3) % 7 >= 5)}
    assert by_yesterday == changes
    drifted = {subject for monitor, subject in open_alerts(traffic) if monitor == "drift"}
    assert drifted == {"temp (previous window)"}  # not against training, which nobody asked for


def test_all_columns_at_once_are_compared_with_the_first_window(traffic: Traffic) -> None:
    traffic.apply(file_with(monitors=Monitors(drift=DriftMonitor(together=True))))
    baseline(traffic)
    days(traffic, 0, 7)
    days(traffic, 7, 15, shift=1.5)
    traffic.look()
    traffic.judge()
    first, second = reports(traffic)
    assert first.together == []
    assert "first window here" in first.together_reason
    classifier = second.together[0]
    assert (classifier.name, classifier.state, classifier.telling[0].column) == ("domain_classifier", "breach", "temp")
    assert open_alerts(traffic)["drift", "all columns together (classifier)"] == "firing"


def test_a_report_is_made_again_when_rows_come_late_and_not_when_outcomes_do(traffic: Traffic) -> None:
    traffic.apply(file_with())
    baseline(traffic)
    rows = {"columns": {"temp": RNG.normal(size=200).tolist()}, "score": RNG.random(200).tolist()}
    made = traffic.predict(**rows, event_at=START)
    days(traffic, 1, 8)
    traffic.look()
    traffic.judge()
    (report,) = reports(traffic)
    marked = msgspec.structs.replace(report, together_reason="as it was first made")
    traffic.ground.database.write(lambda tx: drift_reports.put(tx, marked))

    traffic.tell(ids(made), [1.0] * 200)
    traffic.look()
    traffic.judge()
    assert found(traffic)[0].outcomes == 6 * 300 + 200
    assert reports(traffic) == [marked]

    traffic.predict(**rows, event_at=START)
    traffic.look()
    traffic.judge()
    (again,) = reports(traffic)
    assert again.rows == report.rows + 200
    assert again.together_reason == report.together_reason


def test_an_alert_about_the_schema_is_resolved_when_the_column_is_back(traffic: Traffic) -> None:
    traffic.apply(file_with())
    baseline(traffic)
    rng = np.random.default_rng(3)
    for day in range(7):
        traffic.predict(
            score=rng.random(200).tolist(),
            columns={"temp": rng.normal(size=200).tolist()},
            event_at=START + day * DAY_US,
        )
    days(traffic, 7, 8)
    traffic.look()
    traffic.judge()
    assert open_alerts(traffic)["data_quality", "carrier (schema)"] == "firing"
    days(traffic, 8, 15)
    traffic.look()
    traffic.judge()
    assert open_alerts(traffic)["data_quality", "carrier (schema)"] == "resolved"


def test_a_baseline_without_columns_makes_an_empty_report() -> None:
    empty = Profile(rows=1, columns={})
    report = reported(usual(), [Reference("training", empty)])
    assert report.comparisons[0].columns == []
    assert report.comparisons[0].state == "not_enough_data"
