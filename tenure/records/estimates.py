"""How good a window's predictions are, said before their outcomes were known, and held against what came."""

from __future__ import annotations

from typing import Literal

from tenure.records.base import Record

EstimatedMetric = Literal[
    "accuracy", "precision", "recall", "f1", "roc_auc", "brier", "log_loss", "event_rate", "mae", "rmse"
]
Method = Literal["calibrated", "weighted", "direct_loss"]


class Estimate(Record):
    """One figure of a window with its interval.

    A `reason` says why it cannot be estimated. When that is because past estimates missed, the figures are kept all
    the same, to be checked further; they are not to be relied on. `truth` is the figure of the outcomes that came.
    """

    metric: EstimatedMetric
    value: float | None = None
    low: float | None = None
    high: float | None = None
    confidence: float = 0.95
    reason: str = ""
    truth: float | None = None

    @property
    def held(self) -> bool | None:
        """Whether the truth lay within the interval; None when that cannot be checked."""
        if self.truth is None or self.low is None or self.high is None:
            return None
        return self.low <= self.truth <= self.high


class Estimation(Record):
    """What was estimated of a window when it was judged for the first time, from rows before it alone.

    `reference_rows` rows with known outcomes taught it: of the earlier windows from `reference_from_at` on (0: of the
    version's baseline). `effective_rows` of them count once they are weighted to look like the window's rows. A
    `reason` says why nothing could be estimated; `unweighted` says why rows were not weighted.
    """

    method: Method
    predictions: int
    reference_rows: int = 0
    reference_from_at: int = 0
    effective_rows: float | None = None
    estimates: list[Estimate] = []
    reason: str = ""
    unweighted: str = ""


class EstimateRecord(Record):
    """How estimates of one metric of one version at one endpoint fared: of `checked`, `held` held the truth.

    `mean_error` is the mean absolute difference of estimate and truth. `refuted`: of late so many missed that this
    metric is not estimated until its record is better.
    """

    version: int
    metric: EstimatedMetric
    checked: int
    held: int
    mean_error: float
    refuted: bool
