"""What a judged window says to each monitor: breach or not, on which evidence, in one plain sentence. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from tenure.monitor import findings_accuracy, findings_arrival, findings_estimates, judging, latency
from tenure.monitor.alerts import Finding
from tenure.records.alerts import Evidence
from tenure.records.model_files import Feature, Monitors
from tenure.records.profiles import CategoricalProfile, ColumnProfile, NumericProfile, Profile
from tenure.records.span_words import instant, span
from tenure.records.windows import DriftOfColumn, Interval, Window
from tenure.stats import novelty
from tenure.stats.intervals import clopper_pearson


def findings_of(
    window: Window, monitors: Monitors, baseline: Profile | None, features: dict[str, Feature]
) -> list[Finding]:
    """Everything a window could tell, breaches and what is in order; what could not be told is not among them."""
    alpha = judging.level(monitors)
    told = [column for column in window.drift if column.state != "not_enough_data"]
    found = [_drift(window, column, alpha) for column in told if "training" in monitors.drift.against]
    if baseline is not None:
        found += _quality(window, baseline, features, alpha)
    found += findings_accuracy.findings(window, monitors, alpha)
    found += findings_arrival.findings(window, alpha)
    if window.calibration_state != "not_enough_data" and monitors.calibration and window.judged_calibration_gap:
        found.append(_calibration(window, window.judged_calibration_gap, monitors.calibration.at_most, alpha))
    if window.latency_state != "not_enough_data" and monitors.latency:
        found.append(_latency(window, monitors.latency.p99_ms, alpha))
    return found + findings_estimates.of(window, monitors)


def _drift(window: Window, column: DriftOfColumn, alpha: float) -> Finding:
    breach = column.state == "breach"
    said = "has drifted" if breach else "has not drifted"
    message = (
        f"Column {column.column!r} of endpoint {window.endpoint!r} {said} from the baseline of version "
        f"{window.version}: PSI {column.psi:.3f}, {column.psi_excess:.3f} above what sampling gives "
        f"(floor {column.floor:g}), q = {column.q_value:.2g} at level {alpha:.2g}, on {column.n_window:,} rows "
        f"{_span(window)}."
    )
    evidence = _evidence(
        window,
        measure="psi_excess",
        value=column.psi_excess,
        threshold=column.floor,
        direction="above",
        p_value=column.p_value,
        level=alpha,
        n_baseline=column.n_baseline,
        n_window=column.n_window,
    )
    return Finding(
        monitor="drift", subject=column.column, breach=breach, provisional=False, message=message, evidence=evidence
    )


def _quality(window: Window, baseline: Profile, features: dict[str, Feature], alpha: float) -> Iterable[Finding]:
    """New levels and range breaches, each proven by an exact bound to be more than a little."""
    watched = [column for column in window.drift if column.column in baseline.columns]
    share_of_level = alpha / max(len(watched), 1)
    for column in watched:
        like = baseline.columns[column.column]
        share = column.new_level_share if isinstance(like, CategoricalProfile) else column.out_of_range_share
        if share is None or column.n_window == 0:
            continue
        declared = features[column.column].range if column.column in features else None
        threshold = _strange_share(like, declared is not None, share_of_level)
        n = column.n_window - round(column.null_share * column.n_window)
        low = clopper_pearson(min(round(share * n), n), n, 1 - 2 * share_of_level).low if n else 0.0
        what = "levels never seen at training" if isinstance(like, CategoricalProfile) else _outside(like, declared)
        message = (
            f"Column {column.column!r} of endpoint {window.endpoint!r} has {share:.1%} {what}, on {n:,} rows "
            f"{_span(window)}; {threshold:.1%} are tolerated for version {window.version}."
        )
        evidence = _evidence(
            window,
            measure="new_level_share" if isinstance(like, CategoricalProfile) else "out_of_range_share",
            value=share,
            threshold=threshold,
            direction="above",
            level=share_of_level,
            n_baseline=column.n_baseline,
            n_window=n,
        )
        yield Finding(
            monitor="data_quality",
            subject=column.column,
            breach=low is not None and low > threshold,
            provisional=False,
            message=message,
            evidence=evidence,
        )


def _strange_share(like: ColumnProfile, declared: bool, level: float) -> float:
    """How much of the unseen is normal: 1 %, and what a baseline of this size could have missed."""
    if isinstance(like, NumericProfile):
        return novelty.SELDOM if declared else novelty.beyond_range_share(like.n, level)
    return novelty.unseen_levels_share(like.counts, len(like.other_levels), like.new_count, like.n)


def _outside(like: NumericProfile, declared: object) -> str:
    if isinstance(declared, tuple):
        return f"values outside its declared range of {declared[0]:g} to {declared[1]:g}"
    return f"values outside the baseline's {like.min:g} to {like.max:g}"


def _calibration(window: Window, judged: Interval, at_most: float, alpha: float) -> Finding:
    breach = window.calibration_state == "breach"
    value = judged.value or 0.0
    more = "more" if value > 0 else "fewer"
    said = (
        f"is proven to be off by more than {at_most:g}"
        if breach
        else f"is not proven to be off by more than {at_most:g}"
    )
    message = (
        f"Calibration of version {window.version} at endpoint {window.endpoint!r} {said}: the scores promise {more} "
        f"events than came, by {_figure(judged)}, on {window.judged_outcomes:,} outcomes up to "
        f"{instant(window.end_at)}."
    )
    evidence = _evidence(
        window,
        measure="calibration_gap",
        value=value,
        threshold=math.copysign(at_most, value),
        direction="above" if value > 0 else "below",
        level=alpha / judging.LOOKS,
        n_window=window.judged_outcomes,
    )
    return Finding(
        monitor="calibration",
        subject="mean_score",
        breach=breach,
        provisional=window.provisional,
        message=message,
        evidence=evidence,
    )


def _latency(window: Window, p99_ms: float, alpha: float) -> Finding:
    share = window.slow_requests / window.requests
    breach = window.latency_state == "breach"
    said = "are proven to take longer than" if breach else "are not proven to take longer than"
    message = (
        f"More than 1 in 100 requests to version {window.version} at endpoint {window.endpoint!r} {said} {p99_ms:g} "
        f"ms: {share:.2%} of {window.requests:,} did {_span(window)}."
    )
    evidence = _evidence(
        window,
        measure="slow_share",
        value=share,
        threshold=latency.SLOW_SHARE,
        direction="above",
        level=alpha,
        n_window=window.requests,
    )
    return Finding(
        monitor="latency", subject="p99", breach=breach, provisional=False, message=message, evidence=evidence
    )


def _evidence(window: Window, **figures: object) -> Evidence:
    about = {"window_start_at": window.start_at, "window_end_at": window.end_at, "version": window.version}
    return msgspec.convert({**figures, **about}, Evidence)


def _figure(told: Interval) -> str:
    if told.value is None or told.low is None or told.high is None:
        return "an unknown amount"
    return f"{told.value:.3f} ({told.low:.3f} to {told.high:.3f} at {told.confidence:.1%} confidence)"


def _span(window: Window) -> str:
    return span(window.start_at, window.end_at)
