"""Scored rows whose outcome is known, and the figures of scores and outcomes alone, each with its interval. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tenure.monitor.rows import Floats, Mask, Rows, is_binary
from tenure.records.windows import Interval
from tenure.stats import accuracy
from tenure.stats.intervals import Interval3, wilson

CONFIDENCE = 0.95
UNKNOWN = Interval(value=None, low=None, high=None)
NOTHING = Interval3(None, None, None, None)


@dataclass(frozen=True)
class Past:
    """Scores and outcomes of so many trailing windows of the same version and role; `rows` where more was read."""

    score: Floats
    y: Floats
    rows: Rows | None = None
    action: Mask | None = None
    windows: int = 1


def auc(past: Past, confidence: float) -> Interval3:
    return accuracy.roc_auc_interval(past.y, past.score, confidence) if is_binary(past.y) else NOTHING


def gap(past: Past, confidence: float) -> Interval3:
    return accuracy.calibration_gap(past.y, past.score, confidence) if are_chances(past.y, past.score) else NOTHING


def brier(past: Past) -> Interval:
    return (
        interval(accuracy.brier_interval(past.y, past.score, CONFIDENCE), CONFIDENCE)
        if are_chances(past.y, past.score)
        else UNKNOWN
    )


def are_chances(y: Floats, score: Floats) -> bool:
    """Whether scores can be read as chances of a yes: only then have Brier score and calibration a meaning."""
    scores = score[~np.isnan(score)]
    return is_binary(y) and bool(np.all((scores >= 0) & (scores <= 1)))


def event_rate(y: Floats) -> Interval:
    return interval(wilson(int(y.sum()), len(y), CONFIDENCE), CONFIDENCE) if len(y) and is_binary(y) else UNKNOWN


def interval(told: Interval3, confidence: float) -> Interval:
    return Interval(value=told.value, low=told.low, high=told.high, confidence=confidence)
