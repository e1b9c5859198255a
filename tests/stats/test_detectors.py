"""Detectors of harm hold their run length, are the same however rows are cut, and find what they should."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure.stats import detectors
from tenure.stats.detectors import Bets, Track, bets_on, bound_of, change_of, follow, risk_bound, run_length


def one_by_one(losses: np.ndarray, bets: Bets) -> list[float]:
    """The definition, row by row: M_t = (1 + M_{t-1})·(1 + λ·(x − mu0)), the mean over the stakes."""
    m, found = [0.0] * len(bets.stakes), []
    for loss in losses.tolist():
        m = [(1 + one) * (1 + stake * (loss - bets.mu0)) for one, stake in zip(m, bets.stakes, strict=True)]
        found.append(sum(m) / len(m))
    return found


def rows_until_alarm(losses: np.ndarray, bets: Bets, length: float) -> tuple[int, int]:
    """Rows and alarms of a detector that begins again after each."""
    alarms, start = 0, 0
    while start < len(losses):
        _, m = follow(Track(), losses[start : start + 4096], bets)
        over = np.flatnonzero(m >= length)
        alarms += bool(len(over))
        start += int(over[0]) + 1 if len(over) else 4096
    return min(start, len(losses)), alarms


@pytest.mark.parametrize("rows", [1, 127, 128, 129, 5000, 9000])
def test_the_statistic_is_its_definition(rows: int) -> None:
    rng = np.random.default_rng(rows)
    losses = np.where(rng.random(rows) < 0.5, rng.random(rows), 0.0)
    bets = bets_on(0.2, 0.3)
    _, m = follow(Track(), losses, bets)
    np.testing.assert_allclose(m, one_by_one(losses, bets), rtol=1e-10)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 3000), max_size=6), st.floats(0.01, 0.9), st.integers(0, 99))
def test_how_rows_are_cut_changes_nothing(cuts: list[int], mu0: float, seed: int) -> None:
    losses = (np.random.default_rng(seed).random(3000) < mu0 * 1.05).astype(float)
    bets = bets_on(mu0, math.sqrt(mu0 * (1 - mu0)))
    whole, m = follow(Track(), losses, bets)
    track, parts = Track(), []
    for part in np.split(losses, sorted(cuts)):
        track, seen = follow(track, part, bets)
        parts.append(seen)
    np.testing.assert_allclose(np.concatenate(parts), m, rtol=1e-9)
    np.testing.assert_allclose(track.m, whole.m, rtol=1e-9)
    assert (track.rows, round(track.total)) == (whole.rows, round(whole.total))
    for one, other in zip(track.since, whole.since, strict=True):
        assert one.rows == other.rows or abs(one.gain - other.gain) < 1e-9


@pytest.mark.parametrize(
    ("draw", "mu0", "deviation"),
    [
        (lambda rng, n: (rng.random(n) < 0.1).astype(float), 0.1, 0.3),
        (lambda rng, n: (rng.random(n) < 0.002).astype(float), 0.002, 0.05),
        (lambda rng, n: rng.beta(1, 5, n), 1 / 6, 0.14),
        (lambda rng, n: np.full(n, 0.4), 0.4, 0.0),
        (lambda rng, n: np.repeat(rng.random(-(-n // 50)) < 0.5, 50)[:n] * 0.2 + 0.3, 0.5, 0.1),
    ],
    ids=["errors", "rare errors", "skewed", "constant", "in runs, below mu0"],
)
def test_false_alarms_are_no_more_frequent_than_stated(draw: object, mu0: float, deviation: float) -> None:
    """500 rows between false alarms are promised; 400,000 rows are watched: at most 800 alarms, and three sigma."""
    rng, bets = np.random.default_rng(5), bets_on(mu0, deviation)
    rows = alarms = 0
    for _ in range(20):
        seen, found = rows_until_alarm(draw(rng, 20_000), bets, 500)  # type: ignore[operator]
        rows, alarms = rows + seen, alarms + found
    expected = rows / 500
    assert alarms <= expected + 3 * math.sqrt(expected)


def test_the_promise_is_not_kept_by_never_firing() -> None:
    """The guarantee is nearly tight for errors: a run length of 1,000 is measured between 1,000 and 2,000."""
    rng, bets = np.random.default_rng(6), bets_on(0.1, 0.3)
    told = [rows_until_alarm((rng.random(20_000) < 0.1).astype(float), bets, 1000) for _ in range(30)]
    measured = sum(rows for rows, _ in told) / sum(alarms for _, alarms in told)
    assert 1000 * 0.9 < measured < 2000


def test_a_change_is_found_and_dated() -> None:
    rng = np.random.default_rng(7)
    begun, late = [], []
    for _ in range(40):
        losses = np.concatenate((rng.random(5000) < 0.1, rng.random(5000) < 0.2)).astype(float)
        _, m = follow(Track(), losses, bets_on(0.1, 0.3))
        at = 5000 + int(np.flatnonzero(m[5000:] >= 20_000)[0]) + 1
        track, _ = follow(Track(), losses[:at], bets_on(0.1, 0.3))
        change = change_of(track)
        assert change is not None
        assert change.after + change.rows == at
        assert change.low <= change.mean <= change.high
        begun.append(change.after)
        late.append(at - 5000)
    assert np.median(late) < 200
    assert abs(np.median(begun) - 5000) < 30


def test_what_gets_better_is_no_harm() -> None:
    better = (np.random.default_rng(8).random(200_000) < 0.05).astype(float)
    _, m = follow(Track(), better, bets_on(0.1, 0.3))
    assert m.max() < 20_000


def test_a_flood_of_losses_stays_a_number() -> None:
    track, m = follow(Track(), np.ones(100_000), bets_on(1e-6, 0.0))
    assert np.isfinite(m).all()
    assert np.isfinite(track.m).all()
    _, again = follow(track, np.zeros(100_000), bets_on(1e-6, 0.0))
    assert np.isfinite(again).all()


@pytest.mark.parametrize("losses", [[1.1], [-0.1], [math.nan], [[0.5]], [math.inf]])
def test_losses_outside_of_the_scale_are_refused(losses: list[object]) -> None:
    with pytest.raises(ValueError, match="losses"):
        follow(Track(), losses, Bets(0.5, (1.0,)))


def test_nothing_is_a_fine_stretch_of_rows() -> None:
    track, m = follow(Track(), [], bets_on(0.1, 0.3))
    assert (track.rows, len(m)) == (0, 0)
    assert change_of(track) is None


@pytest.mark.parametrize(("mu0", "deviation"), [(0.0, 0.1), (1.0, 0.1), (math.nan, 0.1), (0.5, -1), (0.5, math.inf)])
def test_bets_need_a_risk_inside_the_scale(mu0: float, deviation: float) -> None:
    with pytest.raises(ValueError, match=r"mu0|deviation"):
        bets_on(mu0, deviation)


@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        (lambda rng: (rng.random(1000) < 0.05).astype(float), 0.05),
        (lambda rng: (rng.random(1000) < 0.001).astype(float), 0.001),
        (lambda rng: rng.beta(1, 5, 1000), 1 / 6),
        (lambda rng: np.where(rng.random(1000) < 0.01, 0.8, 0.0), 0.008),
    ],
    ids=["errors", "rare", "skewed", "mostly nothing"],
)
def test_the_bound_of_a_risk_holds_39_times_in_40(draw: object, truth: float) -> None:
    rng = np.random.default_rng(9)
    held = sum(risk_bound(draw(rng)) >= truth for _ in range(1000))  # type: ignore[operator]
    assert held >= 975 - 3 * math.sqrt(1000 * 0.975 * 0.025)


def test_bounds_have_their_ends() -> None:
    assert risk_bound([1.0] * 10) == 1.0
    assert risk_bound([0.0] * 1000) == pytest.approx(1 - 0.025 ** (1 / 1000), rel=1e-9)
    assert bound_of(0.9, 0.3, 4) == 1.0
    with pytest.raises(ValueError, match="at least one"):
        risk_bound([])


def test_a_budget_of_time_becomes_a_run_length_by_the_traffic() -> None:
    assert run_length(4, rows_per_year=400_000, detectors=3) == 300_000
    assert run_length(1000, rows_per_year=10, detectors=1) == detectors.LEAST_RUN
    with pytest.raises(ValueError, match="rows_per_year"):
        run_length(4, rows_per_year=0, detectors=1)


def test_the_design_effect_is_that_of_clusters() -> None:
    """Groups of m rows with correlation ρ have 1 + (m−1)·ρ; independent rows have 1."""
    rng, groups = np.random.default_rng(11), np.repeat(np.arange(2000), 20)
    luck, own = np.repeat(rng.normal(size=2000), 20), rng.normal(size=40_000)
    assert detectors.design_effect(math.sqrt(0.3) * luck + math.sqrt(0.7) * own, groups) == pytest.approx(6.7, rel=0.08)
    assert detectors.design_effect(own, groups) == pytest.approx(1, abs=0.1)
    assert detectors.design_effect([0.3] * 10, range(10)) == 1
    assert detectors.design_effect([], []) == detectors.design_effect([0, 1], [1, 1]) == 1
    with pytest.raises(ValueError, match="design_effect"):
        bets_on(0.1, 0.3, 0.5)


def test_rows_that_share_their_luck_keep_the_run_length() -> None:
    """Days of 50 rows, one in four four times as bad: each row counts what it tells, and no more alarms come."""
    rng = np.random.default_rng(12)
    days = np.where(rng.random(4000) < 0.25, 0.32, 0.08)
    losses, groups = (rng.random(200_000) < np.repeat(days, 50)).astype(float), np.repeat(np.arange(4000), 50)
    effect = detectors.design_effect(losses, groups)
    assert 4 < effect < 7
    rows, alarms = rows_until_alarm(losses, bets_on(0.14, 0.35, effect), 2000)
    assert alarms <= rows / 2000
    _, unweighed = rows_until_alarm(losses, bets_on(0.14, 0.35), 2000)
    assert unweighed > 3 * alarms, "else this could not fail"


@pytest.mark.slow
def test_the_run_length_of_a_year_is_kept() -> None:
    """100,000 rows between false alarms; 200 million rows are watched."""
    rng, bets = np.random.default_rng(10), bets_on(0.1, 0.3)
    rows = alarms = 0
    for _ in range(200):
        losses = (rng.random(1_000_000) < 0.1).astype(float)
        start, track = 0, Track()
        while start < len(losses):
            after, m = follow(track, losses[start : start + 8192], bets)
            over = np.flatnonzero(m >= 100_000)
            alarms += bool(len(over))
            start, track = (start + int(over[0]) + 1, Track()) if len(over) else (start + 8192, after)
        rows += len(losses)
    assert rows / max(alarms, 1) >= 100_000 * (1 - 3 / math.sqrt(rows / 100_000))
