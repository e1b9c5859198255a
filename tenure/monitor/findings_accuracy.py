"""What a judged window says of the accuracy that the model's file promises. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tenure.monitor import judging
from tenure.monitor.alerts import Finding
from tenure.records.alerts import Evidence
from tenure.records.measured import BETTER, NAMES, Figure
from tenure.records.model_files import AtLeast, Monitors
from tenure.records.span_words import instant
from tenure.records.windows import Window


def findings(window: Window, monitors: Monitors, alpha: float) -> Iterator[Finding]:
    """One finding when the promised metric could be judged: a breach is a proof, never a value alone."""
    promised = monitors.accuracy
    if promised is None or window.accuracy_state == "not_enough_data":
        return
    figure = _judged(window, promised)
    if figure is None or figure.value is None:
        return
    below = BETTER[promised.metric] == "higher" or (BETTER[promised.metric] == "zero" and figure.value < 0)
    held = math.copysign(promised.threshold, figure.value) if BETTER[promised.metric] == "zero" else promised.threshold
    breach = window.accuracy_state == "breach"
    side = f"lie {'below' if below else 'above'} {held:g}"
    message = (
        f"{NAMES[promised.metric]} of version {window.version} at endpoint {window.endpoint!r} "
        f"is {'' if breach else 'not '}proven to {side}: {_told(figure)}, on {figure.n:,} outcomes up to "
        f"{instant(window.end_at)}."
    )
    yield Finding(
        monitor="accuracy",
        subject=promised.metric,
        breach=breach,
        provisional=window.provisional,
        message=message,
        evidence=Evidence(
            measure=promised.metric,
            value=figure.value,
            threshold=held,
            direction="below" if below else "above",
            level=alpha / judging.LOOKS,
            n_window=figure.n,
            window_start_at=window.start_at,
            window_end_at=window.end_at,
            version=window.version,
        ),
    )


def _judged(window: Window, promised: AtLeast) -> Figure | None:
    if promised.metric != "roc_auc":
        return window.measured.judged if window.measured else None
    auc = window.judged_roc_auc
    if auc is None:
        return None
    return Figure(
        metric="roc_auc",
        value=auc.value,
        low=auc.low,
        high=auc.high,
        n=window.judged_outcomes,
        confidence=auc.confidence,
    )


def _told(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return f"{figure.value:.4g}"
    digits = ".3f" if BETTER[figure.metric] == "higher" else ".4g"
    span = f"{figure.low:{digits}} to {figure.high:{digits}} at {figure.confidence:.1%} confidence"
    return f"{figure.value:{digits}} ({span})"
