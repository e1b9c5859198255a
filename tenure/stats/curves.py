"""Curves of many points, made fit to be looked at: smoothed, and thinned so that no spike is lost."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import numpy.typing as npt

from tenure.stats.columns import Numbers

Places = npt.NDArray[np.intp]


def smoothed(values: npt.ArrayLike, weight: float) -> Numbers:
    """Exponential moving average with its start corrected, so that the first values do not pull it towards zero.

    Each value counts `weight` times as much as the one after it. A value that is not finite changes nothing.

    Parameters
    ----------
    values
        Shape (n,), n >= 0, evenly spaced.
    weight
        0 (no smoothing) to below 1.

    Returns
    -------
    Shape (n,). NaN where the value was not finite.

    Source: Kingma & Ba (2015), "Adam", section 3, for the correction.

    Examples
    --------
    >>> smoothed([1.0, 1.0, 4.0], 0.5).round(3).tolist()
    [1.0, 1.0, 2.714]
    """
    if not 0 <= weight < 1:
        raise ValueError(f"weight must be at least 0 and below 1. Got {weight}.")
    given = np.asarray(values, np.float64)
    found = np.full(len(given), np.nan)
    finite = np.flatnonzero(np.isfinite(given))
    if not len(finite):
        return found
    first, *rest = ((1 - weight) * given[finite]).tolist()
    summed = np.fromiter(accumulate([first, *rest], lambda old, new: old * weight + new), np.float64, len(finite))
    found[finite] = summed / (1 - np.power(weight, np.arange(1, len(finite) + 1)))
    return found


def thinned(values: npt.ArrayLike, most: int) -> Places:
    """Places of at most `most` values that draw the same curve: first and last, and each stretch's least and greatest.

    Values that are not finite are left out. `most` is at least 4.

    >>> thinned([0, 9, 0, 0, 0, 0, -9, 0], 6).tolist()
    [0, 1, 6, 7]
    >>> thinned([1.0, float("nan"), 3.0], 100).tolist()
    [0, 2]
    """
    if most < 4:
        raise ValueError(f"most must be at least 4. Got {most}.")
    given = np.asarray(values, np.float64)
    finite = np.flatnonzero(np.isfinite(given))
    if len(finite) <= most:
        return finite
    kept = given[finite]
    starts = np.linspace(0, len(kept), (most - 2) // 2, endpoint=False).astype(np.intp)
    stretch = np.zeros(len(kept), np.intp)
    stretch[starts[1:]] = 1
    ordered = np.lexsort((kept, np.cumsum(stretch)))  # by stretch, in each from the least to the greatest
    lasts = np.append(starts[1:], len(kept)) - 1
    chosen = np.unique(np.concatenate([ordered[starts], ordered[lasts], [0, len(kept) - 1]]))
    return np.asarray(finite[chosen], np.intp)
