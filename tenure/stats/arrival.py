"""How outcomes arrive: which share of predictions has one by a given age, and whether they come late.

A cohort is the predictions of one window. What is known of a young cohort is cut off on the right: its slow outcomes
are yet to come. So each age is judged by the cohorts that have reached it, as a life table does, and an outcome that is
missing there counts as not arrived rather than as not there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from tenure.stats.columns import Numbers

EDGES_H = np.array(
    [
        0.25,
        0.5,
        1,
        2,
        3,
        4,
        6,
        8,
        12,
        18,
        24,
        36,
        48,
        72,
        96,
        120,
        168,
        240,
        336,
        504,
        672,
        1008,
        1344,
        2016,
        4032,
        8760,
    ]
)
"""Ages in hours at which arrivals are counted, from a quarter of an hour to a year."""
LEAST_AT_RISK = 50
STILL_COMING = 0.01
LEAST_COHORTS = 4


class Cohort(NamedTuple):
    """`n` predictions, the youngest `age_h` hours old; `counts` of their outcomes by age at arrival.

    `counts` has shape (len(EDGES_H) + 1,): at most the first edge, above it and at most the second, …, above the last.
    """

    n: int
    counts: Sequence[int] | npt.NDArray[np.int64]
    age_h: float


class Curve(NamedTuple):
    """`share` of predictions whose outcome is known at each of `EDGES_H`, as far as a cohort has reached; shape (k,).

    `final`: the share that ever has one, None while more than 1 % arrived in the second half of the time that was seen.
    """

    share: Numbers
    final: float | None


class Lateness(NamedTuple):
    """The share that had arrived at one age, and at the same age in earlier cohorts on average."""

    age_h: float
    share: float
    usual: float
    p_value: float
    cohorts: int


def lag_counts(lag_h: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Outcomes by their age at arrival, as a cohort has them. An outcome before its prediction counts as of age 0.

    >>> int(lag_counts([-1.0, 0.1, 30.0])[0])
    2
    """
    lags = np.asarray(lag_h, np.float64)
    return np.bincount(np.searchsorted(EDGES_H, lags), minlength=len(EDGES_H) + 1).astype(np.int64)


def curve(cohorts: Sequence[Cohort]) -> Curve:
    """The share of outcomes known by age, estimated by a life table; empty when no cohort has reached any age.

    Only cohorts that have reached an age say how many arrive by it, and they do so by their hazard: of those still
    waiting at the age before, the share that arrived. That is right however young the youngest cohort is, as long as
    old and young ones arrive alike. It stops where fewer than 50 predictions are still seen to wait or to be done.

    Source: Kaplan & Meier (1958); Lagakos, Barraj & De Gruttola (1988) for why young cohorts alone mislead.

    Examples
    --------
    >>> day_old = Cohort(100, lag_counts([20.0] * 50), 24.0)
    >>> week_old = Cohort(100, lag_counts([20.0] * 50 + [100.0] * 40), 168.0)
    >>> told = curve([day_old, week_old])
    >>> round(float(told.share[10]), 3), round(float(told.share[-1]), 3)
    (0.5, 0.9)
    """
    waiting, shares = 1.0, []
    for place, edge in enumerate(EDGES_H.tolist()):
        reached = [one for one in cohorts if one.age_h >= edge]
        if sum(one.n for one in reached) < LEAST_AT_RISK:
            break
        before = sum(one.n - int(np.sum(one.counts[:place])) for one in reached)
        arrived = sum(int(one.counts[place]) for one in reached)
        waiting *= 1 - arrived / before if before > 0 else 1.0
        shares.append(1 - waiting)
    share = np.array(shares)
    return Curve(share, _final(share))


def share_by(told: Curve, age_h: npt.ArrayLike) -> Numbers:
    """The share expected at some ages, linear between edges; beyond what was seen, what was seen last.

    >>> told = curve([Cohort(100, lag_counts([1.0] * 80), 24.0)])
    >>> share_by(told, [-5.0, 1.0, 900.0]).tolist()
    [0.0, 0.8, 0.8]
    """
    ages = np.asarray(age_h, np.float64)
    if not len(told.share):
        return np.zeros(ages.shape)
    at, shares = np.concatenate([[0.0], EDGES_H[: len(told.share)]]), np.concatenate([[0.0], told.share])
    expected: Numbers = np.round(np.interp(ages, at, shares), 12)
    return expected


def lateness(cohort: Cohort, earlier: Sequence[Cohort]) -> Lateness | None:
    """Whether a cohort's outcomes come as those of earlier cohorts did, at the age at which half of theirs had come.

    One age, so that a window is tested once and not at every look. Student's prediction interval for one more cohort:
    outcomes arrive in batches, so cohorts differ by more than sampling gives, and how much is seen from the earlier
    ones. None before the cohort is that old, or with fewer than 4 earlier ones that were.

    Source: Student (1908), the interval of a future observation.

    Examples
    --------
    >>> usual = [Cohort(100, lag_counts([20.0] * n), 100.0) for n in (78, 80, 82, 79, 81)]
    >>> lateness(Cohort(100, lag_counts([20.0] * 10), 100.0), usual).p_value < 1e-3
    True
    >>> lateness(Cohort(100, lag_counts([20.0] * 80), 100.0), usual).p_value > 0.9
    True
    """
    told = curve(earlier)
    if not len(told.share) or told.share[-1] <= 0:
        return None
    place = int(np.argmax(told.share >= told.share[-1] / 2))
    age = float(EDGES_H[place])
    old = [one for one in earlier if one.age_h >= age and one.n > 0]
    if cohort.age_h < age or cohort.n == 0 or len(old) < LEAST_COHORTS:
        return None
    shares = np.array([_by(one, place) for one in old])
    share, usual = _by(cohort, place), float(shares.mean())
    pooled = min(max(usual, 0.5 / sum(one.n for one in old)), 1 - 1e-9)
    sampling = pooled * (1 - pooled) * (1 / cohort.n + 1 / sum(one.n for one in old))
    spread = float(shares.var(ddof=1)) * (1 + 1 / len(old))
    distance = abs(share - usual) / math.sqrt(max(spread, sampling))
    return Lateness(age, share, usual, float(2 * special.stdtr(len(old) - 1, -distance)), len(old))


def _by(cohort: Cohort, place: int) -> float:
    return float(np.sum(cohort.counts[: place + 1])) / cohort.n


def _final(share: Numbers) -> float | None:
    if not len(share):
        return None
    half = float(EDGES_H[len(share) - 1]) / 2
    by_half = float(share_by(Curve(share, None), half))
    return float(share[-1]) if share[-1] > 0 and share[-1] - by_half <= STILL_COMING else None
