"""Weak groups are found, and where there are none the search does not make them up."""

from __future__ import annotations

import numpy as np
import pytest

from tenure.stats import weakness
from tenure.stats.weakness import Condition


def table(n: int, seed: int) -> tuple[np.random.Generator, dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    return rng, {
        "carrier": rng.choice(["AA", "HA", "UA", "WN"], n).astype(object),
        "origin": rng.choice(["JFK", "LGA"], n).astype(object),
        "distance": rng.gamma(2, 500, n),
        "hour": rng.integers(0, 24, n),
        **{f"noise{number}": rng.normal(size=n) for number in range(5)},
    }


def keys(seed: int, n: int) -> list[str]:
    return [f"{seed}-{row}" for row in range(n)]


def test_what_is_weak_is_found_with_its_effect() -> None:
    covered = 0
    for seed in range(10):
        rng, columns = table(4_000, seed)
        weak = (columns["carrier"] == "HA") & (columns["distance"] >= 1_200)
        loss = rng.exponential(1.0, 4_000) + np.where(weak, 1.0, 0.0)
        found = weakness.weakest(loss, columns, keys(seed, 4_000))
        assert found
        columns_found = {one.column for one in found[0].conditions}
        assert "carrier" in columns_found or "distance" in columns_found
        inside = weakness.rows_with(found[0].conditions, columns, 4_000)
        truth = weak[inside].mean() - weak[~inside].mean()
        covered += found[0].low <= truth <= found[0].high
        assert found[0].rows == inside.sum()
    assert covered >= 8


@pytest.mark.slow
def test_where_nothing_is_weak_hardly_anything_is_told() -> None:
    told = 0
    for seed in range(200):
        rng, columns = table(2_000, seed + 1_000)
        told += bool(weakness.weakest(rng.exponential(1.0, 2_000), columns, keys(seed, 2_000)))
    assert told <= 10


@pytest.mark.slow
def test_the_best_looking_group_of_the_same_rows_would_fool() -> None:
    """Without the second half the worst of so many groups seems proven far more often than its level."""
    fooled = 0
    for seed in range(100):
        rng, columns = table(2_000, seed + 2_000)
        loss = rng.exponential(1.0, 2_000)
        whole = np.ones(2_000, bool)
        masks = [mask for name, values in columns.items() for _, mask in weakness._candidates(name, values)]
        fooled += min(weakness._welch(loss, mask, whole).p_value for mask in masks) < 0.05
    assert fooled > 60


def test_the_split_follows_from_the_keys_alone() -> None:
    rng, columns = table(3_000, 7)
    loss = rng.exponential(1.0, 3_000) + (columns["carrier"] == "UA")
    told = weakness.weakest(loss, columns, keys(7, 3_000))
    order = rng.permutation(3_000)
    again = weakness.weakest(
        loss[order], {name: values[order] for name, values in columns.items()}, [keys(7, 3_000)[row] for row in order]
    )
    assert [one.conditions for one in told] == [one.conditions for one in again]
    assert told[0].excess == pytest.approx(again[0].excess)


@pytest.mark.parametrize(
    "values",
    [
        np.array([None] * 400, dtype=object),
        np.full(400, np.nan),
        np.full(400, 3.0),
        np.array([str(row) for row in range(400)], dtype=object),
        np.where(np.arange(400) < 200, np.inf, -np.inf),
        np.array([True, False] * 200),
    ],
)
def test_odd_columns_break_nothing(values: np.ndarray) -> None:
    loss = np.random.default_rng(1).random(400)
    assert isinstance(weakness.weakest(loss, {"odd": values}, range(400)), list)
    assert weakness.weakest(np.ones(400), {"odd": values}, range(400)) == []
    assert weakness.weakest(np.ones(10), {"odd": values[:10]}, range(10)) == []


def test_what_is_missing_is_a_group_of_its_own() -> None:
    number = np.where(np.arange(1_000) % 4 == 0, np.nan, np.arange(1_000.0))
    loss = np.random.default_rng(2).random(1_000) + np.isnan(number)
    found = weakness.weakest(loss, {"number": number}, range(1_000))
    assert found[0].conditions == (Condition("number", level=weakness.MISSING),)
    assert weakness.rows_with(found[0].conditions, {"number": number}, 1_000).sum() == 250


def test_of_a_few_tables_without_a_weakness_hardly_one_tells_of_one() -> None:
    told = 0
    for seed in range(20):
        rng, columns = table(1_000, seed + 5_000)
        told += bool(weakness.weakest(rng.exponential(1.0, 1_000), columns, keys(seed, 1_000)))
    assert told <= 1
