"""Detectors of harm: sequential tests that a loss has risen, with a run length that is stated before.

A Shiryaev–Roberts e-detector bets against "the mean loss is at most `mu0`". With stake λ a row with loss x multiplies
what is at stake by L = 1 + λ·(x − mu0), and a new bet of 1 is opened at every row, since the change may begin at any:
M_t = (1 + M_{t−1})·L_t. As long as every row's mean given the past is at most mu0, M_t − t falls on average, so an
alarm at M ≥ A comes after A rows or more on average, for any stake, any dependence and any distribution on [0, 1].
The mean of several stakes has the same property, and finds small and large changes.

Rows that came together share their luck: a stormy day delays every flight. Given the hours before, their mean loss is
above mu0 without any lasting harm. So each row weighs w = 1 / design effect, L becomes L^w: exact for rows that are all
the same (the geometric mean is at most the arithmetic one), and right to second order between that and independence.

Source: Shin, Ramdas, Rinaldo (2024), E-detectors, arXiv:2203.03532; stakes as in Waudby-Smith, Ramdas (2024).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tenure.stats.intervals import clopper_pearson

Floats = npt.NDArray[np.float64]
EFFECTS = (0.05, 0.1, 0.2, 0.4, 0.8)
"""The changes that are bet on, in standard deviations of the loss."""
MOST_LOST = 0.9
MOST_WON = 9.0
"""Of a bet, in one row: products of a block of rows then stay within the range of a float."""
BLOCK = 128
SLAB = BLOCK * 64
"""Rows at once: arrays of 64 KB stay in the cache; larger ones cost five times as much (measured)."""
GREATEST = 1e100
"""Where a statistic is held: far beyond any threshold."""
LEAST_RUN = 20.0
BOUND_LEVEL = 0.025
Z = 1.959963984540054


@dataclass(frozen=True)
class Bets:
    """`mu0`: the greatest mean loss that is no harm, inside 0–1. `stakes`: λ of each bet, above 0, by `bets_on`.

    `weight`: what a row counts, above 0 and at most 1: 1 / `design_effect`.
    """

    mu0: float
    stakes: tuple[float, ...]
    weight: float = 1.0


class Since(NamedTuple):
    """Sums over the rows up to the one after which a bet has last begun to pay; `gain` is its logarithm since then."""

    gain: float = 0.0
    rows: int = 0
    total: float = 0.0
    squares: float = 0.0


@dataclass(frozen=True)
class Track:
    """What a detector remembers: the statistic of each stake, and sums of the losses. A few numbers, however many rows.

    An empty one is a detector that has just begun, or begins again.
    """

    rows: int = 0
    total: float = 0.0
    squares: float = 0.0
    m: tuple[float, ...] = ()
    since: tuple[Since, ...] = ()


class Change(NamedTuple):
    """The loss since a change probably began, `rows` ago. The interval leans high: it was looked at because it rose."""

    after: int
    rows: int
    mean: float
    low: float
    high: float


def bets_on(mu0: float, deviation: float, design_effect: float = 1.0) -> Bets:
    """Stakes for changes of 0.05 to 0.8 standard deviations above `mu0`.

    λ = δ / (σ² + δ²) for a rise of δ. The stakes decide how early a change is found, never how often an alarm is false.

    Parameters
    ----------
    mu0
        The greatest mean loss that is no harm, inside 0–1.
    deviation
        The loss's standard deviation without a change, 0 or more. An error of rate p has √(p·(1−p)).
    design_effect
        How many rows tell as much as one that is independent of the others, at least 1.

    Examples
    --------
    >>> [round(stake, 2) for stake in bets_on(0.1, 0.3).stakes]
    [0.17, 0.33, 0.64, 1.15, 1.63]
    """
    if not 0 < mu0 < 1:
        raise ValueError(f"mu0 must lie between 0 and 1. Got {mu0}.")
    if not (math.isfinite(deviation) and deviation >= 0):
        raise ValueError(f"deviation must be 0 or more. Got {deviation}.")
    if not (math.isfinite(design_effect) and design_effect >= 1):
        raise ValueError(f"design_effect must be 1 or more. Got {design_effect}.")
    sigma = max(deviation, 1e-3)
    most = min(MOST_LOST / mu0, MOST_WON / (1 - mu0))
    wanted = (effect * sigma / (sigma**2 + (effect * sigma) ** 2) for effect in EFFECTS)
    return Bets(mu0, tuple(min(stake, most) for stake in wanted), 1 / design_effect)


def design_effect(losses: npt.ArrayLike, groups: npt.ArrayLike) -> float:
    """How many rows tell as much as one independent one, when rows of a group share their luck; at least 1.

    The variance of the mean as the groups show it over the variance that independent rows would give it.

    Parameters
    ----------
    losses, groups
        Shape (n,): a number for each row, and which group it is of, such as its day. Fewer than two groups, or losses
        that are all the same, tell nothing: 1.

    Source: Kish (1965); the variance over groups as in Liang, Zeger (1986), with G/(G−1).

    Examples
    --------
    >>> design_effect([0, 0, 1, 1], [1, 1, 2, 2])
    4.0
    """
    return dispersion(losses, groups).design_effect


class Dispersion(NamedTuple):
    """Squared deviations of the sums of groups, and what they would be of independent rows; both add up."""

    between: float = 0.0
    alone: float = 0.0

    @property
    def design_effect(self) -> float:
        return max(self.between / self.alone, 1.0) if self.alone > 0 else 1.0


def dispersion(losses: npt.ArrayLike, groups: npt.ArrayLike) -> Dispersion:
    """What `design_effect` is made of, so that it can be gathered over windows, each around its own mean."""
    x = np.asarray(losses, dtype=np.float64)
    _, place = np.unique(np.asarray(groups), return_inverse=True)
    count = int(place.max()) + 1 if len(x) else 0
    if count < 2:
        return Dispersion()
    away = x - x.mean()
    if not np.ptp(x):
        return Dispersion()
    apart = np.bincount(place, weights=away)
    return Dispersion(float(apart @ apart) * count / (count - 1), float(away @ away))


def follow(track: Track, losses: npt.ArrayLike, bets: Bets) -> tuple[Track, Floats]:
    """Go on with a detector over more rows: what it remembers after them, and its statistic M after each.

    How rows are cut into calls changes nothing but the last digits. Millions of rows a second on one core.

    Parameters
    ----------
    track
        From the call before, or `Track()`.
    losses
        Shape (n,), each 0–1, in the order of prediction; n may be 0. Raises ValueError for others, NaN too.
    bets
        The same in every call of one track.

    Returns
    -------
    The track after the rows, and M of shape (n,), 0 or more: an alarm is due at the first M at or above the run length.

    Examples
    --------
    >>> track, m = follow(Track(), [1, 1, 0], Bets(mu0=0.5, stakes=(1.0,)))
    >>> m.round(6).tolist(), track.rows
    ([1.5, 3.75, 2.375], 3)
    """
    x = np.asarray(losses, dtype=np.float64)
    if x.ndim != 1 or not bool(np.all((x >= 0) & (x <= 1))):
        raise ValueError("losses must be one row of numbers from 0 to 1, without NaN.")
    count = len(bets.stakes)
    m, since = list(track.m) or [0.0] * count, list(track.since) or [Since()] * count
    rows, total, squares = track.rows, track.total, track.squares
    path = np.zeros(len(x))
    for start in range(0, len(x), SLAB):
        part = x[start : start + SLAB]
        for place, stake in enumerate(bets.stakes):
            seen, since[place] = _slab(part, stake, bets, m[place], since[place], (rows, total, squares))
            m[place] = min(float(seen[-1]), GREATEST)
            path[start : start + len(part)] += seen / count
        rows, total, squares = rows + len(part), total + float(part.sum()), squares + float(part @ part)
    return Track(rows, total, squares, tuple(m), tuple(since)), path


def change_of(track: Track, design_effect: float = 1.0) -> Change | None:
    """When the loss of a detector probably began to rise, and how high it was since; None before the first row.

    The row after which the bet that won most has last begun to pay: the most likely place of one change (Page, 1954).
    The interval is the normal one at 95 %, within 0–1, of as many rows as are independent.
    """
    if not track.m or not track.rows:
        return None
    begun = track.since[int(np.argmax(track.m))]
    rows = track.rows - begun.rows
    if rows == 0:
        return None
    mean = (track.total - begun.total) / rows
    variance = max((track.squares - begun.squares) / rows - mean**2, 0.0)
    reach = Z * math.sqrt(variance * design_effect / rows)
    return Change(begun.rows, rows, mean, max(mean - reach, 0.0), min(mean + reach, 1.0))


def risk_bound(losses: npt.ArrayLike, design_effect: float = 1.0) -> float:
    """The upper 97.5 % confidence bound of a mean loss: what the risk of a reference can be at most.

    Independent losses of 0 and 1 have the exact bound (Clopper, Pearson, 1934); others the normal one and 3.7/n, which
    n independent rows without any loss leave open.

    Parameters
    ----------
    losses
        Shape (n,), n at least 1, each 0–1.
    design_effect
        How many rows tell as much as one independent one, at least 1.

    Examples
    --------
    >>> round(risk_bound([0, 0, 0, 0, 1, 0, 0, 0, 0, 0]), 3)
    0.445
    """
    x = np.asarray(losses, dtype=np.float64)
    if not len(x):
        raise ValueError("losses must have at least one row.")
    if design_effect == 1 and bool(np.all((x == 0) | (x == 1))):
        return clopper_pearson(int(x.sum()), len(x), 1 - 2 * BOUND_LEVEL).high or 1.0
    return bound_of(float(x.mean()), float(x.std()), len(x) / design_effect)


def bound_of(mean: float, deviation: float, rows: float) -> float:
    """`risk_bound` of losses of which only the mean, the deviation and the independent rows are known; at most 1."""
    return min(mean + Z * deviation / math.sqrt(rows) + math.log(1 / BOUND_LEVEL) / rows, 1.0)


def run_length(false_alerts_per_year: float, rows_per_year: float, detectors: int) -> float:
    """The average run length in rows so that false alerts stay within a yearly budget.

    A detector of run length A that begins again after each alarm raises at most rows/A of them on average, whatever
    depends on what. Expectations add up over the detectors that share the budget.

    Returns
    -------
    A ≥ 20, the threshold of M.

    Examples
    --------
    >>> run_length(4, rows_per_year=1_000_000, detectors=2)
    500000.0
    """
    for name, value in (
        ("false_alerts_per_year", false_alerts_per_year),
        ("rows_per_year", rows_per_year),
        ("detectors", detectors),
    ):
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be a number above 0. Got {value}.")
    return max(rows_per_year * detectors / false_alerts_per_year, LEAST_RUN)


def _slab(
    x: Floats, stake: float, bets: Bets, m: float, since: Since, before: tuple[int, float, float]
) -> tuple[Floats, Since]:
    """One stake over at most `SLAB` rows: M after each, and since when it pays.

    Within a block M_t = P_t·(M_0 + Σ_{j≤t} 1/P_{j−1}) with P the running product, so no row waits for the one before.
    """
    blocks = -(-len(x) // BLOCK)
    gains = np.ones(blocks * BLOCK)
    np.multiply(x, stake, out=gains[: len(x)])
    gains[: len(x)] += 1 - stake * bets.mu0
    if bets.weight != 1:
        gains **= bets.weight
    product: Floats = np.cumprod(gains.reshape(blocks, BLOCK), axis=1, dtype=np.float64)
    opened: Floats = np.ones_like(product)
    np.divide(1.0, product[:, :-1], out=opened[:, 1:])
    np.cumsum(opened, axis=1, out=opened)
    np.add(opened, _starts(product[:, -1], opened[:, -1], m)[:, None], out=opened)
    np.multiply(opened, product, out=opened)
    return opened.reshape(-1)[: len(x)], _paying(x, product, since, before)


def _starts(products: Floats, opened: Floats, m: float) -> Floats:
    """M before each block."""
    starts = []
    for product, sum_ in zip(products.tolist(), opened.tolist(), strict=True):
        starts.append(m)
        m = min(product * (m + sum_), GREATEST)
    return np.array(starts)


def _paying(x: Floats, product: Floats, since: Since, before: tuple[int, float, float]) -> Since:
    """Since when a bet pays: after the row where its running product was least."""
    ends = np.cumsum(np.log(product[:, -1])) + since.gain
    lows = np.log(product.min(axis=1)) + np.concatenate(([since.gain], ends[:-1]))
    block = int(np.argmin(lows))
    if lows[block] > 0:
        return since._replace(gain=float(ends[-1]))
    until = min(block * BLOCK + int(np.argmin(product[block])) + 1, len(x))
    passed: Any = x[:until]
    rows, total, squares = before
    gain = float(ends[-1] - lows[block])
    return Since(gain, rows + until, total + float(passed.sum()), squares + float(passed @ passed))
