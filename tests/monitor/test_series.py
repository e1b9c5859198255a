"""Every kind of alert has a number over time, read from where it was judged."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from tenure.monitor import series
from tenure.records.alerts import Alert, MonitorKind
from tenure.records.base import DAY_US
from tenure.records.drift import DriftReport
from tenure.records.incidents import Point
from tenure.records.measured import Figure
from tenure.records.windows import Window
from tests.web import samples

KNOWN: dict[MonitorKind, list[tuple[str, str]]] = {
    "drift": [
        ("psi_excess", "temp"),
        ("psi_excess", "temp (previous window)"),
        ("auc", "all columns together (classifier)"),
        ("error_ratio", "all columns together (components)"),
    ],
    "data_quality": [
        ("new_level_share", "carrier"),
        ("out_of_range_share", "temp"),
        ("null_share", "temp (missing)"),
        ("schema", "temp (schema)"),
    ],
    "accuracy": [("roc_auc", "roc_auc"), ("brier", "brier")],
    "calibration": [("calibration_gap", "mean_score")],
    "latency": [("slow_share", "p99")],
    "harm": [("brier", "brier"), ("error", "error"), ("absolute_error", "absolute_error"), ("value", "value")],
    "estimate": [("estimated_roc_auc", "roc_auc"), ("roc_auc", "roc_auc")],
    "label_lag": [("arrived_share", "outcomes")],
}
"""Measures that alerts of a kind are about, with a subject of each."""


def of(monitor: MonitorKind, measure: str, subject: str) -> Alert:
    alert = samples.make_alert(monitor=monitor, subject=subject)
    return msgspec.structs.replace(alert, evidence=msgspec.structs.replace(alert.evidence, measure=measure))


def year() -> list[Window]:
    """A year whose windows hold everything that could be asked of them."""
    return [_full(window) for window in samples.make_year(21) if window.role == "champion"]


def _full(window: Window) -> Window:
    assert window.measured is not None
    mae = Figure(metric="mae", value=3.5, low=3.0, high=4.0, n=500)
    brier = Figure(metric="brier", value=0.16, low=0.15, high=0.17, n=500)
    measured = msgspec.structs.replace(window.measured, figures=[mae], judged=brier)
    drift = [msgspec.structs.replace(one, out_of_range_share=0.02, null_share=0.03) for one in window.drift]
    return msgspec.structs.replace(
        window,
        measured=measured,
        drift=drift,
        judged_roc_auc=window.roc_auc,
        judged_calibration_gap=window.calibration_gap,
        slow_requests=window.requests // 50,
    )


def reports(windows: list[Window]) -> dict[int, DriftReport]:
    made = samples.make_drift_report()
    against = [msgspec.structs.replace(one, against="previous") for one in made.comparisons]
    [classifier] = made.together
    rebuilt = msgspec.structs.replace(classifier, name="reconstruction", value=1.2)
    made = msgspec.structs.replace(made, comparisons=against, together=[classifier, rebuilt])
    return {
        one.start_at: msgspec.structs.replace(made, start_at=one.start_at, end_at=one.end_at, version=one.version)
        for one in windows
    }


def points(alert: Alert) -> list[Point]:
    windows = year()
    told = reports(windows) if series.needs_reports(alert) else None
    return series.series_of(alert, windows, told).points


def test_no_kind_of_monitor_is_forgotten() -> None:
    kinds = set(get_args(MonitorKind))
    assert set(series.READERS) == kinds
    assert set(KNOWN) == kinds - {"slo_availability", "slo_latency"}


@pytest.mark.parametrize("monitor", ["slo_availability", "slo_latency"])
def test_a_budget_burns_by_the_clock_and_not_by_windows(monitor: MonitorKind) -> None:
    found = [one for one in points(of(monitor, "latency_burn_rate", "fast burn")) if one.value is not None]
    assert len(found) == 1  # the alert's own


@pytest.mark.parametrize(
    ("monitor", "measure", "subject"), [(kind, *one) for kind, measures in KNOWN.items() for one in measures]
)
def test_every_measure_has_a_point_in_every_window(monitor: MonitorKind, measure: str, subject: str) -> None:
    found = points(of(monitor, measure, subject))
    assert len(found) == 20
    assert all(one.value is not None for one in found)


def test_harm_is_drawn_in_its_own_unit_with_the_windows_interval() -> None:
    [first, *_] = year()
    drawn = points(of("harm", "brier", "brier"))[0]
    assert (drawn.value, drawn.low, drawn.high) == (0.165, first.brier.low, first.brier.high)
    wrong = points(of("harm", "error", "error"))[0]
    assert wrong.value == pytest.approx((410 + 990) / (520 + 410 + 990 + 4380))


def test_the_brier_score_of_accuracy_is_the_one_that_was_judged() -> None:
    assert points(of("accuracy", "brier", "brier"))[0].value == 0.16
    assert points(of("accuracy", "f1", "f1"))[0].value is None


def test_a_guess_has_its_interval_and_the_truth_that_ended_it_none() -> None:
    guessed = points(of("estimate", "estimated_roc_auc", "roc_auc"))[3]
    assert guessed.low is not None
    assert points(of("estimate", "roc_auc", "roc_auc"))[3].low is None


def test_drift_from_another_reference_is_that_references() -> None:
    alert = of("drift", "psi_excess", "temp (previous window)")
    report = next(iter(reports(year()).values()))
    psi = next(one.value_of("psi") for one in report.comparisons[0].columns if one.column == "temp")
    assert psi is not None
    assert points(alert)[0].value == pytest.approx(psi.value - (psi.threshold - report.floor))
    assert points(of("drift", "psi_excess", "temp (same season)"))[0].value is None


def test_a_column_that_is_not_there_any_more_is_told_by_the_alerts_figure_alone() -> None:
    alert: Any = of("drift", "psi_excess", "gone")
    [last] = [one for one in points(alert) if one.value is not None]
    assert (last.value, last.end_at - last.start_at) == (alert.evidence.value, 7 * DAY_US)
