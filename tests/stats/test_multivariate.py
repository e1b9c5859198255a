"""Drift of all columns together: seen where it is, rarely called where it is not, silent where nothing can be told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tenure.stats.domain_classifier import domain_classifier
from tenure.stats.reconstruction import reconstruction


def table(rng: np.random.Generator, rows: int, correlation: float = 0.8, shift: float = 0.0) -> dict[str, Any]:
    x = rng.normal(size=rows)
    y = correlation * x + np.sqrt(1 - correlation**2) * rng.normal(size=rows)
    level = rng.choice(np.array(["a", "b", "c"], dtype=object), rows)
    return {"x": x + shift, "y": y, "z": rng.gamma(2, size=rows), "level": level, "flag": rng.random(rows) < 0.2}


def test_a_classifier_tells_a_shift_and_names_the_column():
    rng = np.random.default_rng(1)
    found = domain_classifier(table(rng, 3_000), table(rng, 2_000, shift=0.5), rng)
    assert found is not None
    assert found.auc > 0.6
    assert found.p_value < 1e-6
    assert found.telling[0].column == "x"
    assert found.spread == pytest.approx(np.sqrt(5_001 / (6 * 3_000 * 2_000)))


def test_a_classifier_agrees_with_scikit_learns_on_the_same_columns():
    linear = pytest.importorskip("sklearn.linear_model")
    model_selection = pytest.importorskip("sklearn.model_selection")
    from tenure.stats.encoding import indicators

    rng = np.random.default_rng(2)
    sides = table(rng, 1_000), table(rng, 1_000, shift=0.3)
    found = domain_classifier(*sides, rng)
    made = indicators(*sides)
    folds = model_selection.StratifiedKFold(5, shuffle=True, random_state=1)
    model, truth = linear.LogisticRegression(max_iter=200), np.repeat([0, 1], 1_000)
    areas = model_selection.cross_val_score(model, made.values, truth, cv=folds, scoring="roc_auc")
    assert found is not None
    assert found.auc == pytest.approx(areas.mean(), abs=0.015)


def test_components_see_a_correlation_that_breaks_and_no_single_column_does():
    rng = np.random.default_rng(3)
    found = reconstruction(table(rng, 4_000), table(rng, 4_000, correlation=-0.8), rng)
    assert found is not None
    assert found.ratio > 1.1
    assert found.p_value < 1e-6


def without_drift(test: Any, trials: int) -> list[Any]:
    """What a test says of tables that differ by chance alone; every trial has its own reference."""
    rng = np.random.default_rng(4)
    return [test(table(rng, 500), table(rng, 400), rng) for _ in range(trials)]


def assert_level(found: list[Any]) -> None:
    for level in (0.05, 0.5):
        error = np.sqrt(level * (1 - level) / len(found))
        assert np.mean([one.p_value <= level for one in found]) == pytest.approx(level, abs=4 * error)


def test_without_drift_the_auc_of_folds_strays_as_far_as_is_said():
    """Mann & Whitney's own spread would be a third too small: folds are judged by models of each other."""
    found = without_drift(domain_classifier, 150)
    assert_level(found)
    assert np.std([(one.auc - 0.5) / one.spread for one in found]) == pytest.approx(1, abs=0.2)


def test_without_drift_components_keep_their_level():
    assert_level(without_drift(reconstruction, 250))


def test_bad_columns_have_a_defined_answer():
    rng = np.random.default_rng(5)
    good = table(rng, 400)
    bad = {
        "x": np.full(300, np.nan),
        "y": np.append(rng.normal(size=298), [np.inf, 1e300]),
        "z": np.full(300, 1.0),
        "level": np.array([None] * 300, dtype=object),
        "flag": np.array(["yes"] * 300, dtype=object),
    }
    for one, other in ((good, bad), (bad, good), (bad, bad)):
        for test in (domain_classifier, reconstruction):
            found = test(one, other, np.random.default_rng(6))
            if test is reconstruction and one is other:  # a single column varies
                assert found is None
                continue
            assert found is not None
            assert 0 <= found.p_value <= 1
    for test in (domain_classifier, reconstruction):
        assert test({}, {}, rng) is None
        assert test(good, {name: values[:50] for name, values in good.items()}, rng) is None
        assert test({"z": np.full(300, 1.0)}, {"z": np.full(300, 1.0)}, rng) is None
    apart = reconstruction(good, {**table(rng, 300), "z": np.append(rng.gamma(2, size=299), 1e300)}, rng)
    assert apart is not None
    assert apart.p_value > 1e-4
