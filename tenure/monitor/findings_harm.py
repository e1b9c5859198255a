"""What a detector of harm says, in plain sentences."""

from __future__ import annotations

import msgspec

from tenure.monitor.alerts import Finding
from tenure.monitor.harms import CALLED
from tenure.monitor.losses import in_own_unit
from tenure.records.alerts import Evidence
from tenure.records.base import moment_of
from tenure.records.harm import Alarm, Detector, Reference
from tenure.records.windows import Window


def harm_finding(detector: Detector, window: Window, *, anew: bool) -> Finding:
    """What a detector that has a reference says after a window."""
    assert detector.reference is not None
    alarm = detector.alarm if detector.state == "firing" else None
    evidence = _evidence(detector, detector.reference, alarm)
    about = {"window_start_at": window.start_at, "window_end_at": window.end_at, "version": window.version}
    return Finding(
        monitor="harm",
        subject=detector.detector,
        breach=alarm is not None,
        provisional=False,
        message=_breach(detector, detector.reference, alarm) if alarm else _in_order(detector, detector.reference),
        evidence=msgspec.structs.replace(evidence, **about),
        anew=anew,
    )


def _evidence(detector: Detector, reference: Reference, alarm: Alarm | None) -> Evidence:
    name = detector.detector
    return Evidence(
        measure=name,
        value=alarm.mean if alarm else in_own_unit(name, detector.memory.total / detector.memory.rows, reference),
        threshold=in_own_unit(name, reference.mu0, reference),
        direction="below" if name == "value" else "above",
        level=1 / detector.run_length,
        n_baseline=reference.rows,
        n_window=alarm.rows if alarm else detector.memory.rows,
        began_at=alarm.began_at if alarm else 0,
    )


def _breach(detector: Detector, reference: Reference, alarm: Alarm) -> str:
    name = detector.detector
    moved = "has fallen" if name == "value" else "has risen"
    bound = f"{'at least' if name == 'value' else 'at most'} {in_own_unit(name, reference.mu0, reference):.4g}"
    return (
        f"The {CALLED[name]} of version {detector.version} at endpoint {detector.endpoint!r} {moved}, probably since "
        f"{_minute(alarm.began_at)}: {alarm.mean:.4g} ({alarm.low:.4g} to {alarm.high:.4g}) on {alarm.rows:,} rows, "
        f"where {_source(reference)} had {alarm.reference:.4g} and {bound} "
        f"is no harm. False alarms of this detector come once in {alarm.threshold:,.0f} rows or more rarely. "
        "Acknowledge it, and the detector begins again."
    )


def _in_order(detector: Detector, reference: Reference) -> str:
    name = detector.detector
    return (
        f"The {CALLED[name]} of version {detector.version} at endpoint {detector.endpoint!r} is not proven to be worse "
        f"than {in_own_unit(name, reference.mu0, reference):.4g}, on {detector.memory.rows:,} rows."
    )


def _source(reference: Reference) -> str:
    return "its baseline" if reference.source == "baseline" else f"its first {reference.rows:,} outcomes"


def _minute(instant: int) -> str:
    return moment_of(instant).strftime("%Y-%m-%d %H:%M UTC")
