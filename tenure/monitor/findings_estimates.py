"""What an estimate says to its monitor: a warning while outcomes are missing, and no more than that. Pure."""

from __future__ import annotations

import msgspec

from tenure.monitor import judging
from tenure.monitor.alerts import Finding
from tenure.records.alerts import Evidence
from tenure.records.base import moment_of
from tenure.records.estimates import Estimate
from tenure.records.model_files import Monitors
from tenure.records.windows import Window
from tenure.stats.budget import proven_below
from tenure.stats.intervals import z_of


def of(window: Window, monitors: Monitors) -> list[Finding]:
    """Whether the estimated accuracy lies wholly below what the model's file asks; nothing when it cannot be told.

    Once the window's outcomes are complete the truth decides: it confirms the warning, or ends it. The truth alone
    raises none: that is for the monitor of accuracy.
    """
    estimates = window.estimated.estimates if window.estimated else []
    one = next((one for one in estimates if one.metric == "roc_auc" and not one.reason), None)
    if monitors.accuracy is None or one is None or one.value is None or one.high is None:
        return []
    at_least = monitors.accuracy.at_least
    known = one.truth is not None
    breach = is_below(one, at_least, judging.level(monitors)) and (one.truth is None or one.truth < at_least)
    figures = {
        "measure": "roc_auc" if known else "estimated_roc_auc",
        "value": one.truth if known else one.value,
        "threshold": at_least,
        "direction": "below",
        "n_baseline": window.estimated.reference_rows if window.estimated else 0,
        "n_window": window.outcomes if known else window.predictions,
        "window_start_at": window.start_at,
        "window_end_at": window.end_at,
        "version": window.version,
    }
    return [
        Finding(
            monitor="estimate",
            subject=one.metric,
            breach=breach,
            provisional=False,
            message=_said(window, one, at_least, breach),
            evidence=msgspec.convert(figures, Evidence),
        )
    ]


def is_below(one: Estimate, at_least: float, alpha: float) -> bool:
    """Whether an estimate lies below a threshold: its whole interval, and so surely that the budget is kept."""
    if one.value is None or one.low is None or one.high is None or one.high >= at_least:
        return False
    deviation = (one.high - one.low) / (2 * z_of(one.confidence))
    return proven_below(one.value, deviation**2, at_least, alpha).proven


def _said(window: Window, one: Estimate, at_least: float, breach: bool) -> str:
    span = f"from {_day(window.start_at)} to {_day(window.end_at)}"
    where = f"version {window.version} at endpoint {window.endpoint!r} {span}"
    guess = f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f} at {one.confidence:.0%} confidence)"
    if one.truth is not None:
        told = "confirmed" if breach else "no breach"
        return (
            f"ROC AUC of {where} was estimated as {guess} before outcomes came; {at_least:g} or more are asked for. It "
            f"is {told}: {one.truth:.3f}, on {window.outcomes:,} outcomes."
        )
    side = "wholly below" if breach else "not proven to lie below"
    return (
        f"ROC AUC of {where} is estimated as {guess}, {side} the {at_least:g} that are asked for, on "
        f"{window.predictions:,} predictions whose outcomes are not complete yet."
    )


def _day(instant: int) -> str:
    return moment_of(instant).date().isoformat()
