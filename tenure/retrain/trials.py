"""The trial of a challenger: it scores the same rows as the champion, and is looked at once.

When the look happens is fixed before the trial begins, by event time and by the count of outcomes; neither says
anything about who is better, and there is no second look. So the interval of the paired difference means what it says:
a challenger that is no better is promoted with probability (1 − confidence) / 2 at most, without any correction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tenure.records.base import DAY_US
from tenure.records.model_files import Accept
from tenure.records.retraining import Comparison
from tenure.records.windows import Interval, Window
from tenure.retrain.evidence import Span
from tenure.stats import accuracy, distances, intervals

Floats = NDArray[np.float64]
PATIENCE = 4
"""A trial that has not gathered its outcomes after so many times its planned days ends as undecided."""
PSI_BINS = 10


def standing(
    windows: Sequence[Window], started_event_at: int, accept: Accept
) -> tuple[Literal["waiting", "due", "out_of_time"], Span]:
    """Whether the one look is due, from the challenger's windows, and over which span of event time.

    Only windows whose outcomes are mature count. It is due at the first window whose end lies `shadow_days` after the
    start of the shadow and that brings the outcomes to `shadow_outcomes`.
    """
    outcomes, until_at = 0, started_event_at
    for window in sorted(windows, key=lambda window: window.end_at):
        if window.provisional:
            break
        outcomes, until_at = outcomes + window.outcomes, window.end_at
        long_enough = until_at >= started_event_at + accept.shadow_days * DAY_US
        if long_enough and outcomes >= accept.shadow_outcomes:
            return "due", Span(from_at=started_event_at, until_at=until_at, outcomes=outcomes)
    seen_until = max((window.end_at for window in windows), default=started_event_at)
    late = seen_until >= started_event_at + PATIENCE * accept.shadow_days * DAY_US
    return "out_of_time" if late else "waiting", Span(from_at=started_event_at, until_at=until_at, outcomes=outcomes)


def compare(y: Floats, champion: Floats, challenger: Floats, accept: Accept) -> Comparison:
    """Judge a challenger on the rows that both scored.

    Parameters
    ----------
    y
        Outcomes, 0 or 1, shape (n,).
    champion, challenger
        Scores of the same rows, shape (n,), higher means more likely 1.
    """
    confidence = accept.better.confidence
    auc = [accuracy.roc_auc_interval(y, score, confidence) for score in (champion, challenger)]
    auc_difference = accuracy.roc_auc_difference(y, champion, challenger, confidence)
    brier_difference = intervals.mean_interval((challenger - y) ** 2 - (champion - y) ** 2, confidence)
    better, better_reason = _better(auc_difference, accept)
    no_worse, no_worse_reason = _no_worse(brier_difference, accept)
    return Comparison(
        rows=len(y),
        champion_roc_auc=_interval(auc[0], confidence),
        challenger_roc_auc=_interval(auc[1], confidence),
        roc_auc_difference=_interval(auc_difference, confidence),
        champion_brier=float(np.mean((champion - y) ** 2)),
        challenger_brier=float(np.mean((challenger - y) ** 2)),
        brier_difference=_interval(brier_difference, confidence),
        score_psi=score_psi(champion, challenger),
        accepted=better and no_worse,
        reasons=[better_reason, *no_worse_reason],
    )


def score_psi(champion: Floats, challenger: Floats) -> float:
    """How far the challenger's scores lie from the champion's: PSI over the champion's deciles, 0 = same shape."""
    edges = np.unique(np.quantile(champion, np.linspace(0, 1, PSI_BINS + 1)[1:-1]))
    counts = [
        np.bincount(np.searchsorted(edges, scores, side="right"), minlength=len(edges) + 1)
        for scores in (champion, challenger)
    ]
    return float(distances.psi(counts[0], counts[1]))


def _better(difference: intervals.Interval3, accept: Accept) -> tuple[bool, str]:
    asked, told = accept.better, _told(difference, accept.better.confidence)
    if difference.low is None:
        return False, "The difference in ROC AUC cannot be told: the rows hold only one kind of outcome."
    if difference.low > asked.margin:
        return True, f"ROC AUC is proven better by more than {asked.margin:g}: {told}."
    return False, f"ROC AUC is not proven better by more than {asked.margin:g}: {told}."


def _no_worse(difference: intervals.Interval3, accept: Accept) -> tuple[bool, list[str]]:
    asked, told = accept.no_worse, _told(difference, accept.better.confidence)
    if asked is None:
        return True, []
    if difference.high is not None and difference.high <= asked.margin:
        return True, [f"The Brier score is proven no worse by more than {asked.margin:g}: {told}."]
    return False, [f"The Brier score is not proven no worse by more than {asked.margin:g}: {told}."]


def _told(difference: intervals.Interval3, confidence: float) -> str:
    if difference.low is None or difference.high is None:
        return "it cannot be told"
    return f"challenger minus champion is {difference.value:+.4f}, {confidence:.0%} interval " + (
        f"{difference.low:+.4f} to {difference.high:+.4f}"
    )


def _interval(measured: intervals.Interval3, confidence: float) -> Interval:
    return Interval(value=measured.value, low=measured.low, high=measured.high, confidence=confidence)
