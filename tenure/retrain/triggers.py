"""What starts a retraining: pure functions over judged windows and matured rows.

The threshold is a number that people declared, or the ROC AUC of the version's own baseline less a drop: what a model
was approved with is a promise, so it is taken without error, and the uncertainty is that of the recent rows alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tenure.records.model_files import Monitors
from tenure.records.windows import Window
from tenure.retrain.evidence import Span
from tenure.stats import accuracy, budget

Floats = NDArray[np.float64]
Figures = dict[str, float | int | str | None]
DAYS_PER_YEAR = 365.25
SHARED_BY = 4
"""The budget of false alerts is shared by the monitors of drift, accuracy and calibration and by this trigger."""


def recent(windows: Sequence[Window], min_outcomes: int) -> Span | None:
    """The shortest stretch of the newest mature windows, without a gap, that holds `min_outcomes`; None without one.

    Windows that are provisional are left out at the end of the time line and end the stretch in its middle: outcomes
    that come early are not like those that come late.
    """
    newest_first = sorted(windows, key=lambda window: window.end_at, reverse=True)
    while newest_first and newest_first[0].provisional:
        newest_first.pop(0)
    outcomes, until_at = 0, newest_first[0].end_at if newest_first else 0
    from_at = until_at
    for window in newest_first:
        if window.provisional or window.end_at != from_at:
            return None
        outcomes, from_at = outcomes + window.outcomes, window.start_at
        if outcomes >= min_outcomes:
            return Span(from_at=from_at, until_at=until_at, outcomes=outcomes)
    return None


def level(monitors: Monitors) -> float:
    """The error level of one look, so that all looks of a year stay within the budget of false alerts.

    Looks share rows with the ones before them; the expected number of false alerts adds up all the same.
    """
    return budget.level_per_test(monitors.false_alerts_per_year, DAYS_PER_YEAR / monitors.window_days, SHARED_BY)


def accuracy_lost(y: Floats, score: Floats, *, threshold: float, level: float) -> tuple[bool, Figures]:
    """Whether the ROC AUC is proven to lie below a threshold, and the figures of it.

    Proven means: the one-sided upper bound at `level`, by DeLong's variance, lies below the threshold. A model that
    is not below it fires with probability `level` at most.
    """
    measured = accuracy.roc_auc_interval(y, score)
    proof = budget.proven_below(measured.value, measured.variance, threshold, level)
    figures: Figures = {
        "kind": "accuracy",
        "metric": "roc_auc",
        "threshold": threshold,
        "value": measured.value,
        "upper_bound": proof.bound,
        "p_value": proof.p_value,
        "level": level,
        "rows": len(y),
        "positives": int(np.sum(y)),
    }
    return proof.proven, figures
