"""From two stored histograms to the two short vectors of counts that a drift test compares."""

from __future__ import annotations

import numpy as np

from tenure.stats.histograms import CategoricalCounts, Integers, NumericCounts, coarsen

RARE = 5.0
"""Least count to be expected in the smaller sample of a bin of its own; the common rule of chi-squared tests."""


def numeric_bins(expected: NumericCounts, observed: NumericCounts, bins: int = 10) -> tuple[Integers, Integers]:
    """Baseline and window in the same short list of bins.

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
    in_bins = int(expected.counts.sum()) / max(expected.n, 1)
    wanted = max(1, round(bins * in_bins))
    vectors = [
        np.concatenate((coarsen(side.counts, wanted), side.point_counts, [side.null_count, side.pos_inf, side.neg_inf]))
        for side in (expected, observed)
    ]
    return _without_rare(vectors[0], vectors[1], keep_last=3)


def categorical_bins(expected: CategoricalCounts, observed: CategoricalCounts) -> tuple[Integers, Integers]:
    """Baseline and window over the frozen levels, with rare levels joined, and one bin each for new levels and null.

    Examples
    --------
    >>> from tenure.stats.histograms import count_categorical
    >>> a = count_categorical(["x"] * 60 + ["y"] * 40, ["x", "y"])
    >>> b = count_categorical(["x"] * 90 + ["z"] * 10, ["x", "y"])
    >>> [vector.tolist() for vector in categorical_bins(a, b)]
    [[60, 40, 0], [90, 0, 10]]
    """
    vectors = [
        np.concatenate((side.counts, [side.other_count, side.new_count, side.null_count]))
        for side in (expected, observed)
    ]
    return _without_rare(vectors[0], vectors[1], keep_last=2)


def _without_rare(expected: Integers, observed: Integers, keep_last: int) -> tuple[Integers, Integers]:
    """Join rare bins into one and drop those empty in both; the last ones mean something and are not joined.

    Which bins are rare is decided on both samples together, so the decision favours neither.
    """
    total = expected + observed
    rows = int(total.sum())
    smaller = min(int(expected.sum()), int(observed.sum()))
    rare = total * (smaller / max(rows, 1)) < RARE
    rare[len(rare) - keep_last :] = False
    if np.count_nonzero(rare & (total > 0)) > 1:
        expected = np.concatenate((expected[~rare], [expected[rare].sum()]))
        observed = np.concatenate((observed[~rare], [observed[rare].sum()]))
    used = (expected + observed) > 0
    return expected[used], observed[used]
