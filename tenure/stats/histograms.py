"""Histograms that merge: integer counts in bins that were cut once, at training.

Two samples counted in the same bins are compared exactly as if they had been counted together, and merging is
integer addition: everything, mean and M2 too (`exact_sums`), is byte-identical under any split of the rows and any
order.

Quantile sketches were tried and rejected: two KLL sketches of the *same* distribution are told apart by a
Kolmogorov–Smirnov test in 43 to 100 % of trials, since their error is larger than its critical value.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tenure.stats.bin_finder import BinFinder
from tenure.stats.columns import Numbers, Values, levels_of, numbers_of, strangers_in
from tenure.stats.exact_sums import ExactSums, Grid, exact_sums, grid_of, mean_of, squared_deviations_of

Integers = npt.NDArray[np.int64]

CHUNK = 16_384
"""Values counted at a time: an eighth of a megabyte, which stays in a core's cache."""

POINTS_LIMIT = 16
POINT_SHARE = 0.01
POINT_ROWS = 10
LEVELS_LIMIT = 1024
OTHER_LEVELS_LIMIT = 16_384
_LARGEST = sys.float_info.max


class NumericCounts(NamedTuple):
    """Counts of one numeric column.

    `counts[i]` holds `edges[i-1] <= x < edges[i]`, shape (len(edges) + 1,), without the values in `points`, which
    stand in `point_counts`. `n` is the number of finite values, so `n == counts.sum() + point_counts.sum()`;
    rows = n + null_count + pos_inf + neg_inf. `mean`, `m2` (sum of squared deviations), `min` and `max` are over
    the finite values; min and max are None when there are none. `wrong_type` of the nulls were there, but were no
    numbers; `outside` of the finite values lie outside of where they were expected. `sums` are what mean and M2 follow
    from; None when only those were kept.
    """

    counts: Integers
    point_counts: Integers
    null_count: int
    pos_inf: int
    neg_inf: int
    n: int
    mean: float
    m2: float
    min: float | None
    max: float | None
    wrong_type: int = 0
    outside: int = 0
    sums: ExactSums | None = None
    grid: Grid | None = None


class CategoricalCounts(NamedTuple):
    """Counts of one categorical column.

    `counts[i]` is of level i of the frozen vocabulary, `other_count` of levels beyond it that training had seen,
    `new_count` of levels that are in neither. `n` is the number of values that are not missing.
    """

    counts: Integers
    other_count: int
    new_count: int
    null_count: int
    n: int


def quantile_edges(values: Values, bins: int = 256) -> tuple[Numbers, Numbers]:
    """Where to cut a numeric column: inner edges at its quantiles, and the values that need a bin of their own.

    A point mass is a value that holds at least 1 % of the rows and at least 10 rows; the 16 most frequent are
    kept. Left among the others, one such value would swallow several quantiles. The remaining values are cut at
    their quantiles; edges that coincide are one edge. Every point is an edge too, so that points and bins have
    an order (`in_order`).

    Parameters
    ----------
    values
        Shape (n,), n >= 0. NaN, infinities and what is not a number are left out.
    bins
        Most bins wanted for the values that are no point masses, at least 2.

    Returns
    -------
    edges
        Shape (at most bins - 1 + len(points),), strictly ascending; empty when there is nothing to cut.
    points
        Shape (at most 16,), strictly ascending.

    Examples
    --------
    >>> edges, points = quantile_edges([1, 2, 3, 4], bins=4)
    >>> edges.tolist(), points.tolist()
    ([2.0, 3.0, 4.0], [])
    >>> edges, points = quantile_edges([7] * 20)
    >>> edges.tolist(), points.tolist()
    ([7.0], [7.0])
    """
    if bins < 2:
        raise ValueError(f"The number of bins must be at least 2. Got {bins}.")
    column = numbers_of(values).astype(np.float64)
    column = np.sort(column[np.isfinite(column)])
    column += 0.0  # -0.0 becomes 0.0: they are equal, and must be one in JSON too
    distinct, repeats = np.unique(column, return_counts=True)
    heavy = np.flatnonzero(repeats >= max(POINT_ROWS, POINT_SHARE * len(column)))
    heaviest = heavy[np.argsort(-repeats[heavy], kind="stable")][:POINTS_LIMIT]
    is_point = np.zeros(len(distinct), dtype=bool)
    is_point[heaviest] = True
    points = distinct[is_point]
    rest = np.repeat(distinct[~is_point], repeats[~is_point])
    if not len(rest):
        return points, points
    at = np.ceil(np.arange(1, bins) * (len(rest) / bins)).astype(np.int64)
    cuts = np.unique(rest[np.minimum(at, len(rest) - 1)])
    return np.union1d(cuts[cuts > rest[0]], points), points


def count_numeric(
    values: Values, edges: npt.ArrayLike, points: npt.ArrayLike = (), within: tuple[float, float] | None = None
) -> NumericCounts:
    """Count a numeric column in bins that were cut before.

    Parameters
    ----------
    values
        Shape (n,), n >= 0. NaN and what is not a number count as null.
    edges, points
        As `quantile_edges` gives them: ascending.
    within
        Least and greatest value that are expected, of which `outside` tells.

    Examples
    --------
    >>> counted = count_numeric([0.5, 1.0, 2.0, 2.0, None, float("inf")], edges=[1.0], points=[2.0])
    >>> counted.counts.tolist(), counted.point_counts.tolist(), counted.null_count, counted.pos_inf, counted.n
    ([1, 1], [2], 1, 1, 4)
    """
    counter = NumericCounter(edges, points, within)
    counter.add(values)
    return counter.counted()


class NumericCounter:
    """Counts a numeric column part by part: `count_numeric` for what does not fit in memory at once.

    >>> counter = NumericCounter([1.0])
    >>> counter.add([0.5, 2.0])
    >>> counter.add([3.0])
    >>> counter.counted().counts.tolist(), counter.counted().mean
    ([1, 2], 1.8333333333333333)
    """

    def __init__(
        self, edges: npt.ArrayLike, points: npt.ArrayLike = (), within: tuple[float, float] | None = None
    ) -> None:
        cuts, masses = np.asarray(edges, np.float64), np.asarray(points, np.float64)
        self._bins = _Bins(cuts, masses)
        self._grid = grid_of(np.union1d(cuts, masses))
        self._counts, self._point_counts = np.zeros(len(cuts) + 1, np.int64), np.zeros(len(masses), np.int64)
        self._nulls, self._pos_inf, self._neg_inf, self._wrong_type, self._outside = 0, 0, 0, 0, 0
        self._within = within or (-math.inf, math.inf)
        self._least, self._greatest = math.inf, -math.inf
        self._sums = ExactSums()

    def add(self, values: Values) -> None:
        """Count more values, shape (n,), n >= 0."""
        column = numbers_of(values)
        self._wrong_type += strangers_in(values)
        for start in range(0, len(column), CHUNK):
            self._add(column[start : start + CHUNK].astype(np.float64, copy=False))

    def add_nulls(self, count: int, wrong_type: int = 0) -> None:
        """Count values that are known to be missing, so many of them since they were no numbers."""
        self._nulls += count
        self._wrong_type += wrong_type

    def _add(self, wide: Numbers) -> None:
        least, greatest = float(wide.min()), float(wide.max())
        if not (math.isfinite(least) and math.isfinite(greatest)):  # a NaN makes both a NaN
            wide = self._finite_of(wide)
            if not len(wide):
                return
            least, greatest = float(wide.min()), float(wide.max())
        self._least, self._greatest = min(self._least, least), max(self._greatest, greatest)
        low, high = self._within
        if least < low or greatest > high:
            self._outside += int(np.count_nonzero(wide < low)) + int(np.count_nonzero(wide > high))
        counts, point_counts = self._bins.count(wide)
        self._counts += counts
        self._point_counts += point_counts
        self._sums = self._sums.plus(exact_sums(wide, self._grid, (least, greatest)))

    def _finite_of(self, wide: Numbers) -> Numbers:
        is_finite = np.isfinite(wide)
        left_out = wide[~is_finite]
        pos_inf, neg_inf = int(np.count_nonzero(left_out == np.inf)), int(np.count_nonzero(left_out == -np.inf))
        self._pos_inf, self._neg_inf = self._pos_inf + pos_inf, self._neg_inf + neg_inf
        self._nulls += len(left_out) - pos_inf - neg_inf
        return wide[is_finite]

    def counted(self) -> NumericCounts:
        """Everything that was counted until now."""
        there = self._sums.n > 0
        return NumericCounts(
            counts=self._counts.copy(),
            point_counts=self._point_counts.copy(),
            null_count=self._nulls,
            pos_inf=self._pos_inf,
            neg_inf=self._neg_inf,
            n=self._sums.n,
            mean=mean_of(self._sums, self._grid),
            m2=squared_deviations_of(self._sums, self._grid),
            min=self._least + 0.0 if there else None,
            max=self._greatest + 0.0 if there else None,
            wrong_type=self._wrong_type,
            outside=self._outside,
            sums=self._sums,
            grid=self._grid,
        )


class _Bins:
    """Bins and points as one row of finer bins: a point mass p is the bin from p to the next float after it."""

    def __init__(self, edges: Numbers, points: Numbers) -> None:
        with np.errstate(over="ignore"):
            after_points = np.nextafter(points, np.inf)
        fine = np.unique(np.concatenate((edges, points, after_points)))
        fine = fine[np.isfinite(fine)]
        self._finder = BinFinder(fine)
        self._points = np.searchsorted(fine, points, side="right")
        self._owners = np.concatenate(([0], np.searchsorted(edges, fine, side="right")))
        self._size = len(edges) + 1

    def count(self, finite: Numbers) -> tuple[Integers, Integers]:
        fine = self._finder.count(finite)
        point_counts = fine[self._points]
        fine[self._points] = 0
        counts = np.zeros(self._size, np.int64)
        np.add.at(counts, self._owners, fine)
        return counts, point_counts


def merge_numeric(parts: Sequence[NumericCounts]) -> NumericCounts:
    """Counts of all rows together, from parts (at least one) that were counted in the same bins.

    The same to the last byte as if they had been counted at once. Only where a part has lost its sums (it was stored
    before they were kept), mean and M2 follow Chan, Golub & LeVeque (1983), each rounded once (`math.fsum`).

    Examples
    --------
    >>> a, b = count_numeric([1.0, 5.0], [3.0]), count_numeric([3.0], [3.0])
    >>> merged = merge_numeric([a, b])
    >>> merged.counts.tolist(), merged.mean, merged.m2
    ([1, 2], 3.0, 8.0)
    """
    if len(parts) == 1:
        return parts[0]
    lows = [part.min for part in parts if part.min is not None]
    highs = [part.max for part in parts if part.max is not None]
    mean, m2, sums = _moments(parts)
    return NumericCounts(
        counts=_added([part.counts for part in parts]),
        point_counts=_added([part.point_counts for part in parts]),
        null_count=sum(part.null_count for part in parts),
        pos_inf=sum(part.pos_inf for part in parts),
        neg_inf=sum(part.neg_inf for part in parts),
        n=sum(part.n for part in parts),
        mean=mean,
        m2=m2,
        min=min(lows) if lows else None,
        max=max(highs) if highs else None,
        wrong_type=sum(part.wrong_type for part in parts),
        outside=sum(part.outside for part in parts),
        sums=sums,
        grid=parts[0].grid if sums else None,
    )


def _moments(parts: Sequence[NumericCounts]) -> tuple[float, float, ExactSums | None]:
    grid = parts[0].grid
    if grid is None or any(part.sums is None or part.grid != grid for part in parts):
        n = sum(part.n for part in parts)
        mean = math.fsum(part.mean * (part.n / n) for part in parts if part.n) if n else 0.0
        return mean, _spread(parts, mean), None
    sums = reduce(ExactSums.plus, (part.sums for part in parts if part.sums is not None))
    return mean_of(sums, grid), squared_deviations_of(sums, grid), sums


def _spread(parts: Sequence[NumericCounts], mean: float) -> float:
    """The parts' squared deviations around the common mean; what is too large for a float is the largest one."""
    terms = [part.m2 + part.n * (part.mean - mean) * (part.mean - mean) for part in parts if part.n]
    try:
        return min(math.fsum(terms), _LARGEST)
    except OverflowError:
        return _LARGEST


def _added(arrays: Sequence[Integers]) -> Integers:
    if len({array.shape for array in arrays}) > 1:
        raise ValueError("Histograms can be merged only when they have the same bins. Got different numbers of bins.")
    return np.asarray(np.sum(arrays, axis=0, dtype=np.int64))


def vocabulary(values: Values, top: int = LEVELS_LIMIT) -> tuple[list[str], list[str]]:
    """The levels of a categorical column, most frequent first, equal ones by name: the first `top`, and the others.

    At most 16,384 others are kept; values of levels beyond them count as new, at training as later, so a
    comparison of the two stays fair.

    Examples
    --------
    >>> vocabulary(["b", "a", "b", None, "c"], top=2)
    (['b', 'a'], ['c'])
    """
    seen = Counter(levels_of(values))
    del seen[None]
    ranked = sorted((level for level in seen if level is not None), key=lambda level: (-seen[level], level))
    return ranked[:top], ranked[top : top + OTHER_LEVELS_LIMIT]


def count_categorical(values: Values, levels: Sequence[str], other_levels: Sequence[str] = ()) -> CategoricalCounts:
    """Count a categorical column over a frozen vocabulary.

    Parameters
    ----------
    values
        Shape (n,), n >= 0, of anything that `columns.levels_of` can name; None and NaN count as null.
    levels, other_levels
        As `vocabulary` gives them.

    Examples
    --------
    >>> count_categorical(["a", "b", "z", None], levels=["a"], other_levels=["b"])
    CategoricalCounts(counts=array([1]), other_count=1, new_count=1, null_count=1, n=3)
    """
    counter = CategoricalCounter(levels, other_levels)
    counter.add(Counter(levels_of(values)))
    return counter.counted()


class CategoricalCounter:
    """Counts a categorical column part by part: `count_categorical` for what does not fit in memory at once.

    >>> counter = CategoricalCounter(["a"])
    >>> counter.add({"a": 2, None: 1})
    >>> counter.counted()
    CategoricalCounts(counts=array([2]), other_count=0, new_count=0, null_count=1, n=2)
    """

    def __init__(self, levels: Sequence[str], other_levels: Sequence[str] = ()) -> None:
        self._places = {level: place for place, level in enumerate(levels)}
        self._others = frozenset(other_levels)
        self._counts = [0] * len(levels)
        self._other_count, self._new_count, self._null_count = 0, 0, 0

    def add(self, seen: Mapping[str | None, int]) -> None:
        """Count more values: how often each level was seen, None the missing ones."""
        for level, count in seen.items():
            if level is None:
                self._null_count += count
            elif level in self._places:
                self._counts[self._places[level]] += count
            elif level in self._others:
                self._other_count += count
            else:
                self._new_count += count

    def counted(self) -> CategoricalCounts:
        """Everything that was counted until now."""
        counts = np.array(self._counts, dtype=np.int64)
        n = int(counts.sum()) + self._other_count + self._new_count
        return CategoricalCounts(counts, self._other_count, self._new_count, self._null_count, n)


def merge_categorical(parts: Sequence[CategoricalCounts]) -> CategoricalCounts:
    """Counts of all rows together, from parts (at least one) that were counted over the same vocabulary.

    >>> part = count_categorical(["a", None], ["a"])
    >>> merge_categorical([part, part])
    CategoricalCounts(counts=array([2]), other_count=0, new_count=0, null_count=2, n=2)
    """
    return CategoricalCounts(
        counts=_added([part.counts for part in parts]),
        other_count=sum(part.other_count for part in parts),
        new_count=sum(part.new_count for part in parts),
        null_count=sum(part.null_count for part in parts),
        n=sum(part.n for part in parts),
    )


def in_order(counts: NumericCounts, edges: npt.ArrayLike, points: npt.ArrayLike = ()) -> Integers:
    """All finite values of a column in one ascending row of counts, each point mass before the bin that starts at it.

    For what needs an order: cumulative shares, and the ROC AUC of scores.

    Returns
    -------
    Shape (len(edges) + 1 + len(points),).

    >>> in_order(count_numeric([1.0, 2.0, 2.0, 3.0, 4.0], [2.0], [2.0]), [2.0], [2.0]).tolist()
    [1, 2, 2]
    """
    before = np.searchsorted(np.asarray(edges, np.float64), np.asarray(points, np.float64), side="right")
    return np.insert(counts.counts, before, counts.point_counts)


def coarsen(counts: npt.ArrayLike, bins: int = 10, like: npt.ArrayLike | None = None) -> Integers:
    """Fewer bins, by joining neighbours.

    Two histograms stay comparable when they are joined alike. Without `like` that depends on the number of bins
    alone: each new bin takes (nearly) the same number of old ones. With `like`, the counts of the baseline, each
    new bin holds about the same number of its rows; there may be fewer than `bins`.

    >>> coarsen([1, 2, 3, 4, 5, 6], bins=3).tolist()
    [3, 7, 11]
    >>> coarsen([1, 2, 3, 4, 5, 6], bins=2, like=[5, 1, 1, 1, 1, 1]).tolist()
    [1, 20]
    >>> coarsen([1, 2], bins=10).tolist()
    [1, 2]
    """
    fine = np.asarray(counts, np.int64)
    mass = np.ones(len(fine)) if like is None else np.asarray(like, np.float64)
    if mass.shape != fine.shape:
        raise ValueError(f"`like` must have the same bins. Got {len(mass)} for {len(fine)}.")
    if not mass.sum():
        mass = np.ones(len(fine))
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    group = np.minimum((middle * min(bins, len(fine))).astype(np.int64), bins - 1)
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    return np.add.reduceat(fine, starts) if len(fine) else fine
