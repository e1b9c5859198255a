"""What starts a retraining: pure functions over judged windows and matured rows.

The threshold is a number that people declared, or the ROC AUC of the version's own baseline less a drop: what a model
was approved with is a promise, so it is taken without error, and the uncertainty is that of the recent rows alone.
A retraining starts on the same proof, at the same level, as an alert.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tenure.records.windows import Window
from tenure.retrain.evidence import Span
from tenure.stats import accuracy, budget

Floats = NDArray[np.float64]
Figures = dict[str, float | int | str | None]


def recent(windows: Sequence[Window], min_outcomes: int) -> Span | None:
    """The shortest stretch of the newest mature windows that holds `min_outcomes`; None when there is none.

    Windows that are provisional are left out at the end of the time line and end the stretch in its middle: outcomes
    that come early are not like those that come late.
    """
    newest_first = sorted(windows, key=lambda window: window.end_at, reverse=True)
    while newest_first and newest_first[0].provisional:
        newest_first.pop(0)
    outcomes = 0
    for window in newest_first:
        if window.provisional:
            return None
        outcomes += window.outcomes
        if outcomes >= min_outcomes:
            return Span(from_at=window.start_at, until_at=newest_first[0].end_at, outcomes=outcomes)
    return None


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
