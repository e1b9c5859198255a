"""When a trigger fires, and on which rows."""

from __future__ import annotations

import numpy as np
import pytest

from tenure.records.base import DAY_US
from tenure.records.windows import Interval, Window
from tenure.retrain import triggers
from tenure.retrain.evidence import Span

NOTHING = Interval(value=None, low=None, high=None)


def make_window(day: int, outcomes: int = 100, *, provisional: bool = False, days: int = 7) -> Window:
    return Window(
        endpoint="e",
        model="m",
        version=1,
        role="champion",
        start_at=day * DAY_US,
        end_at=(day + days) * DAY_US,
        predictions=outcomes,
        outcomes=outcomes,
        maturity=0.5 if provisional else 1.0,
        provisional=provisional,
        mean_score=None,
        event_rate=NOTHING,
        roc_auc=NOTHING,
        brier=NOTHING,
        calibration_gap=NOTHING,
        confusion=None,
        value=NOTHING,
        value_per_prediction=NOTHING,
        latency_p50_ms=None,
        latency_p99_ms=None,
        drift=[],
        drift_state="ok",
        accuracy_state="ok",
        calibration_state="ok",
    )


def span(first: int, last: int, outcomes: int) -> Span:
    return Span(from_at=first * DAY_US, until_at=last * DAY_US, outcomes=outcomes)


def test_the_newest_windows_are_pooled_until_there_are_enough() -> None:
    windows = [make_window(0), make_window(7), make_window(14)]
    assert triggers.recent(windows, 100) == span(14, 21, 100)
    assert triggers.recent(windows, 101) == span(7, 21, 200)
    assert triggers.recent(windows, 301) is None
    assert triggers.recent([], 1) is None


def test_windows_whose_outcomes_are_still_coming_are_left_out() -> None:
    windows = [make_window(0), make_window(7), make_window(14, provisional=True)]
    assert triggers.recent(windows, 150) == span(0, 14, 200)
    assert triggers.recent([make_window(0, provisional=True)], 1) is None


def test_a_provisional_window_in_the_middle_ends_the_stretch() -> None:
    windows = [make_window(0), make_window(7, provisional=True), make_window(14)]
    assert triggers.recent(windows, 100) == span(14, 21, 100)
    assert triggers.recent(windows, 150) is None


def test_days_without_traffic_do_not_end_the_stretch() -> None:
    assert triggers.recent([make_window(0), make_window(21)], 200) == span(0, 28, 200)


def test_a_loss_is_proven_when_the_upper_bound_lies_below_the_threshold() -> None:
    rng = np.random.default_rng(1)
    y = np.repeat([0.0, 1.0], 1000)
    score = np.concatenate([rng.normal(0, 1, 1000), rng.normal(0.5, 1, 1000)])  # AUC = Φ(0.5/√2) = 0.638
    fired, figures = triggers.accuracy_lost(y, score, threshold=0.70, level=0.01)
    assert fired
    assert float(figures["value"] or 0) == pytest.approx(0.638, abs=0.02)
    # Hanley and McNeil's standard error at this AUC and these counts is 0.0124; 2.326 of them reach to the bound.
    assert float(figures["upper_bound"] or 0) == pytest.approx(float(figures["value"] or 0) + 2.326 * 0.0124, abs=0.002)
    fired, _ = triggers.accuracy_lost(y, score, threshold=0.65, level=0.01)
    assert not fired


def test_rows_of_one_kind_prove_nothing() -> None:
    fired, figures = triggers.accuracy_lost(np.ones(50), np.linspace(0, 1, 50), threshold=0.9, level=0.01)
    assert (fired, figures["value"], figures["upper_bound"]) == (False, None, None)


def test_a_model_that_kept_its_promise_fires_no_more_often_than_the_level() -> None:
    rng = np.random.default_rng(2)
    truth, level, fired = 0.6382, 0.05, 0
    for _ in range(400):
        y = (rng.random(600) < 0.5).astype(float)
        fired += triggers.accuracy_lost(y, rng.normal(0.5 * y, 1), threshold=truth, level=level)[0]
    assert fired / 400 < level + 3 * (level * (1 - level) / 400) ** 0.5
