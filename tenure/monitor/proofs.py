"""Whether what a model's file promises is proven to be broken, at a level of the budget of false alerts. Pure."""

from __future__ import annotations

from tenure.records.measured import BETTER
from tenure.records.model_files import Monitors
from tenure.records.windows import State
from tenure.stats import budget
from tenure.stats.intervals import Interval3


def accuracy_state(auc: Interval3, asked: Interval3, monitors: Monitors, alpha: float) -> State:
    """Whether the metric that the file asks for is proven to lie on the wrong side of what it promises."""
    promised = monitors.accuracy
    told = auc if promised is None or promised.metric == "roc_auc" else asked
    if promised is None or told.value is None:
        return "not_enough_data"
    better, held = BETTER[promised.metric], promised.threshold
    if better == "zero":
        return _off_zero(told, held, alpha)
    proven = budget.proven_below if better == "higher" else budget.proven_above
    return "breach" if proven(told.value, told.variance, held, alpha).proven else "ok"


def calibration_state(gap: Interval3, monitors: Monitors, alpha: float) -> State:
    if monitors.calibration is None or gap.value is None:
        return "not_enough_data"
    return _off_zero(gap, monitors.calibration.at_most, alpha)


def _off_zero(told: Interval3, allowed: float, alpha: float) -> State:
    """Whether an estimate is proven to lie further from 0 than is allowed; two sides share the level."""
    above = budget.proven_above(told.value, told.variance, allowed, alpha / 2)
    below = budget.proven_below(told.value, told.variance, -allowed, alpha / 2)
    return "breach" if above.proven or below.proven else "ok"
