"""How good answers were: the figures of a model's task, and what its pictures are drawn from."""

from __future__ import annotations

from typing import Literal

from tenure.records.base import Record

Task = Literal["binary", "ranking", "multiclass", "regression"]
Metric = Literal[
    "roc_auc",
    "pr_auc",
    "ks",
    "accuracy",
    "precision",
    "recall",
    "specificity",
    "f1",
    "brier",
    "log_loss",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "weighted_precision",
    "weighted_recall",
    "weighted_f1",
    "ovr_auc",
    "mae",
    "rmse",
    "mape",
    "smape",
    "wape",
    "r_squared",
    "bias",
    "interval_coverage",
]
Better = Literal["higher", "lower", "zero"]
_DECISIONS: tuple[Task, ...] = ("binary", "ranking")
_CHANCES: tuple[Task, ...] = ("binary", "multiclass")
_CLASSES: tuple[Task, ...] = ("multiclass",)
_NUMBERS: tuple[Task, ...] = ("regression",)
TASKS: dict[Metric, tuple[Task, ...]] = {
    "roc_auc": _DECISIONS,
    "pr_auc": _DECISIONS,
    "ks": _DECISIONS,
    "accuracy": ("binary", "ranking", "multiclass"),
    "precision": _DECISIONS,
    "recall": _DECISIONS,
    "specificity": _DECISIONS,
    "f1": _DECISIONS,
    "brier": ("binary",),
    "log_loss": _CHANCES,
    "macro_precision": _CLASSES,
    "macro_recall": _CLASSES,
    "macro_f1": _CLASSES,
    "weighted_precision": _CLASSES,
    "weighted_recall": _CLASSES,
    "weighted_f1": _CLASSES,
    "ovr_auc": _CLASSES,
    "mae": _NUMBERS,
    "rmse": _NUMBERS,
    "mape": _NUMBERS,
    "smape": _NUMBERS,
    "wape": _NUMBERS,
    "r_squared": _NUMBERS,
    "bias": _NUMBERS,
    "interval_coverage": _NUMBERS,
}
"""For which tasks each measure is. Micro averages are the accuracy, since each row is said and comes once."""
_LOWER = ("brier", "log_loss", "mae", "rmse", "mape", "smape", "wape")
BETTER: dict[Metric, Better] = {
    name: "lower" if name in _LOWER else "zero" if name == "bias" else "higher" for name in TASKS
}
NAMES: dict[Metric, str] = {
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
    "ks": "KS",
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "specificity": "Specificity",
    "f1": "F1",
    "brier": "Brier score",
    "log_loss": "Log loss",
    "macro_precision": "Precision, mean of classes",
    "macro_recall": "Recall, mean of classes",
    "macro_f1": "F1, mean of classes",
    "weighted_precision": "Precision, weighted",
    "weighted_recall": "Recall, weighted",
    "weighted_f1": "F1, weighted",
    "ovr_auc": "ROC AUC, each class against the rest",
    "mae": "Mean absolute error",
    "rmse": "Root mean squared error",
    "mape": "Mean absolute percentage error",
    "smape": "Symmetric percentage error",
    "wape": "Weighted percentage error",
    "r_squared": "R²",
    "bias": "Bias",
    "interval_coverage": "Coverage of the model's intervals",
}


class Figure(Record):
    """A measure of `n` outcomes with its interval; None stands for "cannot be told"."""

    metric: Metric
    value: float | None
    low: float | None
    high: float | None
    n: int
    confidence: float = 0.95


class ClassConfusion(Record):
    """Rows by the class that came (row) and the class that was said (column); rare classes are one, "others"."""

    labels: list[str]
    counts: list[list[int]]


class ClassFigures(Record):
    """One class: outcomes of it, and precision and recall with their intervals (Wilson)."""

    label: str
    outcomes: int
    precision: Figure
    recall: Figure


class ClassMistake(Record):
    """`rows` of the class that came, `share` of all of them, were said to be another."""

    came: str
    said: str
    rows: int
    share: float


class CalibrationPoint(Record):
    """Rows with scores alike: the mean of what was said, and the share in which it happened with its interval."""

    n: int
    said: float
    happened: float
    low: float
    high: float


class Line(Record):
    """Points of a curve, each with a number in both lists."""

    x: list[float]
    y: list[float]


class ErrorCounts(Record):
    """How often errors (prediction less outcome) lay between `edges`; the outer bins hold what lies beyond too."""

    edges: list[float]
    counts: list[int]


class Measured(Record):
    """How good the answers of a window were, over those with a known outcome.

    `outcomes` of them could be judged, `left_out` had no answer of the task's kind. `judged` is the measure that the
    model's file asks for, over as many windows as it asks, at the confidence of the budget of false alerts. `zeros`:
    outcomes of 0, which have no percentage error.
    """

    task: Task
    outcomes: int
    figures: list[Figure]
    left_out: int = 0
    zeros: int = 0
    judged: Figure | None = None
    roc: Line | None = None
    precision_recall: Line | None = None
    calibration: list[CalibrationPoint] = []
    classes: list[ClassFigures] = []
    confusion: ClassConfusion | None = None
    mistakes: list[ClassMistake] = []
    errors: ErrorCounts | None = None
