"""Which measure pages and charts show of a model over time: the promised one, else the usual one of its task."""

from __future__ import annotations

from collections.abc import Sequence

from tenure.records.base import Record
from tenure.records.estimates import Estimate
from tenure.records.measured import BETTER, NAMES, Figure, Metric, Task
from tenure.records.model_files import ModelFile
from tenure.records.profiles import Judged
from tenure.records.windows import Interval, Window
from tenure.web import wording

USUAL: dict[Task, Metric] = {"binary": "roc_auc", "ranking": "roc_auc", "multiclass": "accuracy", "regression": "mae"}
MEANINGS: dict[Metric, str] = {
    "roc_auc": "the chance that a yes is scored above a no: 0.5 is guessing, 1 is perfect",
    "pr_auc": "precision over all shares of the yes that are found; guessing gives the share of yes",
    "ks": "how far the scores of yes and no lie apart at best, 0 to 1",
    "accuracy": "the share of answers that were right",
    "precision": "of what was said yes, the share that is",
    "recall": "of what is yes, the share that was said so",
    "specificity": "of what is no, the share that was said so",
    "f1": "precision and recall in one, 0 to 1",
    "brier": "mean squared error of the chances, 0 is perfect",
    "log_loss": "how surprised the chances were, 0 is perfect",
    "macro_precision": "every class counts the same",
    "macro_recall": "every class counts the same",
    "macro_f1": "every class counts the same",
    "weighted_precision": "every class counts by its outcomes",
    "weighted_recall": "every class counts by its outcomes",
    "weighted_f1": "every class counts by its outcomes",
    "ovr_auc": "each class against all others: 0.5 is guessing, 1 is perfect",
    "mae": "how far off on average, in the unit of the outcome",
    "rmse": "how far off, large errors counting more, in the unit of the outcome",
    "mape": "how far off, as a share of each outcome: 0.1 is 10 %",
    "smape": "how far off, as a share of outcome and answer together: 0.1 is 10 %",
    "wape": "all errors as a share of all outcomes: 0.1 is 10 %",
    "r_squared": "the share of the outcomes' spread that is told; 1 is perfect, 0 no better than the mean",
    "bias": "answers less outcomes on average, in the unit of the outcome; 0 is even",
    "interval_coverage": "the share of outcomes within the model's intervals",
}
BETTER_WORDS = {"higher": "higher is better", "lower": "lower is better", "zero": "closer to 0 is better"}
UNBOUNDED = ("mae", "rmse", "bias", "log_loss")


class ShownMetric(Record):
    """A measure in words. `held` is where it must not lie beyond, as promised; None when nothing is promised of it."""

    metric: Metric
    name: str
    meaning: str
    better: str
    held: float | None = None

    @property
    def promise(self) -> str:
        """What is promised, in words; empty when nothing is."""
        if self.held is None:
            return ""
        side = {"higher": "at least", "lower": "at most", "zero": "off by at most"}[BETTER[self.metric]]
        return f"promised {side} {wording.figure(self.held)}"


def shown(file: ModelFile | None, windows: Sequence[Window]) -> ShownMetric:
    """The measure that the model's file promises, else the usual one of its task, as the file or the latest windows
    tell it; a model of which nothing is known is taken for one of yes or no."""
    promised = file.monitors.accuracy if file else None
    metric = promised.metric if promised else USUAL[_task(file, windows)]
    return ShownMetric(
        metric=metric,
        name=NAMES[metric],
        meaning=MEANINGS[metric],
        better=BETTER_WORDS[BETTER[metric]],
        held=promised.threshold if promised else None,
    )


def _task(file: ModelFile | None, windows: Sequence[Window]) -> Task:
    declared = file.prediction.known_task if file and file.prediction else None
    if declared is not None:
        return declared
    return next((one.measured.task for one in reversed(windows) if one.measured), "binary")


def figure_of(window: Window, metric: Metric) -> Figure:
    """What a window measured of it, with its interval and the outcomes behind it; without a value when it did not."""
    plain = {"roc_auc": window.roc_auc, "brier": window.brier}.get(metric)
    if plain is not None and plain.value is not None:
        return Figure(metric=metric, value=plain.value, low=plain.low, high=plain.high, n=window.outcomes)
    figures = window.measured.figures if window.measured else []
    known = next((one for one in figures if one.metric == metric), None)
    return known or Figure(metric=metric, value=None, low=None, high=None, n=0)


def estimate_of(window: Window, metric: Metric) -> Estimate | None:
    """What was said of it before the outcomes came; None when nothing was, or it was not to be relied on."""
    made = window.estimated.estimates if window.estimated else []
    known = next((one for one in made if one.metric == metric), None)
    return known if known and known.value is not None and not known.reason else None


def approved_with(judged: Judged | None, metric: Metric) -> Interval | None:
    """What a version's baseline says of it; None for measures that a baseline has not."""
    if judged is None or metric not in ("roc_auc", "brier"):
        return None
    if metric == "brier":
        return Interval(value=judged.brier, low=None, high=None)
    return Interval(value=judged.roc_auc, low=judged.roc_auc_low, high=judged.roc_auc_high)


def told(metric: Metric, value: float | None) -> str:
    """A value with the digits that its measure needs.

    >>> told("roc_auc", 0.71234), told("mae", 1234.5), told("bias", -0.25)
    ('0.712', '1,234', '−0.25')
    """
    return wording.figure(value) if metric in UNBOUNDED else wording.decimals(value)


def with_interval(one: Figure | Estimate | Interval, metric: Metric) -> str:
    """
    >>> with_interval(Interval(value=0.7, low=0.68, high=0.72), "roc_auc")
    '0.700 (0.680 to 0.720)'
    """
    if one.low is None or one.high is None or one.value is None:
        return told(metric, one.value)
    return f"{told(metric, one.value)} ({told(metric, one.low)} to {told(metric, one.high)})"
