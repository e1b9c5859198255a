"""From rows to a judged window: pure, arrays in, one record out.

Levels come from the budget of false alerts (`stats/budget.py`): drift and data quality test each window once; what
needs outcomes tests it again as they arrive, from its maturity on, which counts as two tests. Between 90 % and all of
the outcomes the estimate moves so little that the looks together stay below twice the level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from tenure.monitor import arriving, by_segment, choices, column_drift, latency, measuring, profiling, proofs, scored
from tenure.monitor.answers import answers_of, task_of, together
from tenure.monitor.arriving import Waiting
from tenure.monitor.rows import Floats, Mask, Rows, is_binary
from tenure.monitor.scored import CONFIDENCE, NOTHING, UNKNOWN, Past, interval
from tenure.monitor.weak_segments import weak_segments
from tenure.records.base import DAY_US
from tenure.records.measured import Measured
from tenure.records.model_files import ModelFile, Monitors
from tenure.records.profiles import Profile
from tenure.records.routing import ReleaseRole
from tenure.records.weaknesses import WeakSegment
from tenure.records.windows import Confusion, Interval, Window
from tenure.stats import accuracy, budget
from tenure.stats.intervals import Interval3, poisson_bootstrap_mean
from tenure.stats.latency_counts import count_latencies

MIN_OUTCOMES = 1_000  # for calibration, where the model's file asks for no accuracy
LOOKS = 2


@dataclass(frozen=True)
class Judgeable:
    """What one version did at one endpoint in [start_at, end_at) of event time.

    `action` and `value` are the model file's expressions for each row, None where there is none or it failed;
    value is NaN where the outcome is not known. `whole`: it scored on every day of the span that had traffic. A part
    of a week is never like a whole month, so the drift of a part is shown but not judged. `waiting`: what is known
    about when outcomes come.
    """

    endpoint: str
    model: str
    version: int
    role: ReleaseRole
    start_at: int
    end_at: int
    rows: Rows
    action: Mask | None = None
    value: Floats | None = None
    whole: bool = True
    waiting: Waiting | None = None


def judge(what: Judgeable, baseline: Profile | None, file: ModelFile | None, history: Sequence[Past] = ()) -> Window:
    """Judge one window against its version's own baseline and the model's file.

    Accuracy and calibration are judged on the outcomes of this window and of those before it (`history`, latest first)
    that `accuracy.window_days` covers; when they are fewer than `min_outcomes`, more are added one by one. What is
    asked of nothing, or of too little, is `not_enough_data`.
    """
    rows, monitors = what.rows, file.monitors if file else Monitors()
    known = rows.known
    outcomes = int(known.sum())
    arrival = arriving.arrival_of(rows, what.end_at, what.waiting or Waiting(what.end_at), level(monitors))
    maturity = arriving.maturity(len(rows), outcomes, arrival)
    profile = _profile(rows, baseline, file)
    features, asked_drift = file.features if file else {}, column_drift.Asked(level(monitors), monitors.psi_floor)
    drift = column_drift.drift_of(rows, baseline, profile, asked_drift, features) if baseline and profile else []
    if not what.whole:
        drift = [msgspec.structs.replace(column, state="not_enough_data") for column in drift]
    judged = _pooled(Past(rows.score, rows.y), history, min_outcomes(monitors), windows_judged(monitors))
    alpha = level(monitors) / LOOKS
    auc, gap = scored.auc(judged, 1 - 2 * alpha), scored.gap(judged, 1 - 2 * alpha)
    enough = len(judged.y) >= min_outcomes(monitors)
    own = Past(rows.score[known], rows.y[known])
    value, latencies = _value(what, known), latency.percentiles(rows)
    measured, asked, weakest = _measured(what, file, baseline, history)
    latency_state, requests, slow = latency.verdict(rows, monitors.latency, level(monitors))
    return Window(
        endpoint=what.endpoint,
        model=what.model,
        version=what.version,
        role=what.role,
        start_at=what.start_at,
        end_at=what.end_at,
        predictions=len(rows),
        outcomes=outcomes,
        maturity=maturity,
        provisional=maturity < monitors.maturity,
        mean_score=_mean(rows.score),
        event_rate=scored.event_rate(own.y),
        roc_auc=interval(scored.auc(own, CONFIDENCE), CONFIDENCE),
        brier=scored.brier(own),
        calibration_gap=interval(scored.gap(own, CONFIDENCE), CONFIDENCE),
        confusion=_confusion(what, known),
        value=_times(value, outcomes),
        value_per_prediction=value,
        latency_p50_ms=latencies[0],
        latency_p99_ms=latencies[1],
        drift=drift,
        drift_state=column_drift.state_of(drift),
        accuracy_state=proofs.accuracy_state(auc if enough else NOTHING, asked, monitors, alpha),
        calibration_state=proofs.calibration_state(gap, monitors, alpha) if enough else "not_enough_data",
        profile=profile,
        judged_outcomes=len(judged.y),
        judged_roc_auc=interval(auc, 1 - 2 * alpha),
        judged_calibration_gap=interval(gap, 1 - 2 * alpha),
        latency_state=latency_state,
        requests=requests,
        slow_requests=slow,
        segments=list(by_segment.segments(rows, file.segments if file else [])),
        measured=measured,
        arrival=arrival,
        weakest=weakest,
        latency_counts=count_latencies(latency.of_requests(rows)),
    )


def _measured(
    what: Judgeable, file: ModelFile | None, baseline: Profile | None, history: Sequence[Past]
) -> tuple[Measured | None, Interval3, list[WeakSegment]]:
    """The figures of the answers' task; the one that the file asks for, over the windows that it asks for; and where
    answers are worst."""
    task, names = task_of(file, what.rows), choices.names_at(file, baseline)
    if task is None:
        return None, NOTHING, []
    own = answers_of(task, what.rows, what.action, names)
    told, weakest = measuring.measured(own), weak_segments(what.rows, own)
    monitors = file.monitors if file else Monitors()
    if monitors.accuracy is None or monitors.accuracy.metric == "roc_auc":
        return told, NOTHING, weakest
    parts, count, windows = [own], len(own), 1
    for past in history:
        if count >= min_outcomes(monitors) and windows >= windows_judged(monitors):
            break
        windows += past.windows
        if past.rows is not None:
            parts.append(answers_of(task, past.rows, past.action, names))
            count += len(parts[-1])
    asked = measuring.asked(monitors.accuracy.metric, together(parts), 1 - 2 * level(monitors) / LOOKS)
    if asked is None:
        return told, NOTHING, weakest
    figure, interval = asked
    enough = figure.n >= min_outcomes(monitors)
    return msgspec.structs.replace(told, judged=figure), interval if enough else NOTHING, weakest


def level(monitors: Monitors) -> float:
    """The level of one test of one window, such that false alerts stay within the model file's budget."""
    windows_a_year = 365.25 * DAY_US / monitors.window_us
    return budget.level_per_test(monitors.false_alerts_per_year, windows_a_year, sharing(monitors))


def sharing(monitors: Monitors) -> int:
    """How many monitors share the budget of false alerts."""
    estimated, drifts = monitors.accuracy, len(monitors.drift.against) + monitors.drift.together
    more = (monitors.accuracy, estimated, monitors.calibration, monitors.latency, monitors.harm)
    return 2 + drifts + sum(monitor is not None for monitor in more)  # data quality, label lag, …


def min_outcomes(monitors: Monitors) -> int:
    """Outcomes below which accuracy and calibration are not judged."""
    return monitors.accuracy.min_outcomes if monitors.accuracy else MIN_OUTCOMES


def windows_judged(monitors: Monitors) -> int:
    """How many windows accuracy and calibration are judged on together, at least."""
    days = monitors.accuracy.window_days if monitors.accuracy else None
    return max((days or 0) * DAY_US // monitors.window_us, 1)


def _pooled(own: Past, history: Sequence[Past], wanted: int, windows: int) -> Past:
    """Scored rows with known outcomes: of so many windows, this one the last, and of more where they are too few."""
    scores, outcomes, count, number = [], [], 0, 0
    for past in (own, *history):
        number += past.windows
        usable = ~np.isnan(past.score) & ~np.isnan(past.y)
        scores.append(past.score[usable])
        outcomes.append(past.y[usable])
        count += int(usable.sum())
        if count >= wanted and number >= windows:
            break
    return Past(np.concatenate(scores), np.concatenate(outcomes))


def _confusion(what: Judgeable, known: Mask) -> Confusion | None:
    y = what.rows.y[known]
    if what.action is None or not len(y) or not is_binary(y):
        return None
    return Confusion(**accuracy.confusion(y, what.action[known])._asdict())


def _value(what: Judgeable, known: Mask) -> Interval:
    """The mean value of a row whose outcome is known; the bootstrap is seeded by the rows' ids."""
    if what.value is None or not known.any():
        return UNKNOWN
    return interval(poisson_bootstrap_mean(what.value[known], what.rows.prediction_id[known], CONFIDENCE), CONFIDENCE)


def _profile(rows: Rows, baseline: Profile | None, file: ModelFile | None) -> Profile | None:
    if baseline is None:
        return None
    return profiling.profile_like(baseline, rows.columns, rows.score, rows.y, choices.chosen_like(baseline, rows, file))


def _times(mean: Interval, count: int) -> Interval:
    def scaled(number: float | None) -> float | None:
        return None if number is None else number * count

    return Interval(value=scaled(mean.value), low=scaled(mean.low), high=scaled(mean.high), confidence=mean.confidence)


def _mean(values: Floats) -> float | None:
    there = values[~np.isnan(values)]
    return float(there.mean()) if len(there) else None
