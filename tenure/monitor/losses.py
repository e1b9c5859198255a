"""What a row that was scored lost, on a scale of 0–1, and what losses are held against. Pure."""

from __future__ import annotations

import math

import msgspec
import numpy as np

from tenure.monitor.judging import Judgeable
from tenure.monitor.rows import Floats, Instants, is_binary
from tenure.monitor.scored import are_chances
from tenure.records.harm import DetectorName, Reference
from tenure.records.model_files import Harm
from tenure.records.profiles import NumericProfile, Profile
from tenure.stats import detectors

OUTERMOST = 0.005
"""Of values, at each end; of errors twice as many at theirs."""
EDGE = 1e-6


def losses_of(what: Judgeable) -> dict[DetectorName, Floats]:
    """Losses in their own unit, shape (n,), NaN where the outcome or the score is not known; for value, the value.

    A yes or no with chances as scores has the Brier loss, and with an action its error too; a number has the absolute
    error. Value is watched wherever the model's file has an expression for it.
    """
    y, score = what.rows.y, what.rows.score
    known = ~np.isnan(y) & ~np.isnan(score)
    found: dict[DetectorName, Floats] = {}
    if known.any() and is_binary(y[known]):
        if are_chances(y[known], score[known]):
            found["brier"] = np.where(known, (score - y) ** 2, np.nan)
        if what.action is not None:
            found["error"] = np.where(known, (what.action != (y == 1)).astype(np.float64), np.nan)
    elif known.any():
        found["absolute_error"] = np.where(known, np.abs(score - y), np.nan)
    if what.value is not None and not np.isnan(what.value).all():
        found["value"] = what.value
    return found


def scaled(name: DetectorName, losses: Floats, reference: Reference) -> Floats:
    """Losses on the scale of 0–1: 0 is the best; what lies beyond the reference's range counts as its end."""
    share = (losses - reference.low) / (reference.high - reference.low)
    return np.clip(1 - share if name == "value" else share, 0.0, 1.0)


def in_own_unit(name: DetectorName, share: float, reference: Reference) -> float:
    """A loss on the scale of 0–1 in the unit of the loss; for value, as value."""
    return reference.low + (1 - share if name == "value" else share) * (reference.high - reference.low)


def first_reference(
    name: DetectorName, losses: Floats, groups: Instants, harm: Harm
) -> tuple[Reference, detectors.Dispersion]:
    """What later losses are held against, from the first ones in their own unit, and how much groups share their luck.

    Both of shape (n,), n ≥ 1, the losses without NaN.
    """
    low, high = _range(name, losses, harm)
    about = Reference(
        source="first outcomes", rows=len(losses), mean=0, deviation=0, bound=0, mu0=EDGE, low=low, high=high
    )
    x = scaled(name, losses, about)
    seen = detectors.dispersion(x, groups)
    bound = detectors.risk_bound(x, seen.design_effect)
    found = msgspec.structs.replace(about, mean=float(x.mean()), deviation=float(x.std()), bound=bound)
    return tolerating(name, found, harm), seen


def tolerating(name: DetectorName, reference: Reference, harm: Harm) -> Reference:
    """A reference with `mu0` as the model's file says now."""
    size = reference.mean
    if name == "value":
        size = abs(in_own_unit(name, size, reference)) / (reference.high - reference.low)
    risk = reference.bound + harm.tolerance * size
    return msgspec.structs.replace(reference, mu0=min(max(risk, EDGE), 1 - EDGE))


def baseline_reference(
    name: DetectorName, baseline: Profile | None, harm: Harm, losses: Floats, groups: Instants
) -> Reference | None:
    """The Brier loss on the rows that the version was judged on; None for other losses, and without a baseline.

    `losses` and `groups`, shape (n,), tell how much rows share their luck, which the baseline cannot.
    """
    judged = baseline.judged if baseline else None
    if name != "brier" or baseline is None or judged is None or judged.rows < 1:
        return None
    deviation = _deviation_of_brier(baseline, judged.brier)
    bound = detectors.bound_of(judged.brier, deviation, judged.rows / detectors.design_effect(losses, groups))
    found = Reference(
        source="baseline", rows=judged.rows, mean=judged.brier, deviation=deviation, bound=bound, mu0=EDGE
    )
    return tolerating(name, found, harm)


def _range(name: DetectorName, losses: Floats, harm: Harm) -> tuple[float, float]:
    if name in ("brier", "error"):
        return 0.0, 1.0
    finite = losses[np.isfinite(losses)]
    if name == "absolute_error":
        high = harm.error_at_most or (float(np.quantile(finite, 1 - 2 * OUTERMOST)) if len(finite) else 0.0)
        return 0.0, high if high > 0 else 1.0
    if harm.value_range is not None:
        return harm.value_range
    low, high = (float(end) for end in np.quantile(finite, [OUTERMOST, 1 - OUTERMOST])) if len(finite) else (0.0, 0.0)
    return (low, high) if high > low else (low - 1.0, low + 1.0)


def _deviation_of_brier(baseline: Profile, mean: float) -> float:
    """From the scores of yes and no, bin by bin; without them the greatest that a loss of this mean can have."""
    most = math.sqrt(max(mean * (1 - mean), 0.0))
    sides = (baseline.score_of_positives, baseline.score_of_negatives)
    if any(side is None or side.n < 1 for side in sides):
        return most
    squares, total, count = 0.0, 0.0, 0.0
    for side, outcome in zip(sides, (1.0, 0.0), strict=True):
        assert side is not None
        middles, counts = _bins(side)
        losses = (middles - outcome) ** 2
        total += float(losses @ counts)
        squares += float(losses**2 @ counts)
        count += float(counts.sum())
    return min(math.sqrt(max(squares / count - (total / count) ** 2, 0.0)), most) if count else most


def _bins(side: NumericProfile) -> tuple[Floats, Floats]:
    """Middles of the bins, inside 0–1, and the counts; single values that have counts of their own among them."""
    low, high = side.min if side.min is not None else 0.0, side.max if side.max is not None else 1.0
    ends = np.clip(np.array([low, *side.edges, high]), min(low, high), max(low, high))
    middles = np.clip(np.concatenate(((ends[:-1] + ends[1:]) / 2, side.points)), 0.0, 1.0)
    return middles, np.array([*side.counts, *side.point_counts], dtype=np.float64)
