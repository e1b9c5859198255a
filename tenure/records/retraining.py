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
