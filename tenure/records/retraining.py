"""Retraining runs and what they leave behind."""

from __future__ import annotations

from typing import Any, Literal

from tenure.records.base import Record
from tenure.records.windows import Interval

RetrainingState = Literal["queued", "training", "shadow", "review", "promoted", "rejected", "failed"]


class StepTaken(Record):
    """One step of a retraining run: what was done, when on both clocks, with which figures."""

    name: str
    at: int
    event_at: int
    detail: str
    figures: dict[str, float | int | str | None] = {}


class Comparison(Record):
    """Challenger against champion on the same rows. Differences are challenger minus champion."""

    rows: int
    champion_roc_auc: Interval
    challenger_roc_auc: Interval
    roc_auc_difference: Interval
    champion_brier: float
    challenger_brier: float
    brier_difference: Interval
    score_psi: float
    accepted: bool
    reasons: list[str]


class SegmentFigures(Record):
    """One level of one column, on the holdout. None: too few rows, or only one kind of outcome among them."""

    column: str
    level: str
    rows: int
    champion_roc_auc: float | None
    challenger_roc_auc: float | None


class CalibrationBin(Record):
    """A tenth of the holdout by score: the mean of what was said and the share of what happened."""

    rows: int
    mean_score: float
    event_rate: float


class ShiftOfColumn(Record):
    """How far a column of the new training data lies from the old: PSI and what sampling does not explain of it."""

    column: str
    psi: float
    psi_excess: float


class TrainingOrder(Record):
    """What a training job is asked to do. Instants are event time: train on [from_at, split_at), hold out the rest."""

    retraining_id: str
    endpoint: str
    model: str
    champion_version: int
    recipe: str
    from_at: int
    split_at: int
    until_at: int


class Trained(Record):
    """What a training job tells of the version it made. Instants are event time; the holdout is [split_at, until_at).

    `importances`: how much ROC AUC on the holdout is lost when the column is shuffled. Differences are challenger
    minus champion; the champion's scores on the holdout are those it answered with.
    """

    version: int
    run_id: str
    recipe: str
    from_at: int
    split_at: int
    until_at: int
    training_rows: int
    training_events: int
    holdout_rows: int
    holdout_events: int
    champion_roc_auc: Interval
    challenger_roc_auc: Interval
    roc_auc_difference: Interval
    champion_brier: float | None
    challenger_brier: float
    calibration: list[CalibrationBin]
    segments: list[SegmentFigures]
    shift: list[ShiftOfColumn]
    importances: dict[str, float]
    fit_seconds: float
    predict_us_per_row: float
    packages: dict[str, str]


class Dossier(Record):
    """The four chapters of a retraining run; each opens with a sentence that says what it is for."""

    accuracy_assessment: dict[str, Any]
    updates_and_explainability: dict[str, Any]
    diagnostics: dict[str, Any]
    versioning_approval_and_audit: dict[str, Any]


class RetrainingRun(Record):
    retraining_id: str
    endpoint: str
    model: str
    state: RetrainingState
    champion_version: int
    challenger_version: int | None
    trigger: dict[str, Any]
    steps: list[StepTaken]
    dossier: Dossier | None
    event_at: int
    started_at: int
    ended_at: int | None
