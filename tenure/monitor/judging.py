"""From rows to a judged window: pure, arrays in, one record out.

Levels come from the budget of false alerts (`stats/budget.py`): drift and data quality test each window once; what
needs outcomes tests it again as they arrive, from its maturity on, which counts as two tests. Between 90 % and all of
the outcomes the estimate moves so little that the looks together stay below twice the level.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from tenure.monitor import arriving, measuring, profiling
from tenure.monitor.answers import answers_of, task_of, together
from tenure.monitor.arriving import Waiting
from tenure.monitor.rows import Array, Floats, Mask, Rows, is_binary
from tenure.monitor.weak_segments import weak_segments
from tenure.records.measured import BETTER, Measured
from tenure.records.model_files import Feature, ModelFile, Monitors
from tenure.records.profiles import CategoricalProfile, ColumnProfile, NumericProfile, Profile
from tenure.records.routing import ReleaseRole
from tenure.records.weaknesses import WeakSegment
from tenure.records.windows import Confusion, DriftOfColumn, Interval, Segment, State, Window
from tenure.stats import accuracy, budget, distances, drift_table
from tenure.stats.columns import numbers_of
from tenure.stats.histograms import Integers
from tenure.stats.intervals import Interval3, clopper_pearson, poisson_bootstrap_mean, wilson
from tenure.stats.latency_counts import count_latencies
from tenure.stats.multiplicity import benjamini_hochberg

CONFIDENCE = 0.95
MIN_OUTCOMES = 1_000  # for calibration, where the model's file asks for no accuracy
LOOKS = 2
MIN_REQUESTS = 1_000  # below them, one in a hundred is a handful
SLOW_SHARE = 0.01
MOST_SEGMENTS = 20  # of a column
LEAST_OF_A_SEGMENT = 50
MISSING = "(missing)"
SCORE = "score"
UNKNOWN = Interval(value=None, low=None, high=None)
NOTHING = Interval3(None, None, None, None)


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


@dataclass(frozen=True)
class Past:
    """Scores and outcomes of one trailing window of the same version and role; `answers` where more was read."""

    score: Floats
    y: Floats
    rows: Rows | None = None
    action: Mask | None = None


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
    profile = profiling.profile_like(baseline, rows.columns, rows.score, rows.y) if baseline else None
    drift = _drift(rows, baseline, profile, monitors, file.features if file else {}) if baseline and profile else []
    if not what.whole:
        drift = [msgspec.structs.replace(column, state="not_enough_data") for column in drift]
    judged = _pooled(Past(rows.score, rows.y), history, min_outcomes(monitors), windows_judged(monitors))
    alpha = level(monitors) / LOOKS
    auc, gap = _auc(judged, 1 - 2 * alpha), _gap(judged, 1 - 2 * alpha)
    enough = len(judged.y) >= min_outcomes(monitors)
    own = Past(rows.score[known], rows.y[known])
    value, latencies = _value(what, known), _latencies(rows)
    measured, asked, weakest = _measured(what, file, history)
    latency_state, requests, slow = _latency_state(rows, monitors)
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
        event_rate=_event_rate(own.y),
        roc_auc=_interval(_auc(own, CONFIDENCE), CONFIDENCE),
        brier=_brier(own),
        calibration_gap=_interval(_gap(own, CONFIDENCE), CONFIDENCE),
        confusion=_confusion(what, known),
        value=_times(value, outcomes),
        value_per_prediction=value,
        latency_p50_ms=latencies[0],
        latency_p99_ms=latencies[1],
        drift=drift,
        drift_state=_state_of(drift),
        accuracy_state=_accuracy_state(auc if enough else NOTHING, asked, monitors, alpha),
        calibration_state=_calibration_state(gap, monitors, alpha) if enough else "not_enough_data",
        profile=profile,
        judged_outcomes=len(judged.y),
        judged_roc_auc=_interval(auc, 1 - 2 * alpha),
        judged_calibration_gap=_interval(gap, 1 - 2 * alpha),
        latency_state=latency_state,
        requests=requests,
        slow_requests=slow,
        segments=list(_segments(rows, file.segments if file else [])),
        measured=measured,
        arrival=arrival,
        weakest=weakest,
        latency_counts=count_latencies(_of_requests(rows)),
    )


def _measured(
    what: Judgeable, file: ModelFile | None, history: Sequence[Past]
) -> tuple[Measured | None, Interval3, list[WeakSegment]]:
    """The figures of the answers' task; the one that the file asks for, over the windows that it asks for; and where
    answers are worst."""
    task, prediction = task_of(file, what.rows), file.prediction if file else None
    if task is None:
        return None, NOTHING, []
    own = answers_of(task, what.rows, what.action, prediction)
    told, weakest = measuring.measured(own), weak_segments(what.rows, own)
    monitors = file.monitors if file else Monitors()
    if monitors.accuracy is None or monitors.accuracy.metric == "roc_auc":
        return told, NOTHING, weakest
    parts, count = [own], len(own)
    for number, past in enumerate(history, start=2):
        if count >= min_outcomes(monitors) and number > windows_judged(monitors):
            break
        if past.rows is not None:
            parts.append(answers_of(task, past.rows, past.action, prediction))
            count += len(parts[-1])
    asked = measuring.asked(monitors.accuracy.metric, together(parts), 1 - 2 * level(monitors) / LOOKS)
    if asked is None:
        return told, NOTHING, weakest
    figure, interval = asked
    enough = figure.n >= min_outcomes(monitors)
    return msgspec.structs.replace(told, judged=figure), interval if enough else NOTHING, weakest


def level(monitors: Monitors) -> float:
    """The level of one test of one window, such that false alerts stay within the model file's budget."""
    return budget.level_per_test(monitors.false_alerts_per_year, 365.25 / monitors.window_days, sharing(monitors))


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
    return max((days or 0) // monitors.window_days, 1)


def _pooled(own: Past, history: Sequence[Past], wanted: int, windows: int) -> Past:
    """Scored rows with known outcomes: of so many windows, this one the last, and of more where they are too few."""
    scores, outcomes, count = [], [], 0
    for number, past in enumerate((own, *history), start=1):
        usable = ~np.isnan(past.score) & ~np.isnan(past.y)
        scores.append(past.score[usable])
        outcomes.append(past.y[usable])
        count += int(usable.sum())
        if count >= wanted and number >= windows:
            break
    return Past(np.concatenate(scores), np.concatenate(outcomes))


def _drift(
    rows: Rows, baseline: Profile, profile: Profile, monitors: Monitors, features: Mapping[str, Feature]
) -> list[DriftOfColumn]:
    """Every column's distance from the baseline, the score's too, judged together. Moments are not: time moves on."""
    pairs = [(name, baseline.columns[name], seen) for name, seen in profile.columns.items() if seen.measure != "moment"]
    if baseline.score is not None and profile.score is not None and SCORE not in baseline.columns:
        pairs.append((SCORE, baseline.score, profile.score))
    tests = [distances.psi_test(*_bins(expected, seen)) for _, expected, seen in pairs]
    q_values = benjamini_hochberg([test.p_value for test in tests])
    alpha, found = level(monitors), []
    for (name, expected, seen), test, q_value in zip(pairs, tests, q_values.tolist(), strict=True):
        moved = q_value < alpha and test.excess > monitors.psi_floor
        found.append(
            DriftOfColumn(
                column=name,
                psi=test.psi,
                psi_excess=test.excess,
                p_value=test.p_value,
                q_value=q_value,
                floor=monitors.psi_floor,
                n_baseline=test.n_expected,
                n_window=test.n_observed,
                new_level_share=_new_level_share(seen),
                out_of_range_share=_out_of_range_share(
                    expected, rows.columns.get(name), features.get(name), rows.clipped.get(name)
                ),
                null_share=seen.null_count / max(test.n_observed, 1),
                state="not_enough_data" if not test.enough else "breach" if moved else "ok",
            )
        )
    return found


def _bins(expected: ColumnProfile, seen: ColumnProfile) -> tuple[Integers, Integers]:
    return drift_table.bins_of(expected, seen)


def _new_level_share(seen: ColumnProfile) -> float | None:
    return seen.new_count / max(seen.n, 1) if isinstance(seen, CategoricalProfile) else None


def _out_of_range_share(
    expected: ColumnProfile, values: Array | None, feature: Feature | None, clipped: Mask | None
) -> float | None:
    """The share of a numeric column's values that were sent outside its declared range, else outside what the baseline
    saw."""
    if not isinstance(expected, NumericProfile) or values is None:
        return None
    low, high = feature.range if feature and feature.range else (expected.min, expected.max)
    if low is None or high is None:
        return None
    numbers = numbers_of(values)
    there = ~np.isnan(numbers)
    outside = (numbers < low) | (numbers > high) | (clipped if clipped is not None else False)
    return float(np.mean(outside[there])) if there.any() else 0.0


def _state_of(drift: Sequence[DriftOfColumn]) -> State:
    states = {column.state for column in drift}
    return "breach" if "breach" in states else "ok" if "ok" in states else "not_enough_data"


def _accuracy_state(auc: Interval3, asked: Interval3, monitors: Monitors, alpha: float) -> State:
    """Whether the metric that the file asks for is proven to lie on the wrong side of what it promises."""
    promised = monitors.accuracy
    told = auc if promised is None or promised.metric == "roc_auc" else asked
    if promised is None or told.value is None:
        return "not_enough_data"
    better, held = BETTER[promised.metric], promised.threshold
    if better == "zero":
        return _off_zero(told, held, alpha)
    proven = budget.proven_below if better == "higher" else budget.proven_above
    return "breach" if proven(told.value, told.variance, held, alpha).proven else "ok"


def _off_zero(told: Interval3, allowed: float, alpha: float) -> State:
    """Whether an estimate is proven to lie further from 0 than is allowed; two sides share the level."""
    above = budget.proven_above(told.value, told.variance, allowed, alpha / 2)
    below = budget.proven_below(told.value, told.variance, -allowed, alpha / 2)
    return "breach" if above.proven or below.proven else "ok"


def _calibration_state(gap: Interval3, monitors: Monitors, alpha: float) -> State:
    if monitors.calibration is None or gap.value is None:
        return "not_enough_data"
    return _off_zero(gap, monitors.calibration.at_most, alpha)


def _auc(past: Past, confidence: float) -> Interval3:
    return accuracy.roc_auc_interval(past.y, past.score, confidence) if is_binary(past.y) else NOTHING


def _gap(past: Past, confidence: float) -> Interval3:
    return accuracy.calibration_gap(past.y, past.score, confidence) if are_chances(past.y, past.score) else NOTHING


def _brier(past: Past) -> Interval:
    return (
        _interval(accuracy.brier_interval(past.y, past.score, CONFIDENCE), CONFIDENCE)
        if are_chances(past.y, past.score)
        else UNKNOWN
    )


def are_chances(y: Floats, score: Floats) -> bool:
    """Whether scores can be read as chances of a yes: only then have Brier score and calibration a meaning."""
    scores = score[~np.isnan(score)]
    return is_binary(y) and bool(np.all((scores >= 0) & (scores <= 1)))


def _event_rate(y: Floats) -> Interval:
    return _interval(wilson(int(y.sum()), len(y), CONFIDENCE), CONFIDENCE) if len(y) and is_binary(y) else UNKNOWN


def _confusion(what: Judgeable, known: Mask) -> Confusion | None:
    y = what.rows.y[known]
    if what.action is None or not len(y) or not is_binary(y):
        return None
    return Confusion(**accuracy.confusion(y, what.action[known])._asdict())


def _value(what: Judgeable, known: Mask) -> Interval:
    """The mean value of a row whose outcome is known; the bootstrap is seeded by the rows' ids."""
    if what.value is None or not known.any():
        return UNKNOWN
    return _interval(poisson_bootstrap_mean(what.value[known], what.rows.prediction_id[known], CONFIDENCE), CONFIDENCE)


def _times(mean: Interval, count: int) -> Interval:
    def scaled(number: float | None) -> float | None:
        return None if number is None else number * count

    return Interval(value=scaled(mean.value), low=scaled(mean.low), high=scaled(mean.high), confidence=mean.confidence)


def _mean(values: Floats) -> float | None:
    there = values[~np.isnan(values)]
    return float(there.mean()) if len(there) else None


def _latencies(rows: Rows) -> tuple[float | None, float | None]:
    """Median and 99th percentile over requests, in milliseconds."""
    took = _of_requests(rows)
    if not len(took):
        return None, None
    median, greatest = np.percentile(took, [50, 99]) / 1000
    return float(median), float(greatest)


def _of_requests(rows: Rows) -> Array:
    """The latency of each request in microseconds: its rows share it. Files that were scored as a whole have none."""
    took: Array = rows.latency_us[np.array([key.endswith(":0") for key in rows.prediction_id.tolist()], dtype=bool)]
    return took[took >= 0]


def _latency_state(rows: Rows, monitors: Monitors) -> tuple[State, int, int]:
    """Whether more than 1 in 100 requests are proven too slow, by the exact binomial bound; and of how many, how many.

    It takes requests as independent. Slow ones come together, so what is proven of one slow minute is that minute's.
    """
    took = _of_requests(rows)
    if monitors.latency is None or len(took) < MIN_REQUESTS:
        return "not_enough_data", len(took), 0
    slow = int((took > monitors.latency.p99_ms * 1000).sum())
    low = clopper_pearson(slow, len(took), 1 - 2 * level(monitors)).low
    return "breach" if low is not None and low > SLOW_SHARE else "ok", len(took), slow


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


def _segments(rows: Rows, names: Sequence[str]) -> Iterator[Segment]:
    """The accuracy of each value of the columns that the model's file names: the frequent ones, with enough rows."""
    for name in names:
        if name not in rows.columns:
            continue
        values = np.array([MISSING if _is_missing(value) else str(value) for value in rows.columns[name].tolist()])
        levels, counts = np.unique(values, return_counts=True)
        for place in np.argsort(-counts, kind="stable")[:MOST_SEGMENTS]:
            mine = values == levels[place]
            known = Past(rows.score[mine & rows.known], rows.y[mine & rows.known])
            if len(known.y) < LEAST_OF_A_SEGMENT:
                continue
            yield Segment(
                column=name,
                value=str(levels[place]),
                predictions=int(counts[place]),
                outcomes=len(known.y),
                roc_auc=_interval(_auc(known, CONFIDENCE), CONFIDENCE),
                event_rate=_event_rate(known.y),
            )


def _interval(told: Interval3, confidence: float) -> Interval:
    return Interval(value=told.value, low=told.low, high=told.high, confidence=confidence)
