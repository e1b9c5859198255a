"""Every way to say how far a column has moved, in one table: from the stored counts of two profiles alone.

`table` takes a reference and a current profile of one column, counted in the same bins, and answers a `Statistic` a
line. A distance is compared with a floor, a test's q-value with a level; an alert needs both of one line (`psi`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from tenure.stats import bin_laws, distances, drift_bins, novelty, shapes
from tenure.stats.histograms import CategoricalCounts, Integers, NumericCounts, in_order
from tenure.stats.multiplicity import benjamini_hochberg

Kind = Literal["distance", "test"]
FLOORS = {
    "psi": 0.1,
    "jensen_shannon": 0.1,
    "hellinger": 0.1,
    "total_variation": 0.1,
    "l_infinity": 0.1,
    "wasserstein": 0.1,
    "energy": 0.1,
}
LEVEL = 0.05
NUMERIC = (
    "psi",
    "ks",
    "cramer_von_mises",
    "anderson_darling",
    "chi_squared",
    "g",
    "jensen_shannon",
    "hellinger",
    "total_variation",
    "l_infinity",
    "wasserstein",
    "energy",
    "null_share",
)
CATEGORICAL = (
    "psi",
    "chi_squared",
    "g",
    "jensen_shannon",
    "hellinger",
    "total_variation",
    "l_infinity",
    "new_level_share",
    "null_share",
)
ON_RANKS = ("ks", "cramer_von_mises", "anderson_darling")


class Numeric(shapes.Counted, Protocol):
    """A numeric column's profile, such as `records.profiles.NumericProfile`."""

    @property
    def null_count(self) -> int: ...
    @property
    def positive_infinity_count(self) -> int: ...
    @property
    def negative_infinity_count(self) -> int: ...
    @property
    def mean(self) -> float: ...


class Categorical(Protocol):
    """A categorical column's profile, such as `records.profiles.CategoricalProfile`."""

    @property
    def levels(self) -> Sequence[str]: ...
    @property
    def other_levels(self) -> Sequence[str]: ...
    @property
    def counts(self) -> npt.ArrayLike: ...
    @property
    def other_count(self) -> int: ...
    @property
    def new_count(self) -> int: ...
    @property
    def null_count(self) -> int: ...
    @property
    def n(self) -> int: ...


class Statistic(NamedTuple):
    """One line: what was measured, and how it is read.

    Larger `value` is further apart for all of them. `threshold` is of `value` for a distance and of `q_value` for a
    test: `direction` says on which side of it a breach lies. A distance other than PSI has no p-value. `q_value` is the
    p-value corrected over the columns that were tested together (`with_q_values`); None until that is done.
    """

    name: str
    value: float
    kind: Kind
    direction: Literal["above", "below"]
    threshold: float
    n_reference: int
    n_current: int
    p_value: float | None = None
    q_value: float | None = None


def table(
    reference: Any,
    current: Any,
    *,
    level: float = LEVEL,
    psi_floor: float = FLOORS["psi"],
    names: Sequence[str] | None = None,
) -> list[Statistic]:
    """Every statistic of one column, or those named, in a fixed order.

    `reference` and `current` are both numeric profiles or both categorical (see `Numeric`, `Categorical`), counted in
    the same bins; empty when one is of another kind than the other. With fewer than 100 rows on a side a p-value is 1:
    nothing can be told. Raises ValueError when the bins differ.

    The threshold of PSI is its floor plus what sampling alone gives on average, so that exceeding it means the same on
    100 rows as on a million.
    """
    if is_numeric(reference) and is_numeric(current):
        made = _numeric(reference, current, level, psi_floor, set(names or NUMERIC))
    elif is_categorical(reference) and is_categorical(current):
        made = _categorical(reference, current, level, psi_floor)
    else:
        return []
    return [one for one in made if names is None or one.name in names]


def is_numeric(column: object) -> bool:
    return hasattr(column, "edges") and hasattr(column, "point_counts")


def is_categorical(column: object) -> bool:
    return hasattr(column, "levels") and hasattr(column, "new_count")


def rows_of(column: Any) -> int:
    """All rows of a column, missing and infinite ones too."""
    if is_numeric(column):
        more = column.positive_infinity_count + column.negative_infinity_count
        return int(column.n + column.null_count + more)
    return int(column.n + column.null_count)


def bins_of(reference: Any, current: Any, bins: int = 10) -> tuple[Integers, Integers]:
    """Both columns in the same short list of bins, as `drift_bins` makes them. Raises ValueError when theirs differ."""
    _check_bins(reference, current)
    if is_numeric(reference):
        at = drift_bins.owners(reference.edges, reference.points)
        return drift_bins.numeric_bins(_numeric_counts(reference), _numeric_counts(current), bins, at)
    return drift_bins.categorical_bins(_categorical_counts(reference), _categorical_counts(current))


def with_q_values(columns: Sequence[Sequence[Statistic]]) -> list[list[Statistic]]:
    """The same tables with q-values: those of one statistic are corrected over all columns (Benjamini–Hochberg)."""
    found: dict[str, list[float]] = {}
    for name in dict.fromkeys(one.name for column in columns for one in column):
        p_values = [one.p_value for column in columns for one in column if one.name == name]
        known = benjamini_hochberg([p for p in p_values if p is not None]).tolist()
        found[name] = known[::-1]
    return [
        [one if one.p_value is None else one._replace(q_value=found[one.name].pop()) for one in column]
        for column in columns
    ]


def unit_factor(reference: Any, current: Any) -> float | None:
    """The power of ten by which a numeric column seems to have been multiplied; None when it was not.

    Both the mean and the spread must have grown by it, to within a tenth: 1000 is told for metres sent as millimetres.
    """
    if not (is_numeric(reference) and is_numeric(current)) or min(reference.n, current.n) < distances.LEAST_ROWS:
        return None
    spreads = [math.sqrt(side.m2 / side.n) for side in (reference, current)]
    if not spreads[0] or not spreads[1] or not reference.mean or reference.mean * current.mean <= 0:
        return None
    power = round(math.log10(current.mean / reference.mean))
    factors = (current.mean / reference.mean, spreads[1] / spreads[0])
    return float(10.0**power) if power and all(0.9 < one / 10.0**power < 1.1 for one in factors) else None


def _numeric(reference: Numeric, current: Numeric, level: float, psi_floor: float, names: set[str]) -> list[Statistic]:
    made = _on_bins(bins_of(reference, current), level, psi_floor)
    ordered = [
        in_order(_numeric_counts(side), side.edges, side.points).astype(np.float64) for side in (reference, current)
    ]
    n, m = reference.n, current.n
    if names & {*ON_RANKS}:
        found = bin_laws.rank_statistics(ordered[0], ordered[1])
        enough = min(n, m) >= distances.LEAST_ROWS
        for name in ON_RANKS:
            p_value = getattr(found, f"{name}_p") if enough else 1.0
            made.append(_test(name, getattr(found, name), level, n, m, p_value))
    if names & {"wasserstein", "energy"}:
        moved = shapes.axis_distances(reference, current)
        made += [_distance(name, getattr(moved, name), n, m) for name in ("wasserstein", "energy")]
    made.append(_null_share(reference, current, level))
    place = {name: number for number, name in enumerate(NUMERIC)}
    return sorted(made, key=lambda one: place[one.name])


def _categorical(reference: Categorical, current: Categorical, level: float, psi_floor: float) -> list[Statistic]:
    made = _on_bins(bins_of(reference, current), level, psi_floor)
    once = len(reference.other_levels)
    tolerated = novelty.unseen_levels_share(reference.counts, once, reference.new_count, reference.n)
    p_value = novelty.share_above_p(current.new_count, current.n, tolerated)
    share = current.new_count / max(current.n, 1)
    made.append(_test("new_level_share", share, level, reference.n, current.n, p_value))
    made.append(_null_share(reference, current, level))
    return made


def _on_bins(pair: tuple[Integers, Integers], level: float, psi_floor: float) -> list[Statistic]:
    """What shares of bins tell; `pair` are the short lists of counts."""
    psi = distances.psi_test(*pair)
    n, m = psi.n_expected, psi.n_observed
    threshold = psi_floor + max(psi.psi - psi.excess, 0.0)
    made = [Statistic("psi", psi.psi, "distance", "above", threshold, n, m, psi.p_value)]
    for name, test in (("chi_squared", distances.chi_squared(*pair)), ("g", distances.g_test(*pair))):
        made.append(_test(name, test.statistic, level, n, m, test.p_value if psi.enough else 1.0))
    more = ("jensen_shannon", "hellinger", "total_variation", "l_infinity")
    return made + [_distance(name, getattr(distances, name)(*pair), n, m) for name in more]


def _null_share(reference: Any, current: Any, level: float) -> Statistic:
    n, m = rows_of(reference), rows_of(current)
    p_value = novelty.share_difference_p(current.null_count, m, reference.null_count, n)
    enough = min(n, m) >= distances.LEAST_ROWS
    return _test("null_share", current.null_count / max(m, 1), level, n, m, p_value if enough else 1.0)


def _test(name: str, value: float, level: float, n: int, m: int, p_value: float) -> Statistic:
    return Statistic(name, value, "test", "below", level, n, m, p_value)


def _distance(name: str, value: float, n: int, m: int) -> Statistic:
    return Statistic(name, value, "distance", "above", FLOORS[name], n, m)


def _numeric_counts(column: Numeric) -> NumericCounts:
    return NumericCounts(
        counts=np.asarray(column.counts, np.int64),
        point_counts=np.asarray(column.point_counts, np.int64),
        null_count=column.null_count,
        pos_inf=column.positive_infinity_count,
        neg_inf=column.negative_infinity_count,
        n=column.n,
        mean=column.mean,
        m2=column.m2,
        min=column.min,
        max=column.max,
    )


def _categorical_counts(column: Categorical) -> CategoricalCounts:
    counts = np.asarray(column.counts, np.int64)
    return CategoricalCounts(counts, column.other_count, column.new_count, column.null_count, column.n)


def _check_bins(reference: Any, current: Any) -> None:
    fields = ("edges", "points") if is_numeric(reference) else ("levels",)
    if any(list(getattr(reference, name)) != list(getattr(current, name)) for name in fields):
        raise ValueError(
            "Both profiles must be counted in the same bins. Count the current rows in the reference's bins "
            "(`monitor.profiling.column_like`)."
        )
