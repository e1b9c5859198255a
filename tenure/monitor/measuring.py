"""A window's answers measured by the figures of their task: pure, arrays in, one record out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from tenure.monitor.answers import Answers
from tenure.monitor.rows import Array
from tenure.records.measured import (
    TASKS,
    CalibrationPoint,
    ClassConfusion,
    ClassFigures,
    ClassMistake,
    ErrorCounts,
    Figure,
    Line,
    Measured,
    Metric,
    Task,
)
from tenure.stats import accuracy, decisions, multiclass, regression
from tenure.stats.intervals import REPLICATES, UNKNOWN, Interval3
from tenure.stats.resampling import Totals

CONFIDENCE = 0.95
FEW_REPLICATES, MANY_ROWS = 50, 20_000
"""Beyond so many rows fewer replicates are drawn; Student's quantile allows for it."""
POINTS = 64
CLASSES_SHOWN = 12
MISTAKES_SHOWN = 5


def measured(answers: Answers) -> Measured:
    """Every figure of the answers' task, and what its pictures are drawn from."""
    prepared = Prepared(answers)
    figures = [
        _figure(metric, prepared.told(metric, CONFIDENCE), len(answers), CONFIDENCE)
        for metric, tasks in TASKS.items()
        if answers.task in tasks
    ]
    return Measured(
        task=answers.task,
        outcomes=len(answers),
        figures=[figure for figure in figures if figure.value is not None],
        left_out=answers.left_out,
        **_PICTURES[answers.task](prepared),
    )


def asked(metric: Metric, answers: Answers, confidence: float) -> tuple[Figure, Interval3] | None:
    """The one measure that the model's file asks for, with its variance; None when it is none of the answers' task."""
    if answers.task not in TASKS[metric]:
        return None
    told = Prepared(answers).told(metric, confidence)
    return _figure(metric, told, len(answers), confidence), told


class Prepared:
    """Answers with what several measures share, made when the first of them asks."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.replicates = REPLICATES if len(answers) <= MANY_ROWS else FEW_REPLICATES
        self._made: dict[str, Any] = {}

    def told(self, metric: Metric, confidence: float) -> Interval3:
        """A measure with its interval; unknown where the answers do not have what it needs."""
        if not len(self.answers):
            return UNKNOWN
        return MEASURES[self.answers.task][metric](self, confidence)

    @property
    def keys(self) -> Array:
        return self.answers.key

    @property
    def codes(self) -> multiclass.Codes:
        return self.answers.y.astype(np.int64)

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    def ranked(self) -> decisions.Ranked:
        one = self.answers
        made: decisions.Ranked = self.once(
            "ranked", lambda: decisions.ranked(one.y, one.score, self.keys, self.replicates)
        )
        return made

    def counts(self) -> accuracy.ConfusionCounts | None:
        one = self.answers
        made: accuracy.ConfusionCounts | None = self.once(
            "counts", lambda: None if one.action is None else accuracy.confusion(one.y, one.action)
        )
        return made

    def numbers(self) -> Totals:
        one = self.answers
        made: Totals = self.once("numbers", lambda: regression.of_rows(one.y, one.score, self.keys, self.replicates))
        return made

    def classes(self) -> Totals:
        one = self.answers
        assert one.said is not None
        said = one.said
        made: Totals = self.once(
            "classes",
            lambda: multiclass.of_rows(self.codes, said, len(one.classes), self.keys, self.replicates),
        )
        return made


Measure = Callable[[Prepared, float], Interval3]


def _of_counts(share: Callable[[accuracy.ConfusionCounts, float], Interval3]) -> Measure:
    def told(given: Prepared, confidence: float) -> Interval3:
        counts = given.counts()
        return UNKNOWN if counts is None else share(counts, confidence)

    return told


def _f1(given: Prepared, confidence: float) -> Interval3:
    one = given.answers
    if one.action is None:
        return UNKNOWN
    return decisions.f1(one.y, one.action, given.keys, confidence, given.replicates)


def _of_chances(share: Callable[[Any, Any, float], Interval3]) -> Measure:
    def told(given: Prepared, confidence: float) -> Interval3:
        chances = given.answers.chances
        return UNKNOWN if chances is None else share(given.codes, chances, confidence)

    return told


def _coverage(given: Prepared, confidence: float) -> Interval3:
    one = given.answers
    if one.low is None or one.high is None:
        return UNKNOWN
    return regression.coverage(one.y, one.low, one.high, confidence)


def _averaged(share: multiclass.Share, average: multiclass.Average, given: Prepared, confidence: float) -> Interval3:
    return multiclass.averaged(given.classes(), share, average, confidence)


_RANKING: dict[Metric, Measure] = {
    "roc_auc": lambda given, confidence: accuracy.roc_auc_interval(given.answers.y, given.answers.score, confidence),
    "pr_auc": lambda given, confidence: decisions.average_precision(given.ranked(), confidence),
    "ks": lambda given, confidence: decisions.ks(given.ranked(), confidence),
    "accuracy": _of_counts(decisions.accuracy),
    "precision": _of_counts(decisions.precision),
    "recall": _of_counts(decisions.recall),
    "specificity": _of_counts(decisions.specificity),
    "f1": _f1,
}
MEASURES: Mapping[Task, Mapping[Metric, Measure]] = {
    "ranking": _RANKING,
    "binary": {
        **_RANKING,
        "brier": lambda given, confidence: accuracy.brier_interval(given.answers.y, given.answers.score, confidence),
        "log_loss": lambda given, confidence: decisions.log_loss(given.answers.y, given.answers.score, confidence),
    },
    "multiclass": {
        "accuracy": lambda given, confidence: multiclass.accuracy(given.codes, given.answers.said, confidence),  # type: ignore[arg-type]
        "log_loss": _of_chances(multiclass.log_loss),
        "macro_precision": partial(_averaged, "precision", "macro"),
        "macro_recall": partial(_averaged, "recall", "macro"),
        "macro_f1": partial(_averaged, "f1", "macro"),
        "weighted_precision": partial(_averaged, "precision", "weighted"),
        "weighted_recall": partial(_averaged, "recall", "weighted"),
        "weighted_f1": partial(_averaged, "f1", "weighted"),
        "ovr_auc": _of_chances(multiclass.one_against_rest_auc),
    },
    "regression": {
        "mae": lambda given, confidence: regression.mae(given.numbers(), confidence),
        "rmse": lambda given, confidence: regression.rmse(given.numbers(), confidence),
        "mape": lambda given, confidence: regression.mape(given.numbers(), confidence),
        "smape": lambda given, confidence: regression.smape(given.numbers(), confidence),
        "wape": lambda given, confidence: regression.wape(given.numbers(), confidence),
        "r_squared": lambda given, confidence: regression.r_squared(given.numbers(), confidence),
        "bias": lambda given, confidence: regression.bias(given.numbers(), confidence),
        "interval_coverage": _coverage,
    },
}


def _of_decisions(given: Prepared) -> dict[str, Any]:
    one = given.answers
    counts = decisions.score_counts(one.y, one.score)
    drawn: dict[str, Any] = {
        "roc": _line(*decisions.roc_points(counts)),
        "precision_recall": _line(*decisions.pr_points(counts)),
    }
    if one.task == "binary":
        drawn["calibration"] = [
            CalibrationPoint(
                n=point.n,
                said=point.mean_score,
                happened=point.happened.value or 0.0,
                low=point.happened.low or 0.0,
                high=1.0 if point.happened.high is None else point.happened.high,
            )
            for point in decisions.calibration_curve(one.y, one.score)
        ]
    return drawn


def _of_classes(given: Prepared) -> dict[str, Any]:
    """The most frequent classes, and all others as one."""
    one = given.answers
    if not len(one) or one.said is None:
        return {}
    came = np.bincount(given.codes, minlength=len(one.classes))
    shown = np.sort(np.argsort(-came, kind="stable")[:CLASSES_SHOWN])
    place = np.full(len(one.classes), len(shown))
    place[shown] = np.arange(len(shown))
    labels = [one.classes[code] for code in shown.tolist()]
    labels += ["others"] if len(shown) < len(one.classes) else []
    counts = multiclass.confusion(place[given.codes], place[one.said], len(labels))
    return {
        "confusion": ClassConfusion(labels=labels, counts=counts.tolist()),
        "mistakes": [
            ClassMistake(came=labels[each.came], said=labels[each.said], rows=each.rows, share=each.share)
            for each in multiclass.top_confusions(counts, MISTAKES_SHOWN)
        ],
        "classes": [
            ClassFigures(
                label=one.classes[code],
                outcomes=int(came[code]),
                precision=_share_of(given, "precision", code),
                recall=_share_of(given, "recall", code),
            )
            for code in shown.tolist()
        ],
    }


def _share_of(given: Prepared, share: multiclass.Share, code: int) -> Figure:
    told = multiclass.of_class(given.classes(), share, code, CONFIDENCE)
    metric: Metric = "precision" if share == "precision" else "recall"
    return _figure(metric, told, len(given.answers), CONFIDENCE)


def _of_numbers(given: Prepared) -> dict[str, Any]:
    one = given.answers
    found = regression.residuals(one.y, one.score)
    return {
        "zeros": int(np.count_nonzero(one.y == 0)),
        "errors": ErrorCounts(edges=found.edges.tolist(), counts=found.counts.tolist()) if len(found.counts) else None,
    }


_PICTURES: Mapping[Task, Callable[[Prepared], dict[str, Any]]] = {
    "binary": _of_decisions,
    "ranking": _of_decisions,
    "multiclass": _of_classes,
    "regression": _of_numbers,
}


def _line(x: Array, y: Array) -> Line | None:
    """A curve by at most 64 of its points, the first and the last among them."""
    if not len(x):
        return None
    chosen = np.unique(np.linspace(0, len(x) - 1, min(POINTS, len(x))).astype(np.int64))
    return Line(x=[round(one, 5) for one in x[chosen].tolist()], y=[round(one, 5) for one in y[chosen].tolist()])


def _figure(metric: Metric, told: Interval3, n: int, confidence: float) -> Figure:
    return Figure(metric=metric, value=told.value, low=told.low, high=told.high, n=n, confidence=confidence)
