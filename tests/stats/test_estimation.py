"""Estimates without outcomes agree with what comes, say how sure they are, and are given up when they miss."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special
from sklearn import ensemble, isotonic, metrics

from tenure.stats import boosting, calibration, estimation, losses, misses, shift
from tenure.stats.calibration import cells_of_counts, cells_of_rows, chances, redrawn
from tenure.stats.estimation import METRICS, estimates, realised, scored


def drawn(rng: np.random.Generator, n: int, middle: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A feature, scores that are overconfident, and outcomes."""
    x = rng.normal(middle, 1.0, n)
    y = (rng.random(n) < special.expit(x)).astype(float)
    return x, special.expit(2 * x + 0.5), y


def test_chances_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    _, score, y = drawn(rng, 3_000)
    weight = rng.random(3_000)
    at = rng.random(500)
    oracle = isotonic.IsotonicRegression(out_of_bounds="clip").fit(score, y, weight)
    mine = chances(cells_of_rows(score, y, weight, most=len(y)), at)
    np.testing.assert_allclose(mine, oracle.predict(at), atol=1e-9)
    coarse = chances(cells_of_rows(score, y, weight), at)
    assert np.mean(np.abs(coarse - mine)) < 0.01


def test_a_histogram_of_scores_says_what_its_rows_say() -> None:
    rng = np.random.default_rng(2)
    _, score, y = drawn(rng, 20_000)
    edges = np.quantile(score, np.linspace(0, 1, 257))
    at = np.clip(np.searchsorted(edges, score, side="right") - 1, 0, 255)
    counted = [np.bincount(at[y == outcome], minlength=256) for outcome in (1, 0)]
    cells = cells_of_counts((edges[1:] + edges[:-1]) / 2, *counted, score.min(), score.max())
    _, later, _ = drawn(rng, 2_000)
    rows = scored(later, later >= 0.5)
    exact = estimates(cells_of_rows(score, y), rows, rng=np.random.default_rng(3), draws=200)
    told = estimates(cells, rows, rng=np.random.default_rng(3), draws=200)
    for name in METRICS:
        assert told[name].value == pytest.approx(exact[name].value, abs=0.004), name


def test_realised_figures_are_those_of_scikit_learn() -> None:
    _, score, y = drawn(np.random.default_rng(4), 2_000)
    said = score >= 0.4
    told = realised([*y, np.nan], [*score, 0.5], [*said, True])
    assert told == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(y, said),
            "precision": metrics.precision_score(y, said),
            "recall": metrics.recall_score(y, said),
            "f1": metrics.f1_score(y, said),
            "roc_auc": metrics.roc_auc_score(y, score),
            "brier": metrics.brier_score_loss(y, score),
            "log_loss": metrics.log_loss(y, score),
            "event_rate": y.mean(),
        },
        abs=1e-9,
    )


def test_without_drift_intervals_hold_the_truth_as_often_as_they_say() -> None:
    held: dict[str, list[bool]] = {name: [] for name in METRICS}
    for seed in range(60):
        rng = np.random.default_rng(seed)
        _, before, known = drawn(rng, 3_000)
        _, score, y = drawn(rng, 1_000)
        told = estimates(cells_of_rows(before, known), scored(score, score >= 0.5), rng=rng, draws=200)
        truth = realised(y, score, score >= 0.5)
        for name, found in held.items():
            low, high = told[name].low, told[name].high
            assert low is not None
            assert high is not None
            found.append(low <= truth[name] <= high)
    for name, found in held.items():
        assert 0.84 <= np.mean(found) <= 1.0, name  # 95 % of 60, less four standard errors


def test_weights_make_known_rows_look_like_others_and_their_estimates_right() -> None:
    """Two kinds of rows share scores but not chances; the mix moves from 20:80 to 80:20."""
    rng = np.random.default_rng(5)

    def mixed(n: int, share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        kind = (rng.random(n) < share).astype(float)
        score = rng.random(n)
        return kind, score, (rng.random(n) < np.where(kind == 1, score, score**3)).astype(float)

    kind, before, known = mixed(12_000, 0.2)
    later, score, y = mixed(3_000, 0.8)
    codes = boosting.coded([{"kind": kind}, {"kind": later}], ["kind"])
    weights = shift.density_ratio(codes[0], codes[1], rng=rng)
    ratio = np.average(weights.weight[kind == 1]) / np.average(weights.weight[kind == 0])
    assert ratio == pytest.approx(16, rel=0.15)
    assert weights.effective == pytest.approx(12_000 / (0.2 * 4**2 + 0.8 * 0.25**2), rel=0.15)
    truth = realised(y, score, score >= 0.5)
    rows = scored(score, score >= 0.5)
    plain = estimates(cells_of_rows(before, known), rows, rng=rng)
    weighted = estimates(cells_of_rows(before, known, weights.weight), rows, rng=rng)
    for name in ("accuracy", "event_rate", "precision", "brier"):
        assert plain[name].value is not None
        assert weighted[name].value is not None
        assert abs(plain[name].value - truth[name]) > 3 * abs(weighted[name].value - truth[name]), name
        assert weighted[name].low <= truth[name] <= weighted[name].high, name
    same = shift.density_ratio(codes[0][:6_000], codes[0][6_000:], rng=rng)
    assert same.effective > 0.97 * 6_000


def test_boosting_comes_near_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(6)
    columns = {"a": rng.normal(size=8_000), "b": rng.choice(["x", "y", "z"], 8_000), "c": rng.normal(size=8_000)}
    odds = np.where(columns["b"] == "x", columns["a"], -columns["a"]) + 0.5 * np.abs(columns["c"])
    y = (rng.random(8_000) < special.expit(2 * odds)).astype(float)
    [codes] = boosting.coded([columns], ["a", "b", "c"])
    mine = boosting.boosted(codes[:4_000], y[:4_000], logistic=True, trees=60)
    oracle = ensemble.HistGradientBoostingClassifier(max_iter=60, max_depth=3, random_state=1)
    oracle.fit(codes[:4_000], y[:4_000])
    told = metrics.roc_auc_score(y[4_000:], boosting.values(mine, codes[4_000:]))
    assert told > metrics.roc_auc_score(y[4_000:], oracle.predict_proba(codes[4_000:])[:, 1]) - 0.01


def test_what_cannot_be_estimated_is_said_with_a_reason() -> None:
    known = cells_of_counts([-1.0, 2.0], [300, 700], [700, 300], -1.0, 2.0)
    rng = np.random.default_rng(7)
    told = estimates(known, scored([-1.0, 2.0] * 200, [False, False] * 200), rng=rng, draws=200)
    assert told["brier"].value is None
    assert "not chances" in told["brier"].reason
    assert told["precision"].reason == "only 0 rows were said yes"
    assert told["accuracy"].value == pytest.approx(0.5)
    rare = cells_of_counts([0.0, 1.0], [1, 1], [50_000, 50_000], 0.0, 1.0)
    told = estimates(rare, scored([0.0, 1.0] * 200, [False, True] * 200), rng=rng, draws=200)
    assert "events are expected" in told["roc_auc"].reason
    assert told["event_rate"].high is not None
    assert told["event_rate"].high < 0.01
    with pytest.raises(ValueError, match="at least 10"):
        estimates(rare, scored([0.0], [True]), rng=rng, draws=100)


@pytest.mark.parametrize(
    "column", [[None] * 4, [1.0, 1.0, 1.0, 1.0], [np.inf, -np.inf, 1.0, np.nan], ["a", None, 3, "a"]]
)
def test_odd_columns_become_codes(column: list[object]) -> None:
    [codes] = boosting.coded([{"odd": column}], ["odd"])
    assert codes.shape == (4, 1)
    assert codes.max() < boosting.BINS
    model = boosting.boosted(codes, np.array([0.0, 1.0, 0.0, 1.0]))
    assert np.all(np.isfinite(boosting.values(model, codes)))


def test_a_hundred_thousand_levels_and_another_type_or_unit_are_only_other_codes() -> None:
    ids = np.array([f"order {number}" for number in range(100_000)], dtype=object)
    [codes] = boosting.coded([{"id": ids}], ["id"])
    assert codes.max() == boosting.BINS - 1
    numbers, texts = np.arange(100.0), np.arange(100).astype(str).astype(object)
    before, now = boosting.coded([{"a": numbers}, {"a": texts}], ["a"])
    np.testing.assert_array_equal(before, now)  # 3.0 and "3" are the same level
    before, now = boosting.coded([{"a": numbers + 1}, {"a": (numbers + 1) * 1000}], ["a"])
    weights = shift.density_ratio(
        np.repeat(before, 20, axis=0), np.repeat(now, 20, axis=0), rng=np.random.default_rng(1)
    )
    assert np.isfinite(weights.effective)


def test_a_redrawn_reference_strays_as_much_as_a_fresh_one() -> None:
    rng = np.random.default_rng(8)
    weight = rng.choice([0.5, 4.0], 2_000)
    y = (rng.random(2_000) < 0.3).astype(float)
    cells = cells_of_rows(np.full(2_000, 0.5), y, weight)
    redraws = [redrawn(cells, rng) for _ in range(2_000)]
    assert np.mean([one.yes[0] for one in redraws]) == pytest.approx(cells.yes[0], rel=0.01)
    assert np.std([one.yes[0] for one in redraws]) == pytest.approx(np.sqrt(np.sum(weight**2 * y)), rel=0.06)


def test_losses_of_numbers_are_estimated_where_rows_have_moved() -> None:
    rng = np.random.default_rng(9)

    def made(n: int, middle: float) -> tuple[dict[str, np.ndarray], np.ndarray]:
        x = rng.normal(middle, 1, n)
        return {"x": x, "prediction": 3 * x}, rng.normal(size=n) * (0.3 + np.abs(x))

    known, before = made(5_000, 0.0)
    rows, errors = made(3_000, 0.8)
    codes = boosting.coded([known, rows], ["x", "prediction"])
    told = losses.direct_loss(codes[0], before, codes[1], rng=rng)
    truth = {"mae": np.mean(np.abs(errors)), "rmse": np.sqrt(np.mean(errors**2))}
    for name, true in truth.items():
        assert told[name].low <= true <= told[name].high, name
    assert abs(told["mae"].value - truth["mae"]) < 0.2 * abs(np.mean(np.abs(before)) - truth["mae"])
    with pytest.raises(ValueError, match="finite error"):
        losses.direct_loss(codes[0], np.full(5_000, np.nan), codes[1], rng=rng)


def test_estimates_that_miss_as_rarely_as_promised_are_seldom_given_up() -> None:
    rng = np.random.default_rng(10)
    runs = []
    for _ in range(300):
        evidence = np.array(misses.evidence_of_misses(rng.random(400) < 0.1))
        beyond = np.flatnonzero(evidence >= misses.ENOUGH)
        runs.append(beyond[0] + 1 if len(beyond) else 400)
    assert np.mean(runs) >= misses.ENOUGH
    assert np.mean([misses.are_refuted((rng.random(52) < 0.05).tolist()) for _ in range(300)]) < 0.05
    assert np.mean([misses.are_refuted((rng.random(12) < 0.6).tolist()) for _ in range(300)]) > 0.9


def test_cells_refuse_what_they_cannot_count() -> None:
    for given, match in (
        (([0.1], [np.nan]), "At least one row"),
        (([0.1], [2.0]), "y must be 0 or 1"),
        (([0.1], [1.0], [-1.0]), "weight must be 0 or more"),
    ):
        with pytest.raises(ValueError, match=match):
            cells_of_rows(*given)
    assert estimation.scored([], []).rows.tolist() == []
    assert calibration.cells_of(np.array([0.3]))[1].tolist() == [0.3]
