"""What an estimate says to its monitor: a warning while outcomes are missing, and no more than that. Pure."""

from __future__ import annotations

import msgspec

from tenure.monitor import judging
from tenure.monitor.alerts import Finding
from tenure.records.alerts import Evidence
from tenure.records.estimates import Estimate
from tenure.records.measured import BETTER
from tenure.records.model_files import Monitors
from tenure.records.span_words import span
from tenure.records.windows import Window
from tenure.stats.budget import proven_above, proven_below
from tenure.stats.intervals import z_of


def of(window: Window, monitors: Monitors) -> list[Finding]:
    """Whether the estimated accuracy lies wholly beyond what the model's file asks; nothing when it cannot be told.

    Once the window's outcomes are complete the truth decides: it confirms the warning, or ends it. The truth alone
    raises none: that is for the monitor of accuracy.
    """
    asked = monitors.accuracy
    estimates = window.estimated.estimates if window.estimated and asked else []
    one = next((one for one in estimates if asked and one.metric == asked.metric and not one.reason), None)
    if asked is None or one is None or one.value is None or one.low is None or one.high is None:
        return []
    threshold, side = asked.threshold, "below" if BETTER[asked.metric] == "higher" else "above"
    known = one.truth is not None
    confirmed = one.truth is None or (one.truth < threshold if side == "below" else one.truth > threshold)
    breach = is_beyond(one, threshold, side, judging.level(monitors)) and confirmed
    figures = {
        "measure": one.metric if known else f"estimated_{one.metric}",
        "value": one.truth if known else one.value,
        "threshold": threshold,
        "direction": side,
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
            message=_said(window, one, threshold, side, breach),
            evidence=msgspec.convert(figures, Evidence),
        )
    ]


def is_beyond(one: Estimate, threshold: float, side: str, alpha: float) -> bool:
    """Whether an estimate lies below or above a threshold: its whole interval, and so surely that the budget is
    kept."""
    if one.value is None or one.low is None or one.high is None:
        return False
    if one.high >= threshold if side == "below" else one.low <= threshold:
        return False
    variance = ((one.high - one.low) / (2 * z_of(one.confidence))) ** 2
    proven = proven_below if side == "below" else proven_above
    return proven(one.value, variance, threshold, alpha).proven


def _said(window: Window, one: Estimate, threshold: float, side: str, breach: bool) -> str:
    called = "ROC AUC" if one.metric == "roc_auc" else f"The {one.metric.replace('_', ' ')}"
    asked = f"{threshold:g} or {'more' if side == 'below' else 'less'}"
    where = f"version {window.version} at endpoint {window.endpoint!r} {span(window.start_at, window.end_at)}"
    guess = f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f} at {one.confidence:.0%} confidence)"
    if one.truth is not None:
        told = "confirmed" if breach else "no breach"
        return (
            f"{called} of {where} was estimated as {guess} before outcomes came; {asked} are asked for. It "
            f"is {told}: {one.truth:.3f}, on {window.outcomes:,} outcomes."
        )
    lies = f"wholly {side}" if breach else f"not proven to lie {side}"
    return (
        f"{called} of {where} is estimated as {guess}, {lies} the {threshold:g} that are asked for, on "
        f"{window.predictions:,} predictions whose outcomes are not complete yet."
    )
