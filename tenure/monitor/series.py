"""The measure of an alert over the windows before it: what a picture of the alert is drawn from. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tenure.records.alerts import Alert
from tenure.records.incidents import Point, Series
from tenure.records.windows import DriftOfColumn, Interval, Window

Figure = float | Interval | None


def series_of(alert: Alert, windows: Sequence[Window]) -> Series:
    """The alert's measure in each window that the alert's version answered, up to the alert's own, earliest first.

    A measure that windows do not hold is told by the alert's own figure alone.
    """
    proof = alert.evidence
    measure = MEASURES.get(proof.measure)
    points = [
        _point(window, measure(window, alert.subject))
        for window in sorted(windows, key=lambda one: one.start_at)
        if measure and window.version == proof.version and window.start_at < proof.window_end_at
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


def _point(window: Window, figure: Figure) -> Point:
    if isinstance(figure, Interval):
        return Point(
            start_at=window.start_at, end_at=window.end_at, value=figure.value, low=figure.low, high=figure.high
        )
    return Point(start_at=window.start_at, end_at=window.end_at, value=figure)


def _column(read: Callable[[DriftOfColumn], float | None]) -> Callable[[Window, str], Figure]:
    def of(window: Window, subject: str) -> Figure:
        return next((read(one) for one in window.drift if one.column == subject), None)

    return of


MEASURES: dict[str, Callable[[Window, str], Figure]] = {
    "psi_excess": _column(lambda one: one.psi_excess),
    "new_level_share": _column(lambda one: one.new_level_share),
    "out_of_range_share": _column(lambda one: one.out_of_range_share),
    "roc_auc": lambda window, _: window.judged_roc_auc,
    "calibration_gap": lambda window, _: window.judged_calibration_gap,
    "slow_share": lambda window, _: window.slow_requests / window.requests if window.requests else None,
}
"""What windows hold of each measure that alerts are about."""
