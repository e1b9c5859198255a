"""Known rows weighted until they look like other rows: for what is learnt on one mix of rows and used on another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tenure.stats import boosting
from tenure.stats.boosting import Codes
from tenure.stats.columns import Numbers

LEAST_WEIGHT, GREATEST_WEIGHT = 0.001, 20.0
"""A ratio beyond these is not known from a sample, and a single row must not decide for all."""


TREES = 60
MOST_LEARNT = 20_000
LEARNT_FOR_EACH, LEAST_LEARNT = 5, 2_000
"""Reference rows to learn from for each current row: what tells both apart is known as well as the fewer tell it."""


class Weights(NamedTuple):
    """`weight` of each reference row, shape (n,), mean 1. `effective`: so many equally weighted rows know as much."""

    weight: Numbers
    effective: float


def density_ratio(
    reference: Codes, current: Codes, *, rng: np.random.Generator, trees: int = TREES, most: int = MOST_LEARNT
) -> Weights:
    """How much denser the current rows lie around each reference row than the reference does.

    A classifier is asked which of both a row comes from; its odds, over those of the sizes, are the ratio. No row is
    judged by a classifier that was trained on it: two are, each on one half. Where the samples are alike all weights
    are near 1, and where hardly any reference row looks like the current ones `effective` says so.

    Parameters
    ----------
    reference, current
        Codes of the same columns (`boosting.coded`), shapes (n, d) and (m, d), each with at least 2 rows.
    rng
        Chooses the halves; the same seed gives the same weights.
    most
        Reference rows that the two classifiers learn from together, no more than five for each current row; all are
        weighted.

    Source: Białek et al. (2024), arXiv:2401.08348, section 3; Sugiyama, Suzuki & Kanamori (2012) for the ratio by
    classification; Kish (1965) for the effective size.
    """
    if min(len(reference), len(current)) < 2:
        raise ValueError(f"Both samples must have at least 2 rows. Got {len(reference)} and {len(current)}.")
    most = min(most, max(LEARNT_FOR_EACH * len(current), LEAST_LEARNT))
    codes = np.concatenate([reference, current])
    is_current = np.arange(len(codes)) >= len(reference)
    half = np.concatenate([_halves(len(reference), rng), _halves(len(current), rng)])
    odds = np.zeros(len(codes))
    for one in (False, True):
        told, learnt = half == one, half != one
        kept = np.flatnonzero(learnt[: len(reference)])
        learnt[rng.permutation(kept)[most // 2 :]] = False
        share = (learnt & ~is_current).sum() / (learnt & is_current).sum()
        weight = np.where(is_current[learnt], share, 1.0)
        model = boosting.boosted(
            codes[learnt], is_current[learnt].astype(np.float64), weight, logistic=True, trees=trees
        )
        odds[told] = boosting.values(model, codes[told])
    ratio = np.clip(np.exp(np.clip(odds[: len(reference)], -50, 50)), LEAST_WEIGHT, GREATEST_WEIGHT)
    return Weights(ratio / ratio.mean(), effective_size(ratio))


def effective_size(weight: Numbers) -> float:
    """How many equally weighted rows know as much as these, 0 to n.

    >>> effective_size(np.array([1.0, 1.0, 0.0, 0.0]))
    2.0
    """
    squares = float(np.sum(weight**2))
    return float(np.sum(weight)) ** 2 / squares if squares > 0 else 0.0


def _halves(rows: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    halves: npt.NDArray[np.bool_] = rng.permutation(rows) % 2 == 1
    return halves
