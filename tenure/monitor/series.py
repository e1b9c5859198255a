"""The measure of an alert over the windows before it: what a picture of the alert is drawn from. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tenure.monitor.subjects import TOGETHER, aspect_of, column_of
from tenure.records.alerts import Alert, MonitorKind
from tenure.records.drift import DriftReport
from tenure.records.incidents import Point, Series
from tenure.records.measured import Figure
from tenure.records.windows import DriftOfColumn, Interval, Window

Told = float | Interval | Figure | None
Reports = Mapping[int, DriftReport]
"""Reports about drift, by the start of their window."""
Reader = Callable[[Window, Alert, DriftReport | None], Told]


def series_of(alert: Alert, windows: Sequence[Window], reports: Reports | None = None) -> Series:
    """The alert's measure in each window that the alert's version answered, up to the alert's own, earliest first.

    A measure that windows do not hold is told by the alert's own figure alone. `reports`: of these windows, for an
    alert that `needs_reports`.
    """
    proof, known = alert.evidence, reports or {}
    points = [
        _point(window, READERS[alert.monitor](window, alert, known.get(window.start_at)))
        for window in sorted(windows, key=lambda one: one.start_at)
        if window.version == proof.version and window.start_at < proof.window_end_at
    ]
    if not any(point.end_at == proof.window_end_at and point.value is not None for point in points):
        points = [point for point in points if point.end_at != proof.window_end_at]
        points.append(Point(start_at=proof.window_start_at, end_at=proof.window_end_at, value=proof.value))
    return Series(
        alert_id=alert.alert_id,
        measure=proof.measure,
        threshold=proof.threshold,
        direction=proof.direction,
        points=points,
    )


def needs_reports(alert: Alert) -> bool:
    """Whether its measure is in the reports about drift, which are large, and not in the windows."""
    return alert.monitor in ("drift", "data_quality") and (
        alert.subject.startswith(TOGETHER) or aspect_of(alert.subject) not in (None, "missing")
    )


def _point(window: Window, told: Told) -> Point:
    if told is None or isinstance(told, float):
        return Point(start_at=window.start_at, end_at=window.end_at, value=told)
    return Point(start_at=window.start_at, end_at=window.end_at, value=told.value, low=told.low, high=told.high)


def _drift(window: Window, alert: Alert, report: DriftReport | None) -> float | None:
    if alert.subject.startswith(TOGETHER):
        name = "domain_classifier" if alert.evidence.measure == "auc" else "reconstruction"
        return next((one.value for one in report.together if one.name == name), None) if report else None
    aspect = aspect_of(alert.subject)
    if aspect is None:
        return _of_column(window, alert.subject, lambda one: one.psi_excess)
    against = "previous" if aspect == "previous window" else "season"
    columns = [one for each in report.comparisons if each.against == against for one in each.columns] if report else []
    psi = next((one.value_of("psi") for one in columns if one.column == column_of(alert.subject)), None)
    return psi.value - (psi.threshold - report.floor) if psi and report else None


def _quality(window: Window, alert: Alert, report: DriftReport | None) -> float | None:
    name = column_of(alert.subject)
    if alert.evidence.measure == "schema":
        if report is None:
            return None
        return float(any(one.column == name and one.problem != "extra" for one in report.schema))
    shares: dict[str, Callable[[DriftOfColumn], float | None]] = {
        "new_level_share": lambda one: one.new_level_share,
        "out_of_range_share": lambda one: one.out_of_range_share,
        "null_share": lambda one: one.null_share,
    }
    read = shares.get(alert.evidence.measure)
    return _of_column(window, name, read) if read else None


def _of_column(window: Window, name: str, read: Callable[[DriftOfColumn], float | None]) -> float | None:
    return next((read(one) for one in window.drift if one.column == name), None)


def _accuracy(window: Window, alert: Alert, _: DriftReport | None) -> Told:
    if alert.evidence.measure == "roc_auc":
        return window.judged_roc_auc
    judged = window.measured.judged if window.measured else None
    return judged if judged and judged.metric == alert.evidence.measure else None


def _calibration(window: Window, _: Alert, __: DriftReport | None) -> Told:
    return window.judged_calibration_gap


def _latency(window: Window, alert: Alert, _: DriftReport | None) -> Told:
    told = alert.evidence.measure == "slow_share" and window.requests
    return window.slow_requests / window.requests if told else None


def _harm(window: Window, alert: Alert, _: DriftReport | None) -> Told:
    """The mean loss of a window in its own unit, as the alert's; the detector's statistic is another number."""
    if alert.evidence.measure == "brier":
        return window.brier
    if alert.evidence.measure == "value":
        return window.value_per_prediction
    if alert.evidence.measure == "absolute_error":
        figures = window.measured.figures if window.measured else []
        return next((one for one in figures if one.metric == "mae"), None)
    told = window.confusion
    wrong, right = (
        (told.false_positive + told.false_negative, told.true_positive + told.true_negative) if told else (0, 0)
    )
    return wrong / (wrong + right) if wrong + right else None


def _estimate(window: Window, alert: Alert, _: DriftReport | None) -> Told:
    estimates = window.estimated.estimates if window.estimated else []
    one = next((one for one in estimates if one.metric == alert.subject and not one.reason), None)
    if one is None:
        return None
    if not alert.evidence.measure.startswith("estimated_"):
        return one.truth
    return Interval(value=one.value, low=one.low, high=one.high, confidence=one.confidence)


def _label_lag(window: Window, _: Alert, __: DriftReport | None) -> Told:
    return window.arrival.share if window.arrival else None


def _by_the_clock(_: Window, __: Alert, ___: DriftReport | None) -> None:
    """Budgets burn by the clock, windows are of event time: the series of the service shows them."""


READERS: Mapping[MonitorKind, Reader] = {
    "drift": _drift,
    "data_quality": _quality,
    "accuracy": _accuracy,
    "calibration": _calibration,
    "latency": _latency,
    "harm": _harm,
    "estimate": _estimate,
    "label_lag": _label_lag,
    "slo_availability": _by_the_clock,
    "slo_latency": _by_the_clock,
}
"""What windows hold of the measure of each kind of alert."""
