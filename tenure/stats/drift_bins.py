"""From two stored histograms to the two short vectors of counts that a drift test compares."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tenure.stats.histograms import (
    POINT_ROWS,
    POINT_SHARE,
    CategoricalCounts,
    Integers,
    NumericCounts,
    coarsen,
)

RARE = 5.0
"""Least count to be expected in the smaller sample of a bin of its own; the common rule of chi-squared tests."""


def owners(edges: npt.ArrayLike, points: npt.ArrayLike) -> Integers:
    """In which bin each point mass would be counted, were it not one."""
    return np.searchsorted(np.asarray(edges, np.float64), np.asarray(points, np.float64), side="right")


def numeric_bins(
    expected: NumericCounts, observed: NumericCounts, bins: int = 10, at: npt.ArrayLike | None = None
) -> tuple[Integers, Integers]:
    """Baseline and window in the same short list of bins.

    A point mass was chosen for being frequent in the baseline. Of many values that are about as frequent, those are
    chosen that happened to be, and they are rarer in any later sample: on prices rounded to cents a nominal 5 % becomes
    27 %. So with `at` (see `owners`) a point that holds less than twice what it was chosen for, in both samples
    together, is counted in its bin again. What is decided on both together favours neither.

    These are: `bins` quantile bins (fewer in proportion when point masses hold part of the baseline), one for each
    point mass, one each for null, +infinity and -infinity. Rare bins are joined into one (see `RARE`), bins that
    are empty in both are left out.

    Examples
    --------
    >>> from tenure.stats.histograms import count_numeric
    >>> a = count_numeric([1.0] * 50 + [3.0] * 50, edges=[2.0])
    >>> b = count_numeric([1.0] * 80 + [None] * 20, edges=[2.0])
    >>> [vector.tolist() for vector in numeric_bins(a, b)]
    [[50, 50, 0], [80, 0, 20]]
    """
    if at is not None:
        expected, observed = _without_light_points(expected, observed, np.asarray(at, np.int64))
    in_bins = int(expected.counts.sum()) / max(expected.n, 1)
    wanted = max(1, round(bins * in_bins))
    vectors = [
        np.concatenate(
            (
                coarsen(side.counts, wanted, like=expected.counts),
                side.point_counts,
                [side.null_count, side.pos_inf, side.neg_inf],
            )
        )
        for side in (expected, observed)
    ]
    apart = np.zeros(len(vectors[0]), dtype=bool)
    apart[-3:] = True
    return _without_rare(vectors[0], vectors[1], apart, np.zeros_like(apart))


def _without_light_points(
    expected: NumericCounts, observed: NumericCounts, at: Integers
) -> tuple[NumericCounts, NumericCounts]:
    chosen_for = max(POINT_ROWS / max(expected.n, 1), POINT_SHARE)
    together = expected.point_counts + observed.point_counts
    light = together < 2 * chosen_for * (expected.n + observed.n)
    folded = []
    for side in (expected, observed):
        counts = side.counts.copy()
        np.add.at(counts, at[light], side.point_counts[light])
        folded.append(side._replace(counts=counts, point_counts=side.point_counts[~light]))
    return folded[0], folded[1]


def categorical_bins(expected: CategoricalCounts, observed: CategoricalCounts) -> tuple[Integers, Integers]:
    """Baseline and window over the frozen levels, one bin for rare, other and new levels together, and one for null.

    The baseline has no new level by construction, since its vocabulary was taken from it, while every later
    sample of a column with a long tail has some. So new levels are not compared with "none" but join the rare ones
    they would have been among. A column without rare levels has the new ones in a bin of their own.

    Examples
    --------
    >>> from tenure.stats.histograms import count_categorical
    >>> a = count_categorical(["x"] * 60 + ["y"] * 40, ["x", "y"])
    >>> b = count_categorical(["x"] * 90 + ["z"] * 10, ["x", "y"])
    >>> [vector.tolist() for vector in categorical_bins(a, b)]
    [[60, 40, 0], [90, 0, 10]]
    """
    vectors = [
        np.concatenate((side.counts, [side.null_count, side.other_count + side.new_count]))
        for side in (expected, observed)
    ]
    apart, joined = np.zeros((2, len(vectors[0])), dtype=bool)
    apart[-2] = joined[-1] = True
    return _without_rare(vectors[0], vectors[1], apart, joined)


def _without_rare(
    expected: Integers, observed: Integers, apart: npt.NDArray[np.bool_], joined: npt.NDArray[np.bool_]
) -> tuple[Integers, Integers]:
    """Join rare bins into one, and drop those empty in both; `apart` are never joined, `joined` always are.

    Which bins are rare is decided on both samples together, so the decision favours neither.
    """
    total = expected + observed
    smaller = min(int(expected.sum()), int(observed.sum()))
    rare = (total * (smaller / max(int(total.sum()), 1)) < RARE) & ~apart | joined
    expected = np.concatenate((expected[~rare], [expected[rare].sum()]))
    observed = np.concatenate((observed[~rare], [observed[rare].sum()]))
    used = (expected + observed) > 0
    return expected[used], observed[used]
