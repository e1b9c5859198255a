"""Where a model is weak: groups of rows whose loss is higher than that of all others, found without fooling oneself.

Of many groups some look bad by chance. So the rows are split in two by their keys: one half proposes groups, the other
tests them and tells how large the effect is. What the second half says was not chosen by it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from tenure.stats.columns import Numbers, levels_of, numbers_of
from tenure.stats.intervals import key_hashes
from tenure.stats.multiplicity import benjamini_hochberg

Mask = npt.NDArray[np.bool_]
MOST_LEVELS = 30
QUANTILES = 5
PAIRED = 12
PROPOSED = 20
LEAST_ROWS = 100
LEAST_SHARE = 0.01
MISSING = "(missing)"


class Condition(NamedTuple):
    """What the rows of a group have in common: a level of a column, or a number from `low` (incl.) to `high` (excl.).

    An open end is infinite; `level` is None for numbers.
    """

    column: str
    level: str | None = None
    low: float = -math.inf
    high: float = math.inf


class Weak(NamedTuple):
    """A group: its mean loss and that of all other rows, of the half that tested it, and how sure that is.

    `excess` is the difference, with its interval; `q_value` is corrected for all groups that were tested
    (Benjamini–Yekutieli, since groups overlap). `rows` are of both halves.
    """

    conditions: tuple[Condition, ...]
    rows: int
    tested: int
    loss: float
    loss_of_others: float
    excess: float
    low: float
    high: float
    p_value: float
    q_value: float


def weakest(
    loss: Numbers,
    columns: Mapping[str, npt.NDArray[Any]],
    keys: Sequence[Any] | npt.NDArray[Any],
    *,
    level: float = 0.05,
    confidence: float = 0.95,
) -> list[Weak]:
    """Groups whose mean loss is proven to be higher than that of all other rows, greatest excess first.

    Candidates are the frequent levels of texts, fifths of numbers, and pairs of the most promising ones. At most
    `PROPOSED` of them are tested, each by Welch's test, one-sided; those with a q-value below `level` are told. So of
    the groups that are told, at most that share is expected to be no weaker than the rest.

    Parameters
    ----------
    loss
        Shape (n,), finite: 0 is a perfect answer, larger is worse.
    columns
        Shape (n,) each. A group needs 100 rows and 1 % of all, half of them in either half.
    keys
        Shape (n,), such as prediction ids: their hashes split the rows, the same way wherever it is computed.

    Source: Chung et al. (2019), "Slice Finder"; Cox (1975) for the split; Benjamini & Yekutieli (2001).

    Examples
    --------
    >>> carrier = np.array(["AA", "UA"] * 500, dtype=object)
    >>> found = weakest(np.where(carrier == "UA", 2.0, 1.0), {"carrier": carrier}, range(1000))
    >>> [(one.conditions[0].level, one.excess) for one in found]
    [('UA', 1.0)]
    """
    if len(loss) < 2 * LEAST_ROWS:
        return []
    proposes = (key_hashes(keys) & np.uint64(1)) == 0
    least = max(LEAST_ROWS, LEAST_SHARE * len(loss)) / 2
    found = [(conditions, mask) for conditions, mask in _proposed(loss, columns, proposes, least)]
    tested = [(conditions, mask, _welch(loss, mask, ~proposes)) for conditions, mask in found]
    q_values = benjamini_yekutieli([test.p_value for _, _, test in tested])
    told = [
        _weak(conditions, mask, ~proposes, test, q_value, confidence)
        for (conditions, mask, test), q_value in zip(tested, q_values.tolist(), strict=True)
        if q_value < level and test.excess > 0
    ]
    return sorted(told, key=lambda one: -one.excess)


def benjamini_yekutieli(p_values: Sequence[float]) -> Numbers:
    """Q-values that hold however the tests depend on each other; never below Benjamini–Hochberg's.

    Source: Benjamini & Yekutieli (2001).

    >>> benjamini_yekutieli([0.01, 0.5]).round(4).tolist()
    [0.03, 0.75]
    """
    harmonic = sum(1 / rank for rank in range(1, len(p_values) + 1))
    return np.minimum(benjamini_hochberg(p_values) * harmonic, 1.0)


def rows_with(conditions: Sequence[Condition], columns: Mapping[str, npt.NDArray[Any]], n: int) -> Mask:
    """Which rows a group holds, of n; a column that is not there holds none.

    >>> rows_with([Condition("a", low=2.0)], {"a": np.array([1.0, 2.0])}, 2).tolist()
    [False, True]
    """
    mask = np.ones(n, dtype=bool)
    for one in conditions:
        if one.column not in columns:
            return np.zeros(n, dtype=bool)
        values = columns[one.column]
        if one.level is not None:
            mask &= np.array([(MISSING if name is None else name) == one.level for name in levels_of(values)])
        else:
            numbers = numbers_of(values)
            mask &= (numbers >= one.low) & (numbers < one.high)
    return mask


class _Test(NamedTuple):
    mean: float
    others: float
    excess: float
    deviation: float
    freedom: float
    p_value: float


_NO_TEST = _Test(0.0, 0.0, 0.0, math.inf, 1.0, 1.0)


def _proposed(
    loss: Numbers, columns: Mapping[str, npt.NDArray[Any]], half: Mask, least: float
) -> list[tuple[tuple[Condition, ...], Mask]]:
    """The groups that look worst on one half and are large enough on both, singles and pairs of them."""
    singles = [((one,), mask) for name, values in columns.items() for one, mask in _candidates(name, values)]
    ranked = _ranked(loss, [one for one in singles if _large(one[1], half, least)], half)
    pairs = [
        (left[0] + right[0], left[1] & right[1])
        for left, right in combinations(ranked[:PAIRED], 2)
        if left[0][0].column != right[0][0].column
    ]
    both = ranked + [one for one in pairs if _large(one[1], half, least)]
    return _ranked(loss, both, half)[:PROPOSED]


def _ranked(
    loss: Numbers, groups: list[tuple[tuple[Condition, ...], Mask]], half: Mask
) -> list[tuple[tuple[Condition, ...], Mask]]:
    """Groups whose loss is higher than the others' on a half, the surest first."""
    tests = [_welch(loss, mask, half) for _, mask in groups]
    order = sorted(range(len(groups)), key=lambda place: tests[place].p_value)
    return [groups[place] for place in order if tests[place].excess > 0]


def _large(mask: Mask, half: Mask, least: float) -> bool:
    mine = int(np.count_nonzero(mask & half))
    return min(mine, int(np.count_nonzero(mask)) - mine) >= least


def _candidates(name: str, values: npt.NDArray[Any]) -> Iterator[tuple[Condition, Mask]]:
    if values.dtype.kind in "iuf":
        yield from _fifths(name, numbers_of(values).astype(np.float64))
        return
    names = np.array([MISSING if level is None else level for level in levels_of(values)], dtype=object)
    levels, place, counts = np.unique(names.astype(str), return_inverse=True, return_counts=True)
    if len(levels) < 2:
        return
    for one in np.argsort(-counts, kind="stable")[:MOST_LEVELS].tolist():
        yield Condition(name, level=str(levels[one])), place == one


def _fifths(name: str, numbers: Numbers) -> Iterator[tuple[Condition, Mask]]:
    there = ~np.isnan(numbers)
    if not there.any():
        return
    cuts = np.quantile(numbers[there], np.linspace(0, 1, QUANTILES + 1)[1:-1], method="higher")
    edges = [-math.inf, *np.unique(cuts).tolist(), math.inf]
    for low, high in pairwise(edges):
        yield Condition(name, low=low, high=high), there & (numbers >= low) & (numbers < high)
    if not there.all():
        yield Condition(name, level=MISSING), ~there


def _welch(loss: Numbers, mask: Mask, half: Mask) -> _Test:
    """Whether the loss within a group is higher than outside of it, on one half; source: Welch (1947)."""
    mine, others = loss[mask & half], loss[~mask & half]
    if min(len(mine), len(others)) < 2:
        return _NO_TEST
    parts = [float(side.var(ddof=1)) / len(side) for side in (mine, others)]
    excess = float(mine.mean() - others.mean())
    variance = sum(parts)
    if variance <= 0:
        return _Test(float(mine.mean()), float(others.mean()), excess, 0.0, 1.0, 0.0 if excess > 0 else 1.0)
    freedom = variance**2 / sum(part**2 / (len(side) - 1) for part, side in zip(parts, (mine, others), strict=True))
    deviation = math.sqrt(variance)
    p_value = float(special.stdtr(freedom, -excess / deviation))
    return _Test(float(mine.mean()), float(others.mean()), excess, deviation, freedom, p_value)


def _weak(
    conditions: tuple[Condition, ...], mask: Mask, half: Mask, test: _Test, q_value: float, confidence: float
) -> Weak:
    reach = float(special.stdtrit(test.freedom, (1 + confidence) / 2)) * test.deviation
    return Weak(
        conditions=conditions,
        rows=int(np.count_nonzero(mask)),
        tested=int(np.count_nonzero(mask & half)),
        loss=test.mean,
        loss_of_others=test.others,
        excess=test.excess,
        low=test.excess - reach,
        high=test.excess + reach,
        p_value=test.p_value,
        q_value=q_value,
    )
