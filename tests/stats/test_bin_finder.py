from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tenure.stats.bin_finder import MOST_ROUNDS, BinFinder

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)
EDGES = st.one_of(
    st.lists(elements, max_size=300, unique=True)
    for elements in (FINITE, st.floats(-1, 1), st.floats(1e-9, 1e9), st.integers(-50, 50).map(float))
)


def one_by_one(values: np.ndarray, edges: np.ndarray) -> list[int]:
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1).tolist()


@given(edges=EDGES, values=hnp.arrays(np.float64, st.integers(0, 100), elements=FINITE))
def test_every_value_finds_the_bin_that_a_binary_search_finds(edges, values):
    ascending = np.unique(np.array(edges, dtype=np.float64) + 0.0)
    with np.errstate(over="ignore"):
        near = np.concatenate((ascending, np.nextafter(ascending, -np.inf), np.nextafter(ascending, np.inf)))
    asked = np.concatenate((values, near[np.isfinite(near)], [-0.0, 0.0]))
    assert BinFinder(ascending).count(asked).tolist() == one_by_one(asked, ascending)


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(1).normal(size=50_000),
        np.random.default_rng(2).normal(1e9, 1e-3, size=50_000),
        np.random.default_rng(3).lognormal(0, 3, size=50_000),
        np.random.default_rng(4).random(50_000) * 1e-310,
    ],
    ids=["normal", "far from zero", "skewed", "tiny"],
)
def test_quantiles_of_usual_columns_are_guided_and_exact(values):
    edges = np.unique(np.quantile(values, np.arange(1, 256) / 256, method="higher"))
    finder = BinFinder(edges)
    assert finder._rounds <= MOST_ROUNDS
    assert finder.count(values).tolist() == one_by_one(values, edges)


def test_edges_that_crowd_are_found_by_binary_search():
    crowd = 1 + np.arange(200) * 2.0**-52
    edges = np.concatenate(([-1e300], crowd, [1e300]))
    values = np.concatenate((crowd, [-1e301, 0.0, 1e301]))
    finder = BinFinder(edges)
    assert finder._rounds > MOST_ROUNDS
    assert finder.count(values).tolist() == one_by_one(values, edges)
