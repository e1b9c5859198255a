"""A table of mixed columns as numbers, cut and scaled by one of two samples alone: what multivariate drift looks at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tenure.stats.columns import Numbers, levels_of, numbers_of

Column = npt.NDArray[Any]
QUANTILES = 8
MOST_LEVELS = 15
MOST_COLUMNS = 200
REACH = 5.0
"""Robust spreads beyond which a number counts as being there: one stray value must not be the whole distance."""


class Encoded(NamedTuple):
    """`values`, shape (n_rows, n_made), of both samples one after the other; `source[i]` is the column that i is of."""

    values: Numbers
    source: npt.NDArray[np.int64]
    names: list[str]
    n_reference: int


def indicators(reference: Mapping[str, Column], current: Mapping[str, Column]) -> Encoded:
    """Which bin or level each value is in, as 0 and 1.

    Numbers are cut at the reference's quantiles (8 bins and one for missing), levels are the reference's 15 most
    frequent, one for all others and one for missing. At most 200 columns are taken, in their order.
    """
    return _put_together(reference, current, _indicated)


def scaled(reference: Mapping[str, Column], current: Mapping[str, Column]) -> Encoded:
    """Numbers in robust spreads around the reference's median, within ± 5 (missing is 0); levels as 0 and 1."""
    return _put_together(reference, current, _scaled)


def _put_together(reference: Mapping[str, Column], current: Mapping[str, Column], how: Any) -> Encoded:
    names = [name for name in reference if name in current][:MOST_COLUMNS]
    rows = len(next(iter(reference.values()))) if reference else 0
    parts = [how(reference[name], current[name]) for name in names]
    parts = [part[:, part.std(axis=0) > 0] for part in parts]
    source = np.repeat(np.arange(len(names)), [part.shape[1] for part in parts])
    more = len(next(iter(current.values()))) if current else 0
    values = np.concatenate(parts, axis=1) if parts else np.empty((rows + more, 0))
    return Encoded(values, source, names, rows)


def _is_number(column: Column) -> bool:
    return column.dtype.kind in "iuf"


def _indicated(reference: Column, current: Column) -> Numbers:
    if not (_is_number(reference) and _is_number(current)):
        return _levels(reference, current)
    one, other = (numbers_of(side).astype(np.float64) for side in (reference, current))
    known = one[np.isfinite(one)]
    cuts = np.unique(np.quantile(known, np.arange(1, QUANTILES) / QUANTILES)) if len(known) else np.empty(0)
    both = np.concatenate((one, other))
    at = np.where(np.isnan(both), len(cuts) + 1, np.searchsorted(cuts, both, side="right"))
    return _one_hot(at, len(cuts) + 2)


def _scaled(reference: Column, current: Column) -> Numbers:
    if not (_is_number(reference) and _is_number(current)):
        return _levels(reference, current)
    one, other = (numbers_of(side).astype(np.float64) for side in (reference, current))
    known = one[np.isfinite(one)]
    if not len(known):
        return np.zeros((len(one) + len(other), 1))
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
    spread = (high - low) / 1.349 or float(np.std(known)) or 1.0
    with np.errstate(over="ignore"):
        placed = np.clip((np.concatenate((one, other)) - middle) / spread, -REACH, REACH)
    made: Numbers = np.nan_to_num(placed, nan=0.0)[:, None]
    return made


def _levels(reference: Column, current: Column) -> Numbers:
    one, other = levels_of(reference), levels_of(current)
    seen = Counter(level for level in one if level is not None)
    kept = sorted(seen, key=lambda level: (-seen[level], level))[:MOST_LEVELS]
    place = {level: at for at, level in enumerate(kept)}
    at = np.array([len(kept) + 1 if level is None else place.get(level, len(kept)) for level in (*one, *other)])
    return _one_hot(at.astype(np.int64), len(kept) + 2)


def _one_hot(at: npt.NDArray[np.int64], size: int) -> Numbers:
    made = np.zeros((len(at), size))
    made[np.arange(len(at)), at] = 1.0
    return made
