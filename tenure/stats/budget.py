"""Alerts that are owed a proof: a budget of false alerts, split into a level for each test."""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy import special

GREATEST_LEVEL = 0.05
"""No test is ever easier to fail than this, however generous the budget."""


class Proof(NamedTuple):
    """Whether a value lies beyond a threshold: `p_value` if it lay exactly on it, `bound` the one-sided bound."""

    proven: bool
    p_value: float
    bound: float | None


def level_per_test(false_alerts_per_year: float, tests_per_year: float, monitors: int) -> float:
    """The level of each single test so that false alerts stay within a yearly budget.

    While nothing is wrong, a test at level α raises a false alert with probability at most α. The expected number
    of false alerts in a year is the sum of these probabilities over all tests: `monitors × tests_per_year × α`,
    at most the budget. Expectations add up whether or not the tests are independent (linearity of expectation), so
    monitors may share data and windows may follow each other. It bounds the number on average over years; a
    single year may have more.

    Parameters
    ----------
    false_alerts_per_year
        The budget, above 0. "One in three months" is 4.
    tests_per_year
        How often each monitor tests, above 0: 52 for weekly windows. A window that is judged again counts again.
    monitors
        How many monitors share the budget, at least 1. The columns of one drift report are one monitor when their
        p-values have been corrected for their number.

    Returns
    -------
    The level, above 0 and at most 0.05.

    Examples
    --------
    >>> level_per_test(4, tests_per_year=50, monitors=2)
    0.04
    >>> level_per_test(1000, tests_per_year=52, monitors=1)
    0.05
    """
    for name, value in (
        ("false_alerts_per_year", false_alerts_per_year),
        ("tests_per_year", tests_per_year),
        ("monitors", monitors),
    ):
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be a number above 0. Got {value}.")
    return min(false_alerts_per_year / (tests_per_year * monitors), GREATEST_LEVEL)


def proven_below(
    value: float | None, variance: float | None, threshold: float, level: float, threshold_variance: float = 0.0
) -> Proof:
    """Whether an estimate lies below a threshold by more than chance explains, at `level` (one-sided).

    The estimate is taken as normal. Without a value or a variance nothing is proven and the p-value is 1.

    Parameters
    ----------
    value, variance
        The estimate and the variance of it (not of single rows), such as `roc_auc_interval` gives them.
    threshold, threshold_variance
        What it is held against. When that was itself estimated on other rows, give its variance.
    level
        Chance of a false proof when the value lies exactly on the threshold, 0–1: from `level_per_test`.

    Source: Wald (1943).

    Examples
    --------
    >>> proof = proven_below(0.60, 0.01**2, threshold=0.65, level=0.001)
    >>> proof.proven, round(proof.bound, 4)
    (True, 0.6309)
    >>> proven_below(None, None, threshold=0.65, level=0.001)
    Proof(proven=False, p_value=1.0, bound=None)
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1. Got {level}.")
    if value is None or variance is None or not math.isfinite(value + variance):
        return Proof(proven=False, p_value=1.0, bound=None)
    deviation = math.sqrt(variance + threshold_variance)
    bound = value - float(special.ndtri(level)) * deviation
    distance = (value - threshold) / deviation if deviation else math.copysign(math.inf, value - threshold)
    p_value = float(special.ndtr(distance)) if value != threshold else 0.5
    return Proof(bound < threshold, p_value, bound)


def proven_above(
    value: float | None, variance: float | None, threshold: float, level: float, threshold_variance: float = 0.0
) -> Proof:
    """Whether an estimate lies above a threshold by more than chance explains; else as `proven_below`.

    >>> proven_above(0.10, 0.01**2, threshold=0.05, level=0.01).proven
    True
    """
    mirrored = proven_below(
        None if value is None else -value, variance, -threshold, level, threshold_variance=threshold_variance
    )
    return Proof(mirrored.proven, mirrored.p_value, None if mirrored.bound is None else -mirrored.bound)
