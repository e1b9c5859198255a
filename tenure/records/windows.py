"""A window: what one version did at one endpoint between two instants of event time, and how it is judged."""

from __future__ import annotations

from typing import Literal

from tenure.records.arrivals import Arrival
from tenure.records.base import Record
from tenure.records.estimates import Estimation
from tenure.records.measured import Measured
from tenure.records.profiles import Profile
from tenure.records.routing import ReleaseRole
from tenure.records.weaknesses import WeakSegment

State = Literal["ok", "breach", "not_enough_data"]


class Interval(Record):
    """A value with its confidence interval at `confidence`; None stands for "cannot be told"."""

    value: float | None
    low: float | None
    high: float | None
    confidence: float = 0.95


class DriftOfColumn(Record):
    """How far a column of this window lies from the baseline.

    `psi` is a distance (0 = same shape); `psi_excess` is it less what sampling alone gives; `p_value` and `q_value`
    (Benjamini–Hochberg over the columns) say how surprising it is without drift; `floor` is the effect that matters.
    """

    column: str
    psi: float
    psi_excess: float
    p_value: float
    q_value: float
    floor: float
    n_baseline: int
    n_window: int
    new_level_share: float | None = None
    out_of_range_share: float | None = None
    null_share: float = 0.0
    state: State = "ok"


class Confusion(Record):
    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int


class Segment(Record):
    """The accuracy of those rows of a window whose `column` has this value; for readers, judged by no monitor."""

    column: str
    value: str
    predictions: int
    outcomes: int
    roc_auc: Interval
    event_rate: Interval


class Window(Record):
    """Event time [start_at, end_at). `maturity` is the share of the outcomes that will come, as far as earlier windows
    tell, that are known; below what the model's file asks, figures that need outcomes are provisional. The states of
    accuracy and calibration rest on the `judged` figures: this window's outcomes and, when they are too few, those of
    the windows before it; their confidence follows from the budget of false alerts. `slow_requests` took longer than
    the model's file allows for 99 of 100. `measured`: everything else about accuracy, by the model's task; None without
    an outcome. `estimated` is what was said of it before its outcomes came. `latency_counts`: requests by bucket of
    latency (`stats/latency_counts.py`); of several windows they add up."""

    endpoint: str
    model: str
    version: int
    role: ReleaseRole
    start_at: int
    end_at: int
    predictions: int
    outcomes: int
    maturity: float
    provisional: bool
    mean_score: float | None
    event_rate: Interval
    roc_auc: Interval
    brier: Interval
    calibration_gap: Interval
    confusion: Confusion | None
    value: Interval
    value_per_prediction: Interval
    latency_p50_ms: float | None
    latency_p99_ms: float | None
    drift: list[DriftOfColumn]
    drift_state: State
    accuracy_state: State
    calibration_state: State
    profile: Profile | None = None
    judged_outcomes: int = 0
    judged_roc_auc: Interval | None = None
    judged_calibration_gap: Interval | None = None
    latency_state: State = "not_enough_data"
    requests: int = 0
    slow_requests: int = 0
    segments: list[Segment] = []
    estimated: Estimation | None = None
    measured: Measured | None = None
    arrival: Arrival | None = None
    weakest: list[WeakSegment] = []
    latency_counts: dict[int, int] = {}


class Progress(Record):
    """How far the server has come with an endpoint, in event time. Instants are microseconds UTC; 0 = nothing yet."""

    endpoint: str
    received_until: int
    monitored_until: int
    outcomes_until: int
    predictions: int
    outcomes: int
    outcomes_waiting: int
    outcomes_conflicting: int
    journal_bytes_waiting: int
    retraining: str | None
    overridden: int = 0
    overrides_waiting: int = 0


class ReportRow(Record):
    """One period of an endpoint's report: figures of whatever version answered, over the whole period."""

    start_at: int
    end_at: int
    predictions: int
    outcomes: int
    event_rate: float | None
    roc_auc: Interval
    brier: float | None
    value: float | None
    versions: list[int]
    alerts: int
