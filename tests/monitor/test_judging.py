"""A window's figures agree with scikit-learn, its states with what was put in, and false alarms with their budget."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tenure.monitor import judging, latency
from tenure.monitor.findings import findings_of
from tenure.monitor.judging import Judgeable
from tenure.monitor.rows import Rows
from tenure.monitor.scored import Past
from tenure.records.base import DAY_US
from tenure.records.model_files import AtLeast, AtMost, Feature, Latency, ModelFile, Monitors
from tenure.records.profiles import Profile
from tenure.records.windows import Window

from .year import ENDPOINT, MODEL, START, profile_of


def rows_of(score: Any, y: Any, **columns: Any) -> Rows:
    n = len(score)
    return Rows(
        prediction_id=np.array([f"request-{row}:0" for row in range(n)], dtype=object),
        event_at=np.arange(n) + START,
        model=np.array([MODEL] * n, dtype=object),
        version=np.ones(n, dtype=np.int64),
        role=np.array(["champion"] * n, dtype=object),
        score=np.asarray(score, dtype=float),
        y=np.asarray(y, dtype=float),
        latency_us=np.arange(n, dtype=np.int64) * 1000,
        columns=columns,
    )


def judged(
    rows: Rows,
    baseline: Profile | None = None,
    monitors: Monitors | None = None,
    history: list[Past] | None = None,
    **given: Any,
) -> Window:
    what = Judgeable(
        endpoint=ENDPOINT,
        model=MODEL,
        version=1,
        role="champion",
        start_at=START,
        end_at=START + 7 * DAY_US,
        rows=rows,
        action=rows.score >= 0.5,
        value=given.get("value"),
    )
    return judging.judge(what, baseline, file_of(monitors, given.get("features")), history or [])


def file_of(monitors: Monitors | None, features: dict[str, Feature] | None = None) -> ModelFile:
    return ModelFile(model=MODEL, purpose="-", owner="-", monitors=monitors or Monitors(), features=features or {})


def scored(n: int, skill: float, seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.3).astype(float)
    return 1 / (1 + np.exp(-(rng.normal(size=n) + skill * (y - 0.5) - 0.8))), y


def test_figures_agree_with_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    score, y = scored(5_000, 1.0, 1)
    y[::10] = np.nan
    value = np.where(np.isnan(y), np.nan, np.where(score >= 0.5, 3.0, -1.0))
    window = judged(rows_of(score, y), value=value)
    known = ~np.isnan(y)
    assert window.roc_auc.value == pytest.approx(metrics.roc_auc_score(y[known], score[known]), abs=1e-12)
    assert window.brier.value == pytest.approx(metrics.brier_score_loss(y[known], score[known]), abs=1e-12)
    assert window.calibration_gap.value == pytest.approx(score[known].mean() - y[known].mean(), abs=1e-12)
    assert window.event_rate.value == pytest.approx(y[known].mean())
    assert window.confusion is not None
    matrix = metrics.confusion_matrix(y[known], score[known] >= 0.5).ravel().tolist()
    told = window.confusion
    assert [told.true_negative, told.false_positive, told.false_negative, told.true_positive] == matrix
    assert window.value.value == pytest.approx(np.nansum(value))
    assert window.value.low is not None
    assert window.value.low < np.nansum(value)
    assert (window.predictions, window.outcomes, window.maturity) == (5_000, 4_500, 0.9)
    assert window.latency_p50_ms == pytest.approx(np.median(np.arange(5_000)))


def test_a_loss_is_a_breach_only_when_it_is_proven() -> None:
    monitors = Monitors(accuracy=AtLeast(at_least=0.7, min_outcomes=500))
    few, many = scored(600, 0.6, 2), scored(20_000, 0.6, 2)
    assert judged(rows_of(*few), monitors=monitors).accuracy_state == "ok"
    lost = judged(rows_of(*many), monitors=monitors)
    assert lost.accuracy_state == "breach"
    assert lost.judged_roc_auc is not None
    assert lost.judged_roc_auc.high is not None
    assert lost.judged_roc_auc.high < 0.7
    [finding] = findings_of(lost, monitors, None, {})
    assert (finding.monitor, finding.breach, finding.evidence.direction) == ("accuracy", True, "below")
    assert "is proven to lie below 0.7" in finding.message


def test_trailing_windows_are_pooled_only_as_far_as_needed() -> None:
    monitors = Monitors(accuracy=AtLeast(at_least=0.6, min_outcomes=1_000))
    past = [Past(*scored(400, 1.0, seed)) for seed in range(5)]
    window = judged(rows_of(*scored(300, 1.0, 9)), monitors=monitors, history=past)
    assert (window.outcomes, window.judged_outcomes) == (300, 1_100)
    assert judged(rows_of(*scored(300, 1.0, 9)), monitors=monitors).accuracy_state == "not_enough_data"


def test_calibration_off_in_either_direction_is_a_breach() -> None:
    monitors = Monitors(calibration=AtMost(at_most=0.05))
    score, y = scored(5_000, 1.0, 3)
    right = y.mean()
    for shift, state in ((0.2, "breach"), (-0.2, "breach"), (0.0, "ok")):
        moved = np.full(5_000, right + shift) + (score - score.mean()) * 0.01
        assert judged(rows_of(moved, y), monitors=monitors).calibration_state == state


def test_drift_needs_significance_and_effect() -> None:
    rng = np.random.default_rng(4)
    baseline = profile_of({"a": rng.normal(size=20_000), "b": rng.normal(size=20_000)})
    score, y = scored(50_000, 1.0, 4)
    slight = judged(rows_of(score, y, a=rng.normal(size=50_000) + 0.1, b=rng.normal(size=50_000)), baseline)
    [a, b] = slight.drift
    assert a.q_value < 1e-6
    assert (a.state, b.state, slight.drift_state) == ("ok", "ok", "ok")
    strong = judged(rows_of(score, y, a=rng.normal(size=50_000) + 0.6, b=rng.normal(size=50_000)), baseline)
    assert [column.state for column in strong.drift] == ["breach", "ok"]


def test_a_missing_column_is_a_drift_and_too_few_rows_are_no_verdict() -> None:
    rng = np.random.default_rng(5)
    baseline = profile_of({"a": rng.normal(size=2_000)})
    gone = judged(rows_of(*scored(500, 1.0, 5)), baseline)
    assert gone.drift[0].null_share == 1.0
    assert gone.drift_state == "breach"
    assert judged(rows_of(*scored(50, 1.0, 5), a=rng.normal(size=50)), baseline).drift_state == "not_enough_data"


def test_new_levels_and_values_out_of_range_are_findings_of_their_own() -> None:
    rng = np.random.default_rng(6)
    carrier, temp = rng.choice(["AA", "UA"], 5_000), rng.normal(size=5_000)
    baseline = profile_of({"carrier": carrier.tolist(), "temp": temp})
    features = {"temp": Feature(range=(-10.0, 10.0))}
    seen = rng.choice(["AA", "UA"], 2_000).astype(object)
    seen[:100] = "ZZ"
    hot = rng.normal(size=2_000)
    hot[:100] = 50.0
    window = judged(rows_of(*scored(2_000, 1.0, 6), carrier=seen, temp=hot), baseline, features=features)
    found = {
        one.subject: one for one in findings_of(window, Monitors(), baseline, features) if one.monitor == "data_quality"
    }
    assert {name: one.breach for name, one in found.items()} == {"carrier": True, "temp": True}
    assert "5.0% levels never seen at training" in found["carrier"].message
    assert "-10 to 10" in found["temp"].message


def test_a_regression_has_value_but_no_auc() -> None:
    rng = np.random.default_rng(7)
    y = rng.normal(size=1_000) * 10
    window = judged(rows_of(y + rng.normal(size=1_000), y), value=y)
    assert window.roc_auc.value is None
    assert window.brier.value is None
    assert window.confusion is None
    assert window.value.value is not None


def test_an_empty_window_and_unscored_rows_say_nothing() -> None:
    empty = judged(rows_of([], []))
    assert (empty.predictions, empty.maturity, empty.mean_score, empty.latency_p50_ms) == (0, 0.0, None, None)
    unscored = judged(rows_of([np.nan] * 10, [1.0] * 10))
    assert (unscored.outcomes, unscored.roc_auc.value, unscored.mean_score) == (10, None, None)


def test_an_output_that_is_infinite_or_beyond_one_does_not_break_a_window() -> None:
    score, y = scored(200, 1.0, 8)
    score[0], score[1] = np.inf, 7.0
    window = judged(rows_of(score, y))
    assert window.brier.value is None
    assert window.roc_auc.value is not None


@pytest.mark.slow
def test_false_alarms_stay_within_the_budget() -> None:
    """Three hundred windows without any change: expected false alerts are at most the budget's share."""
    rng = np.random.default_rng(0)
    columns = 12
    windows, false = 300, 0
    monitors = Monitors(
        psi_floor=1e-9, accuracy=AtLeast(at_least=0.7, min_outcomes=500), calibration=AtMost(at_most=1e-9)
    )
    true_auc = _skill_with_auc(0.7)
    for _ in range(windows):
        baseline = profile_of({f"n{name}": rng.normal(size=5_000) for name in range(columns)})
        score, y = scored(1_000, true_auc, int(rng.integers(1 << 31)))
        seen = {f"n{name}": rng.normal(size=1_000) for name in range(columns)}
        window = judged(rows_of(score, y, **seen), baseline, monitors)
        kinds = {one.monitor for one in findings_of(window, monitors, baseline, {}) if one.breach}
        false += len(kinds - {"calibration"})  # its threshold of nothing is broken by these scores in truth
    expected = windows * 3 * judging.level(monitors)
    assert false <= expected + 3 * np.sqrt(expected)


def _skill_with_auc(auc: float) -> float:
    """How far apart two normal distributions lie when one exceeds the other with this chance."""
    from scipy.special import ndtri

    return float(np.sqrt(2) * ndtri(auc))


def test_what_was_clipped_counts_as_sent_outside_of_its_range() -> None:
    score, y = scored(1_000, 1.0, 3)
    wind = np.linspace(0, 80, 1_000)
    rows = rows_of(score, y, wind=wind)
    rows.clipped["wind"] = np.arange(1_000) % 10 == 0
    window = judged(rows, profile_of({"wind": wind}), features={"wind": Feature(range=(0, 80), outside="clip")})
    (column,) = [one for one in window.drift if one.column == "wind"]
    assert column.out_of_range_share == pytest.approx(0.1)


def test_accuracy_is_judged_on_as_many_windows_as_the_file_says() -> None:
    past = [Past(*scored(400, 1.0, seed)) for seed in range(5)]
    for window, outcomes in ((None, 1_500), ("1w", 1_500), ("3w", 2_300), ("35d", 3_100)):
        monitors = Monitors(accuracy=AtLeast(at_least=0.6, min_outcomes=1_000, window=window))
        made = judged(rows_of(*scored(1_500, 1.0, 9)), monitors=monitors, history=past)
        assert (made.outcomes, made.judged_outcomes) == (1_500, outcomes)


@pytest.mark.parametrize(
    ("slow", "requests", "state"),
    [(150, 5_000, "breach"), (50, 5_000, "ok"), (60, 5_000, "ok"), (0, 5_000, "ok"), (100, 500, "not_enough_data")],
)
def test_latency_is_a_breach_when_too_many_requests_are_proven_slow(slow: int, requests: int, state: str) -> None:
    rows = rows_of(*scored(requests, 1.0, 5))
    rows.latency_us[:] = 10_000
    rows.latency_us[:slow] = 50_001
    monitors = Monitors(latency=Latency(p99_ms=50))
    window = judged(rows, monitors=monitors)
    assert (window.latency_state, window.requests) == (state, requests)
    told = [one for one in findings_of(window, monitors, None, {}) if one.monitor == "latency"]
    assert [one.breach for one in told] == [state == "breach"] * (state != "not_enough_data")
    assert judged(rows).latency_state == "not_enough_data"


def test_a_false_alarm_about_latency_stays_within_the_level() -> None:
    """1 in 100 requests is slow, as is allowed: of 400 windows hardly one may say otherwise."""
    monitors, rng = Monitors(latency=Latency(p99_ms=50), false_alerts_per_year=4), np.random.default_rng(6)
    rows = rows_of(*scored(2_000, 1.0, 6))
    breaches = 0
    for _ in range(400):
        rows.latency_us[:] = np.where(rng.random(2_000) < 0.01, 60_000, 10_000)
        breaches += latency.verdict(rows, monitors.latency, judging.level(monitors))[0] == "breach"
    assert breaches / 400 <= judging.level(monitors) + 0.02


def test_every_group_of_a_segment_has_its_accuracy_when_it_is_large_enough() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    score, y = scored(1_000, 1.0, 7)
    carrier = np.array(["UA"] * 600 + ["AA"] * 360 + ["HA"] * 40, dtype=object)
    carrier[:100] = None
    rows = rows_of(score, y, carrier=carrier)
    what = Judgeable(
        endpoint=ENDPOINT, model=MODEL, version=1, role="champion", start_at=START, end_at=START + DAY_US, rows=rows
    )
    file = ModelFile(model=MODEL, purpose="-", owner="-", segments=["carrier", "nothing"])
    window = judging.judge(what, None, file)
    assert [(one.value, one.predictions) for one in window.segments] == [("UA", 500), ("AA", 360), ("(missing)", 100)]
    for one, mine in zip(window.segments, (slice(100, 600), slice(600, 960), slice(0, 100)), strict=True):
        assert one.roc_auc.value == pytest.approx(metrics.roc_auc_score(y[mine], score[mine]))
