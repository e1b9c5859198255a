"""How far mass lies from mass: distances of two binned columns along their axis, in a unit of their own.

A point mass is a jump of the cumulative distribution; within a bin rows are taken as evenly spread. Each side's outer
bins end at its own least and greatest value, so that no bin is wider than what was seen.
"""

from __future__ import annotations

import math
import sys
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from tenure.stats.columns import Numbers

_LARGEST = sys.float_info.max


class Counted(Protocol):
    """What is known of a numeric column: `histograms.NumericCounts` says what the counts are."""

    @property
    def counts(self) -> npt.ArrayLike: ...
    @property
    def point_counts(self) -> npt.ArrayLike: ...
    @property
    def edges(self) -> npt.ArrayLike: ...
    @property
    def points(self) -> npt.ArrayLike: ...
    @property
    def n(self) -> int: ...
    @property
    def m2(self) -> float: ...
    @property
    def min(self) -> float | None: ...
    @property
    def max(self) -> float | None: ...


class Shape(NamedTuple):
    """Mass by place, ascending: `mass[i]` is spread over [start[i], end[i]], a point where both are equal."""

    start: Numbers
    end: Numbers
    mass: Numbers


class Distances(NamedTuple):
    """`wasserstein` is in units of `scale`, `energy` in units of its root; both are at least 0, 0 = the same."""

    wasserstein: float
    energy: float
    scale: float


def shape_of(column: Counted) -> Shape:
    """Where the finite values of a column lie. Empty when there are none."""
    edges, points = np.asarray(column.edges, np.float64), np.asarray(column.points, np.float64)
    counts, point_counts = np.asarray(column.counts, np.float64), np.asarray(column.point_counts, np.float64)
    if column.min is None or column.max is None or not column.n:
        return Shape(np.empty(0), np.empty(0), np.empty(0))
    start = np.concatenate((np.maximum(np.append(-np.inf, edges), column.min), points))
    end = np.concatenate((np.minimum(np.append(edges, np.inf), column.max), points))
    mass = np.concatenate((counts, point_counts)) / column.n
    used = mass > 0
    start, end, mass = start[used], np.maximum(end, start)[used], mass[used]
    order = np.lexsort((end, start))
    return Shape(start[order], end[order], mass[order])


def axis_distances(expected: Counted, observed: Counted) -> Distances:
    """Wasserstein-1 and energy distance of two columns that were counted in the same bins.

    Wasserstein is ∫ |F − G|, the least work that turns one into the other: mass times way. Energy is
    sqrt(2 ∫ (F − G)²), as in scipy, the root of 2 E|X−Y| − E|X−X'| − E|Y−Y'|. The unit is the expected column's
    IQR / 1.349 (its standard deviation, were it normal); where that is 0 its standard deviation, else 1. So a change of
    the column's unit changes neither. Both are 0 when a side is empty. They are distances, not tests, and not robust:
    one stray value far away moves them, so no alert rests on them alone.

    Source: Vallender (1974); Székely & Rizzo (2013).
    """
    ours, theirs = shape_of(expected), shape_of(observed)
    scale = robust_scale(expected)
    if not len(ours.mass) or not len(theirs.mass):
        return Distances(0.0, 0.0, scale)
    knots = np.unique(np.concatenate((ours.start, ours.end, theirs.start, theirs.end)))
    from_, until = knots[:-1], knots[1:]
    a = _cumulative(ours, from_, after=True) - _cumulative(theirs, from_, after=True)
    b = _cumulative(ours, until, after=False) - _cumulative(theirs, until, after=False)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        widths = until / scale - from_ / scale
        crossing = (a * a + b * b) / (2 * (np.abs(a) + np.abs(b)))
        work = float(np.sum(widths * np.where(a * b < 0, crossing, (np.abs(a) + np.abs(b)) / 2)))
        squared = float(np.sum(widths * (a * a + a * b + b * b) / 3))
    return Distances(min(work, _LARGEST), math.sqrt(min(max(2 * squared, 0.0), _LARGEST)), scale)


def robust_scale(column: Counted) -> float:
    """IQR / 1.349 of a column, else its standard deviation, else 1; always above 0 and finite."""
    shape = shape_of(column)
    if len(shape.mass):
        quarter, three_quarters = (_quantile(shape, share) for share in (0.25, 0.75))
        spread = (three_quarters - quarter) / 1.349
        deviation = math.sqrt(column.m2 / column.n)
        for scale in (spread, deviation):
            if 0 < scale < math.inf:
                return scale
    return 1.0


def _quantile(shape: Shape, share: float) -> float:
    total = np.cumsum(shape.mass)
    at = min(int(np.searchsorted(total, share)), len(total) - 1)
    inside = (share - (total[at] - shape.mass[at])) / shape.mass[at]
    return float(shape.start[at] + (shape.end[at] - shape.start[at]) * min(max(inside, 0.0), 1.0))


def _cumulative(shape: Shape, at: Numbers, *, after: bool) -> Numbers:
    """How much lies up to each place: with the point masses that stand there (`after`), or without."""
    total = np.concatenate(([0.0], np.cumsum(shape.mass)))
    is_point = shape.start == shape.end
    begun = np.searchsorted(shape.start, at, side="right" if after else "left")
    whole = total[begun]
    last = np.maximum(begun - 1, 0)
    # Only the last cell that has begun can be unfinished: cells follow each other, a point before the bin at its place.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        width = shape.end[last] / 2 - shape.start[last] / 2
        done = np.where(is_point[last] | (width <= 0), 1.0, (at / 2 - shape.start[last] / 2) / width)
    reached: Numbers = whole - np.where(begun > 0, shape.mass[last] * (1 - np.clip(done, 0.0, 1.0)), 0.0)
    return reached
