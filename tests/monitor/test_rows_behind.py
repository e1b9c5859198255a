"""Every kind of alert leads to the rows behind it, by a query that runs."""

from __future__ import annotations

from typing import Any, get_args

import duckdb
import msgspec
import pytest

from tenure.errors import NotFound
from tenure.monitor import alert_rows, rows_behind
from tenure.records.alerts import Alert, Evidence, MonitorKind
from tenure.records.base import DAY_US
from tenure.records.model_files import Feature, Latency, Monitors, Service
from tenure.store import alerts as stored
from tenure.store import drift_reports
from tests.web import samples

from .test_watch import file_with
from .year import ENDPOINT, MODEL, START, Traffic, ids, profile_of

ROWS = 200
KNOWN: dict[tuple[MonitorKind, str], tuple[str, int]] = {
    ("drift", "psi_excess"): ("temp", ROWS),
    ("data_quality", "new_level_share"): ("carrier", 10),
    ("data_quality", "out_of_range_share"): ("temp", 20),
    ("data_quality", "null_share"): ("temp (missing)", 30),
    ("data_quality", "schema"): ("temp (schema)", 5),
    ("accuracy", "brier"): ("brier", 150),
    ("calibration", "calibration_gap"): ("mean_score", 150),
    ("latency", "slow_share"): ("p99", 0),
    ("harm", "value"): ("value", 150),
    ("estimate", "estimated_brier"): ("brier", ROWS),
    ("estimate", "brier"): ("brier", 150),
    ("label_lag", "arrived_share"): ("outcomes", 50),
    ("slo_latency", "latency_burn_rate"): ("fast burn", 0),
}
"""What alerts are about, with a subject of each and how many of the rows below are behind it."""


def a_week(traffic: Traffic, **more: Any) -> None:
    """200 rows: 20 too hot, 30 without a temperature, 5 with a word in its place, 10 of a new carrier; 150 known."""
    traffic.apply(file_with(monitors=Monitors(latency=Latency(p99_ms=100)), service=Service(latency_ms=100), **more))
    temps = [0.5] * 145 + [9.0] * 20 + [None] * 30 + ["cold"] * 5
    made = traffic.predict(
        score=[0.5] * ROWS,
        columns={"temp": temps, "carrier": ["AA"] * 190 + ["ZZ"] * 10},
        event_at=START + DAY_US,
    )
    traffic.tell(ids(made)[:150], [1.0] * 150)
    traffic.keep_profile(profile_of({"temp": [0.0, 0.5, 1.0] * 100, "carrier": ["AA", "UA"] * 150}), 1)
    traffic.look()


def alert_of(traffic: Traffic, monitor: MonitorKind, measure: str, subject: str, **proven: Any) -> Alert:
    proof = {"value": 0.2, "threshold": 0.1, "direction": "above", "version": 1, **proven}
    if monitor == "label_lag":
        proof["direction"] = "below"
    span = {"window_start_at": START, "window_end_at": START + 7 * DAY_US}
    evidence = msgspec.convert({"measure": measure, **span, **proof}, Evidence)
    alert = Alert(
        alert_id=f"{monitor}-{measure}", endpoint=ENDPOINT, monitor=monitor, subject=subject, state="firing",
        severity="warning", message="-", evidence=evidence, event_at=0, opened_at=0, changed_at=0,
    )  # fmt: skip
    traffic.ground.database.write(lambda tx: stored.put(tx, alert))
    return alert


def behind(traffic: Traffic, alert: Alert, monkeypatch: pytest.MonkeyPatch) -> tuple[list[dict[str, Any]], str]:
    monkeypatch.chdir(traffic.ground.settings.folder / "lake")
    query = traffic.ground.database.read(lambda tx: alert_rows.query(tx, alert.alert_id))
    return duckdb.sql(query.sql).to_arrow_table().to_pylist(), query.what


def schema_report(problem: str) -> Any:
    report = msgspec.structs.replace(samples.make_drift_report(), endpoint=ENDPOINT, model=MODEL, version=1)
    wrong = [{"column": "temp", "problem": problem, "words": "-"}]
    return msgspec.convert({**msgspec.to_builtins(report), "start_at": START, "schema": wrong}, type(report))


def test_no_kind_of_monitor_is_forgotten() -> None:
    kinds = set(get_args(MonitorKind))
    assert set(rows_behind.BEHIND) == {kind for kind, _ in KNOWN} == kinds - rows_behind.WITHOUT_ROWS
    assert {"slo_availability"} == rows_behind.WITHOUT_ROWS
    assert {measure for kind, measure in KNOWN if kind == "data_quality"} == set(rows_behind.QUALITY)


def test_the_rows_behind_every_kind_of_alert(traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    a_week(traffic)
    traffic.ground.database.write(lambda tx: drift_reports.put(tx, schema_report("type")))
    for (monitor, measure), (subject, count) in KNOWN.items():
        found, what = behind(traffic, alert_of(traffic, monitor, measure, subject), monkeypatch)
        expected = 35 if measure == "null_share" else count  # what is no number counts as missing too
        assert len(found) == expected, (monitor, measure, what)
        assert (what == rows_behind.WINDOW.what) == (count == ROWS)


def test_a_column_that_nobody_sends_has_all_rows_behind_it(traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    a_week(traffic)
    traffic.ground.database.write(lambda tx: drift_reports.put(tx, schema_report("missing")))
    found, _ = behind(traffic, alert_of(traffic, "data_quality", "schema", "temp (schema)"), monkeypatch)
    assert len(found) == ROWS


def test_outcomes_that_come_sooner_have_those_that_came(traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    a_week(traffic)
    late = alert_of(traffic, "label_lag", "arrived_share", "outcomes")
    proof = msgspec.structs.replace(late.evidence, direction="above")
    sooner = msgspec.structs.replace(late, evidence=proof)
    traffic.ground.database.write(lambda tx: stored.put(tx, sooner))
    assert len(behind(traffic, sooner, monkeypatch)[0]) == 150


def test_harm_has_its_rows_since_it_began(traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    a_week(traffic)
    before = traffic.predict(score=[0.5], event_at=START - 3 * DAY_US)
    traffic.tell(ids(before), [0.0])
    traffic.look()
    alert = alert_of(traffic, "harm", "brier", "brier", began_at=START - 4 * DAY_US)
    found, what = behind(traffic, alert, monkeypatch)
    assert len(found) == 151
    assert "since" in what


def test_which_rows_a_protected_column_chooses_is_not_told(traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    a_week(traffic, protected=["temp"])
    for measure, subject in (("null_share", "temp (missing)"), ("out_of_range_share", "temp")):
        alert = alert_of(traffic, "data_quality", measure, subject)
        found, what = behind(traffic, alert, monkeypatch)
        assert (len(found), what) == (ROWS, rows_behind.WINDOW.what)
        assert "f_temp" not in found[0]


def test_what_was_clipped_is_behind_a_breach_of_the_range() -> None:
    """The lake holds what the model saw, which lies within; `clipped` holds what was sent."""
    like: Any = profile_of({'a "b"': [0.0, 1.0]}).columns['a "b"']
    file = file_with(features={'a "b"': Feature(kind="numeric", range=(0.0, 1.0), outside="clip")})
    alert = samples.make_alert(monitor="data_quality", subject='a "b"')
    proof = msgspec.structs.replace(alert.evidence, measure="out_of_range_share")
    known = rows_behind.Known(msgspec.structs.replace(alert, evidence=proof), file, like)
    rows = '(VALUES (0.5, NULL), (1.0, \'{"a \\"b\\"": 7.0}\'), (NULL, NULL), (3.0, NULL)) AS t("f_a ""b""", clipped)'
    chosen = duckdb.sql(f"SELECT * FROM {rows} WHERE {rows_behind.behind(known).condition}").fetchall()
    assert [float(one[0]) for one in chosen] == [1.0, 3.0]


def test_rows_that_left_the_lake_and_alerts_about_none_are_told_apart(traffic: Traffic) -> None:
    alert = alert_of(traffic, "drift", "psi_excess", "temp")
    with pytest.raises(NotFound, match="are gone"):
        traffic.ground.database.read(lambda tx: alert_rows.query(tx, alert.alert_id))
    empty = alert_of(traffic, "slo_latency", "latency_burn_rate", "fast burn", window_end_at=START)
    unanswered = alert_of(traffic, "slo_availability", "availability_burn_rate", "fast burn")
    for none in (empty, unanswered):
        with pytest.raises(NotFound, match="about none"):
            traffic.ground.database.read(lambda tx, none=none: alert_rows.query(tx, none.alert_id))


def test_a_measure_of_free_text_chooses_no_rows_by_a_column_that_is_not_there() -> None:
    like = msgspec.structs.replace(profile_of({"note": ["a", "b"]}).columns["note"], of="note", measure="length")
    alert = samples.make_alert(monitor="data_quality", subject="note length")
    proof = msgspec.structs.replace(alert.evidence, measure="new_level_share")
    known = rows_behind.Known(msgspec.structs.replace(alert, evidence=proof), None, like)
    assert rows_behind.behind(known) == rows_behind.WINDOW
