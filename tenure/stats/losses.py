"""How far off numbers will be before anybody knows: errors learnt from known rows by what stands in the rows."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from tenure.stats import boosting
from tenure.stats.boosting import Codes
from tenure.stats.columns import Numbers
from tenure.stats.estimation import Estimate

LOSSES = ("mae", "rmse")
REDRAWN = 12
"""Halvings of the known rows whose models are compared: what another sample of known rows would have taught."""


class _Learnt(NamedTuple):
    mean: float
    variance: float


def direct_loss(
    reference: Codes, errors: Numbers, current: Codes, *, rng: np.random.Generator, confidence: float = 0.95
) -> dict[str, Estimate]:
    """Mean absolute error and root of the mean squared error of rows whose outcome is missing.

    A model of the loss learns from known rows how large errors are where; what it says of the current rows on average
    is the estimate. Known rows are told only by a model that was trained on the other half, which gives the model's
    bias and how much a single loss strays. The interval is for the loss that these very rows will show: it holds
    single losses' straying and the disagreement of models that were trained on different halves. It takes losses as
    independent, and the same rows as losing the same as before.

    Parameters
    ----------
    reference, current
        Codes (`boosting.coded`) of the same features and of the prediction, shapes (n, d) and (m, d); n at least 20.
    errors
        Outcome less prediction of the reference rows, shape (n,), finite.

    Returns
    -------
    For each of `LOSSES` an estimate in the unit of the outcome, 0 or more; lower is better.

    Source: the idea is known as direct loss estimation (DLE), of NannyML's documentation; Breiman (1996),
    "Heuristics of instability", for the disagreement of models trained on halves.

    Examples
    --------
    >>> codes = np.array([[1], [2]] * 500, np.uint8)
    >>> errors = np.array([1.0, -3.0] * 500)
    >>> told = direct_loss(codes, errors, codes[1::2], rng=np.random.default_rng(1))
    >>> round(told["mae"].value, 2), round(told["rmse"].value, 2)
    (3.0, 3.0)
    """
    if len(errors) != len(reference) or len(reference) < 20 or not np.all(np.isfinite(errors)):
        raise ValueError(f"At least 20 reference rows must have a finite error. Got {len(reference)} rows.")
    reach = NormalDist().inv_cdf((1 + confidence) / 2)
    squared = _learnt(reference, errors**2, current, rng)
    absolute = _learnt(reference, np.abs(errors), current, rng)
    middle, spread = max(squared.mean, 0.0), reach * math.sqrt(squared.variance)
    return {
        "mae": _within(absolute.mean, reach * math.sqrt(absolute.variance)),
        "rmse": Estimate(
            math.sqrt(middle), math.sqrt(max(squared.mean - spread, 0.0)), math.sqrt(max(squared.mean + spread, 0.0))
        ),
    }


def _learnt(reference: Codes, losses: Numbers, current: Codes, rng: np.random.Generator) -> _Learnt:
    """The mean loss of the current rows, and the variance of what they will show around it."""
    means, strayed = [], []
    for _ in range(REDRAWN // 2):
        half = rng.permutation(len(losses)) % 2 == 1
        for learnt in (half, ~half):
            model = boosting.boosted(reference[learnt], losses[learnt], trees=20, rate=0.3, ridge=20.0)
            left = losses[~learnt] - boosting.values(model, reference[~learnt])
            means.append(float(np.mean(boosting.values(model, current))) + float(np.mean(left)))
            strayed.append(left - left.mean())
    single = _spread_there(reference, losses, current, float(np.mean([np.var(one, ddof=1) for one in strayed])))
    # Each half corrects the model of the other, so what all known rows have in common is not in the disagreement.
    taught = float(np.var(means, ddof=1)) + single / len(losses)
    return _Learnt(max(float(np.mean(means)), 0.0), single / len(current) + taught)


def _spread_there(reference: Codes, losses: Numbers, current: Codes, least: float) -> float:
    """The variance of a single loss among the current rows: never below that among the known ones."""
    model = boosting.boosted(reference, losses, trees=20, rate=0.3, ridge=20.0)
    left = (losses - boosting.values(model, reference)) ** 2
    varying = boosting.boosted(reference, left, trees=20, rate=0.3, ridge=20.0)
    return max(float(np.mean(boosting.values(varying, current))), least)


def _within(value: float, reach: float) -> Estimate:
    return Estimate(value, max(value - reach, 0.0), value + reach)
