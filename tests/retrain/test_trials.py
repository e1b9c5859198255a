"""The one look at a challenger: when, and what it says."""

from __future__ import annotations

import numpy as np
import pytest

from tenure.records.base import DAY_US
from tenure.records.model_files import Accept, Better, NoWorse
from tenure.retrain import trials

from .test_triggers import make_window

ACCEPT = Accept(better=Better(), no_worse=NoWorse(margin=0.002), shadow_days=14, shadow_outcomes=150)


def standing(windows: list[trials.Window], started_day: float = 0) -> tuple[str, float]:
    found, span = trials.standing(windows, int(started_day * DAY_US), ACCEPT)
    return found, span.until_at / DAY_US


def test_it_waits_for_days_and_for_outcomes() -> None:
    assert standing([])[0] == "waiting"
    assert standing([make_window(0, 1000)])[0] == "waiting"
    assert standing([make_window(0, 50), make_window(7, 50)])[0] == "waiting"
    assert standing([make_window(0), make_window(7)]) == ("due", 14)


def test_the_look_is_the_first_that_was_due_however_late_it_is_held() -> None:
    assert standing([make_window(7 * k) for k in range(5)]) == ("due", 14)
    assert standing([make_window(7 * k, 60) for k in range(5)]) == ("due", 21)


def test_days_count_from_the_start_of_the_shadow() -> None:
    windows = [make_window(0), make_window(7), make_window(14)]
    assert standing(windows[:2], started_day=5)[0] == "waiting"
    assert standing(windows, started_day=5) == ("due", 21)


def test_it_waits_for_outcomes_that_are_still_coming() -> None:
    assert standing([make_window(0), make_window(7, provisional=True)])[0] == "waiting"


def test_a_trial_that_gathers_nothing_runs_out_of_time() -> None:
    assert standing([make_window(7 * k, 1) for k in range(7)])[0] == "waiting"
    assert standing([make_window(7 * k, 1) for k in range(8)])[0] == "out_of_time"


def scored(n: int, better: float, seed: int = 3) -> tuple[trials.Floats, trials.Floats, trials.Floats]:
    """Outcomes with a known chance, the champion's blurred view of it, and the challenger's, sharper by `better`."""
    rng = np.random.default_rng(seed)
    chance = rng.uniform(0.05, 0.95, n)
    y = (rng.random(n) < chance).astype(float)
    blur = rng.normal(0, 1, n)
    champion = np.clip(chance + 0.3 * blur, 0.01, 0.99)
    return y, champion, np.clip(chance + 0.3 * (1 - better) * blur, 0.01, 0.99)


def test_a_better_challenger_is_accepted_with_a_sentence_for_each_reason() -> None:
    found = trials.compare(*scored(2000, 0.8), ACCEPT)
    assert found.accepted
    assert found.roc_auc_difference.low is not None
    assert found.roc_auc_difference.low > 0 > (found.brier_difference.high or 0)
    assert [reason.split(":")[0] for reason in found.reasons] == [
        "ROC AUC is proven better by more than 0",
        "The Brier score is proven no worse by more than 0.002",
    ]


def test_the_same_scores_are_not_better() -> None:
    y, champion, _ = scored(2000, 0)
    found = trials.compare(y, champion, champion.copy(), ACCEPT)
    assert not found.accepted
    assert (found.roc_auc_difference.value, found.brier_difference.value) == (0, 0)
    assert found.score_psi == pytest.approx(0, abs=1e-9)
    assert found.reasons[0].startswith("ROC AUC is not proven better")


def test_a_better_ranking_with_worse_probabilities_is_refused() -> None:
    y, champion, challenger = scored(2000, 0.8)
    found = trials.compare(y, champion, challenger / 3, ACCEPT)
    assert not found.accepted
    assert "not proven no worse" in found.reasons[1]
    assert found.score_psi > 0.5


def test_rows_with_one_kind_of_outcome_prove_nothing() -> None:
    _, champion, challenger = scored(300, 0.8)
    found = trials.compare(np.ones(300), champion, challenger, ACCEPT)
    assert not found.accepted
    assert "cannot be told" in found.reasons[0]


def test_the_areas_agree_with_counting_pairs_by_hand() -> None:
    """Of 25 pairs the champion orders 21 rightly, the challenger 24."""
    y = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0], dtype=float)
    one = np.array([0.9, 0.8, 0.7, 0.4, 0.3, 0.6, 0.5, 0.2, 0.15, 0.1])
    other = np.array([0.9, 0.85, 0.8, 0.75, 0.7, 0.72, 0.3, 0.2, 0.1, 0.05])
    found = trials.compare(y, one, other, ACCEPT)
    assert (found.champion_roc_auc.value, found.challenger_roc_auc.value) == (pytest.approx(0.84), pytest.approx(0.96))
    assert found.roc_auc_difference.value == pytest.approx(0.12)


def test_a_challenger_that_is_no_better_is_accepted_no_more_often_than_promised() -> None:
    rng, accepted = np.random.default_rng(5), 0
    only_better = Accept(better=Better(confidence=0.9), no_worse=None)
    for _ in range(400):
        y = (rng.random(400) < 0.4).astype(float)
        champion, challenger = (rng.normal(y, 1.5) for _ in range(2))
        accepted += trials.compare(y, champion, challenger, only_better).accepted
    assert accepted / 400 < 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5
