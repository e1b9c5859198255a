"""Many tests at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tenure.stats.columns import Numbers


def benjamini_hochberg(p_values: npt.ArrayLike) -> Numbers:
    """Q-values: calling everything with q <= level a discovery keeps the expected share of false ones below level.

    That holds for independent tests and for positively dependent ones.

    Parameters
    ----------
    p_values
        Shape (n,), n >= 0, each 0–1. A test that could not be made has p = 1.

    Returns
    -------
    Shape (n,), 0–1, in the order given; never below its p-value.

    Source: Benjamini & Hochberg (1995), "Controlling the false discovery rate"; Benjamini & Yekutieli (2001).

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.5, 0.02]).tolist()
    [0.03, 0.5, 0.03]
    """
    p = np.asarray(p_values, np.float64)
    if p.ndim != 1 or not np.all((p >= 0) & (p <= 1)):
        raise ValueError("P-values must be a list of numbers between 0 and 1, without NaN.")
    order = np.argsort(p)
    raised = p[order] * len(p) / np.arange(1, len(p) + 1)
    q = np.empty_like(p)
    q[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0)
    return q
