"""How fast columns are counted: `python -m benchmarks.profiling`.

Millions of values for each second of one core (CPU time, so that a busy machine distorts little), beside two ways
of bare numpy in the same run that do nothing but find the bins: sorting, then looking up the edges; and a binary
search for every value. Tenure's figure includes missing values, infinities, least and greatest, and sums that are the
same to the last bit however the rows are split. Texts are counted as Python has them, and as codes as Parquet has them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.experiments import Grid, show
from tenure.sdk import profiles
from tenure.sdk.tables import count_column
from tenure.stats.histograms import CHUNK, count_categorical, count_numeric, quantile_edges, vocabulary

ROWS = 2_000_000
REPEATS = 5


def millions_per_second(work: Callable[[], object], rows: int) -> float:
    """The best of a few runs: the least disturbed one."""
    best = float("inf")
    for _ in range(REPEATS):
        start = time.thread_time()
        work()
        best = min(best, time.thread_time() - start)
    return rows / best / 1e6


def sort_and_look_up(values: np.ndarray[Any, Any], edges: np.ndarray[Any, Any]) -> None:
    for start in range(0, len(values), CHUNK):
        np.diff(np.searchsorted(np.sort(values[start : start + CHUNK]), edges))


def look_up_values(values: np.ndarray[Any, Any], edges: np.ndarray[Any, Any]) -> None:
    for start in range(0, len(values), CHUNK):
        np.bincount(np.searchsorted(edges, values[start : start + CHUNK], side="right"), minlength=len(edges) + 1)


def numeric_columns() -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(1)
    normal = rng.normal(size=ROWS)
    return {
        "normal, 64 bits": normal,
        "normal, 32 bits": normal.astype(np.float32),
        "skewed, 64 bits": rng.lognormal(0, 2, ROWS),
        "half zeros": np.where(rng.random(ROWS) < 0.5, 0.0, normal),
        "integers 0–999": rng.integers(0, 1000, ROWS),
        "5 % missing": np.where(rng.random(ROWS) < 0.05, np.nan, normal),
    }


def grids() -> Iterator[Grid]:
    rows = []
    for name, values in numeric_columns().items():
        edges, points = quantile_edges(values[:200_000])
        ours = millions_per_second(partial(count_numeric, values, edges, points), ROWS)
        by_sorting = millions_per_second(partial(sort_and_look_up, values, edges), ROWS)
        by_search = millions_per_second(partial(look_up_values, values, edges), ROWS)
        ratio = ours / max(by_sorting, by_search)
        rows.append((name, f"{ours:.0f}", f"{by_sorting:.0f}", f"{by_search:.0f}", f"{ratio:.1f} ×"))
    texts = np.random.default_rng(2).choice(np.array([f"airport {i}" for i in range(100)]), ROWS // 4).tolist()
    speed = millions_per_second(partial(count_categorical, texts, *vocabulary(texts[:50_000])), len(texts))
    rows.append(("100 levels, texts", f"{speed:.0f}", "", "", ""))
    coded = pa.array(texts).dictionary_encode()
    like = profiles.count_categorical(texts, *vocabulary(texts[:50_000]))
    speed = millions_per_second(partial(count_column, "x", like, coded), len(texts))
    rows.append(("100 levels, codes", f"{speed:.0f}", "", "", ""))
    yield Grid("Millions of values a second of one core", ("column", "tenure", "sort", "search", "ratio"), rows)


def main() -> None:
    for grid in grids():
        show(grid)


if __name__ == "__main__":
    main()
