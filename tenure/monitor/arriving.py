"""How a window's outcomes arrive against those of earlier windows, and how mature that makes it: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tenure.monitor.rows import NEVER, Rows
from tenure.records.arrivals import Arrival
from tenure.records.windows import Window
from tenure.stats import arrival
from tenure.stats.arrival import Cohort

HOUR_US = 3_600_000_000
LATE_FLOOR = 0.1
"""A share of outcomes that is off by less is no alert, however certain it is."""


@dataclass(frozen=True)
class Waiting:
    """What is known about arrivals when a window is judged: `now_at`, the latest event time of the endpoint, and the
    cohorts of earlier windows."""

    now_at: int
    earlier: Sequence[Cohort] = ()


def cohorts_of(windows: Sequence[Window], now_at: int) -> list[Cohort]:
    """What earlier windows know of arrivals: their predictions that were answered, by the age of the youngest."""
    return [
        Cohort(window.predictions, window.arrival.lags, (now_at - window.end_at) / HOUR_US)
        for window in windows
        if window.arrival is not None and window.role != "shadow" and window.predictions
    ]


def arrival_of(rows: Rows, end_at: int, waiting: Waiting, level: float) -> Arrival:
    """How the outcomes of some rows arrive. `level`: of the test whether they come late, or sooner than they did."""
    known = rows.known & (rows.outcome_at != NEVER) if len(rows.outcome_at) else np.zeros(len(rows), bool)
    at, event = rows.outcome_at[known] if known.any() else np.empty(0, np.int64), rows.event_at[known]
    lags = np.minimum(at, max(waiting.now_at, 0)) - event if known.any() else np.empty(0, np.int64)
    lag_h = np.maximum(lags, 0) / HOUR_US
    counts = arrival.lag_counts(lag_h)
    told = arrival.curve(waiting.earlier)
    mine = Cohort(len(rows), counts, (waiting.now_at - end_at) / HOUR_US)
    test = arrival.lateness(mine, waiting.earlier)
    median, p90 = np.quantile(lag_h, [0.5, 0.9]).tolist() if len(lag_h) else (None, None)
    ages = np.maximum(waiting.now_at - rows.event_at, 0) / HOUR_US
    return Arrival(
        lags=counts.tolist(),
        median_h=median,
        p90_h=p90,
        early=int(np.count_nonzero(at < event)),
        ahead=int(np.count_nonzero(at > waiting.now_at)),
        final_share=told.final,
        expected=float(arrival.share_by(told, ages).sum()) if len(told.share) else None,
        by_age_h=test.age_h if test else None,
        share=test.share if test else None,
        usual=test.usual if test else None,
        p_value=test.p_value if test else 1.0,
        late=test is not None and test.p_value < level and abs(test.share - test.usual) > LATE_FLOOR,
    )


def maturity(predictions: int, outcomes: int, told: Arrival) -> float:
    """The share of the outcomes that will ever come that are known; 0–1.

    Where earlier windows do not tell how many come in the end, every prediction counts as one that will have one.
    """
    if not predictions:
        return 0.0
    return min(outcomes / (predictions * (told.final_share or 1.0)), 1.0)
