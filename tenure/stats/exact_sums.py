"""Mean and squared deviations that are the same to the last bit however the rows are split, and in whatever order.

Sums of floats depend on the order of adding; sums of integers do not. So each value's distance from a fixed centre is
written as an integer number of a fixed unit, both taken from the bins, which never change. The integer is kept as three
limbs of 20 bits in floats: every sum of 8,192 products of two limbs is a whole number of at most 2⁵³, which a float
holds exactly, so that dot products (the fastest thing a processor does) add them up without rounding.

What is lost is what lies below the unit: 2⁻⁵² of the span of the bins, less than the last bit of a value at that span.
A value beyond 128 spans is written in a coarser unit that leaves it at least 40 bits.

The idea of a fixed grid: Demmel & Nguyen (2013), "Fast reproducible floating-point summation", ARITH 21.
"""

from __future__ import annotations

import math
import sys
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from tenure.stats.columns import Numbers

LIMB = 20
LIMBS = 3
BLOCK = 8192
"""Values whose products are added at once: 2¹³ × 2²⁰ × 2²⁰ = 2⁵³."""
_WIDTH = LIMB * LIMBS
_ROUNDERS = tuple(1.5 * 2.0 ** (52 + shift) for shift in (2 * LIMB, LIMB, 0))
_OUT = 2.0 ** (_WIDTH - 1)
_ONES = np.ones(BLOCK)
_FINE = 52
_LEAST_EXPONENT, _GREATEST_EXPONENT = -900, 900
_LARGEST = sys.float_info.max


class Grid(NamedTuple):
    """Where distances are measured from, and in which unit: 2^`exponent`."""

    centre: float
    exponent: int


class ExactSums(NamedTuple):
    """Sums over `n` values of their distances from a grid's centre and of the squares, in units of the grid.

    Those of two parts added are those of the whole; exactly.
    """

    n: int = 0
    distances: int = 0
    squares: int = 0

    def plus(self, other: ExactSums) -> ExactSums:
        return ExactSums(self.n + other.n, self.distances + other.distances, self.squares + other.squares)


NOTHING = ExactSums()


def grid_of(marks: Numbers) -> Grid:
    """The grid of a column, from its edges and point masses (ascending, finite; none gives a grid around 0).

    >>> grid_of(np.array([0.0, 4.0]))
    Grid(centre=2.0, exponent=-49)
    """
    low, high = (float(marks[0]), float(marks[-1])) if len(marks) else (0.0, 0.0)
    centre = low / 2 + high / 2 + 0.0
    span = min(high / 2 - low / 2, _LARGEST / 4) * 2 or abs(centre) or 1.0
    exponent = math.frexp(span)[1] - _FINE
    return Grid(centre, min(max(exponent, _LEAST_EXPONENT), _GREATEST_EXPONENT))


def exact_sums(finite: Numbers, grid: Grid, reach: tuple[float, float] | None = None) -> ExactSums:
    """The sums of finite values, shape (n,), n >= 0. `reach`: their least and greatest, where they are known.

    Adding rests on IEEE arithmetic with rounding to nearest, as numpy and every BLAS have it.

    >>> sums = exact_sums(np.array([1.0, 5.0]), Grid(3.0, 0))
    >>> sums
    ExactSums(n=2, distances=0, squares=8)
    >>> exact_sums(np.array([1e300]), Grid(0.0, 0)).distances.bit_length()
    997
    """
    if not len(finite):
        return NOTHING
    unit = math.ldexp(1.0, -grid.exponent)
    with np.errstate(over="ignore"):
        away = finite - grid.centre
        away *= unit
    low, high = reach or (float(finite.min()), float(finite.max()))
    if max(grid.centre - low, high - grid.centre) * unit < _OUT:
        return ExactSums(len(finite), *_summed(away))
    return _with_outliers(finite, away, grid)


def _summed(away: Numbers) -> tuple[int, int]:
    """Sum and sum of squares of numbers below 2⁵⁹, each rounded to a whole one first. `away` is used up."""
    distances, squares = 0, 0
    room = np.empty((LIMBS, min(len(away), BLOCK)))
    for start in range(0, len(away), BLOCK):
        rest = away[start : start + BLOCK]
        high, middle, low = (limb[: len(rest)] for limb in room)
        for limb, rounder in zip((high, middle, low), _ROUNDERS, strict=True):
            np.add(rest, rounder, out=limb)  # to a multiple of a power of two, which stays in the last bits
            np.subtract(limb, rounder, out=limb)
            if limb is not low:
                rest -= limb
        ones = _ONES[: len(rest)]
        distances += int(high.dot(ones)) + int(middle.dot(ones)) + int(low.dot(ones))
        squares += int(high.dot(high)) + 2 * int(high.dot(middle)) + 2 * int(high.dot(low))
        squares += int(middle.dot(middle)) + 2 * int(middle.dot(low)) + int(low.dot(low))
    return distances, squares


def _with_outliers(finite: Numbers, away: Numbers, grid: Grid) -> ExactSums:
    """Values far out are written in coarser units, each value in one that depends on it alone."""
    steps = np.maximum(-(-(np.frexp(away)[1] - (_WIDTH - 1)) // LIMB), 0)
    steps[~np.isfinite(away)] = -1
    distances, squares = 0, 0
    for step in np.unique(steps).tolist():
        mine = steps == step
        if step < 0:
            for value in finite[mine].tolist():
                far = round((Fraction(value) - Fraction(grid.centre)) / Fraction(2) ** grid.exponent)
                distances, squares = distances + far, squares + far * far
            continue
        summed = _summed(away[mine] * math.ldexp(1.0, -LIMB * step))
        distances, squares = distances + (summed[0] << LIMB * step), squares + (summed[1] << 2 * LIMB * step)
    return ExactSums(len(finite), distances, squares)


def mean_of(sums: ExactSums, grid: Grid) -> float:
    """The mean, rounded once; 0 of nothing.

    >>> mean_of(ExactSums(4, 2, 0), Grid(1.0, 0))
    1.5
    """
    if not sums.n:
        return 0.0
    return _as_float(Fraction(grid.centre) + _in_units(Fraction(sums.distances, sums.n), grid.exponent))


def squared_deviations_of(sums: ExactSums, grid: Grid) -> float:
    """The sum of squared deviations from the mean, rounded once; what is too large is the largest float.

    >>> squared_deviations_of(exact_sums(np.array([1.0, 5.0]), Grid(0.0, 0)), Grid(0.0, 0))
    8.0
    """
    if not sums.n:
        return 0.0
    spread = Fraction(sums.squares * sums.n - sums.distances * sums.distances, sums.n)
    return _as_float(_in_units(spread, 2 * grid.exponent))


def _in_units(number: Fraction, exponent: int) -> Fraction:
    return number * (1 << exponent) if exponent >= 0 else number / (1 << -exponent)


def _as_float(number: Fraction) -> float:
    try:
        return float(number)
    except OverflowError:
        return _LARGEST if number > 0 else -_LARGEST
