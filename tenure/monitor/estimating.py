"""What can be said of a window before its outcomes are known: pure, arrays in, one record out.

The reference are rows of the same version with known outcomes: of windows before this one when there are enough, and
they are weighted to look like this window's rows; else the scores of the version's baseline, counted by outcome.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import msgspec
import numpy as np

from tenure.monitor.judging import Judgeable
from tenure.monitor.rows import Floats, Mask, Rows, is_binary
from tenure.monitor.scored import CONFIDENCE
from tenure.records.estimates import Estimate, Estimation, Method
from tenure.records.profiles import NumericProfile, Profile
from tenure.stats import estimation, losses
from tenure.stats.boosting import Codes, coded
from tenure.stats.calibration import ScoreCells, cells_of_counts, cells_of_rows
from tenure.stats.intervals import key_hashes
from tenure.stats.shift import density_ratio

LEAST_ROWS = 100
LEAST_KNOWN = 1_000
LEAST_OF_EITHER = 50
LEAST_EFFECTIVE_SHARE = 0.05
MOST_OUTSIDE = 0.05
MISSED = "past estimates missed what came true too often"
PREDICTION = "(prediction)"


class CannotEstimate(Exception):
    """Why nothing can be said of a window; its text is told as it stands."""


@dataclass(frozen=True)
class Known:
    """Rows with known outcomes of complete windows of the same version, all before the window; of `from_at` on."""

    rows: Rows
    from_at: int


@dataclass(frozen=True)
class _Reference:
    cells: ScoreCells
    rows: int
    from_at: int = 0
    effective: float | None = None
    unweighted: str = ""


def estimate(what: Judgeable, known: Known | None, baseline: Profile | None, refuted: Collection[str]) -> Estimation:
    """Estimate a window from what was known before it; its own outcomes are not looked at.

    `refuted`: metrics whose past estimates missed too often. The same rows give the same answer.
    """
    scored = np.isfinite(what.rows.score)
    rows, said = what.rows.where(scored), _said(what)[scored]
    enough = known is not None and len(known.rows) >= LEAST_KNOWN
    loss = enough and known is not None and not is_binary(known.rows.y)
    method: Method = "direct_loss" if loss else "weighted" if enough else "calibrated"
    blank = Estimation(method=method, predictions=len(what.rows))
    if len(rows) < LEAST_ROWS:
        return msgspec.structs.replace(
            blank, reason=f"{len(rows)} rows with a score are too few, {LEAST_ROWS} are needed"
        )
    try:
        if loss and known is not None:
            told = _direct_loss(blank, rows, known, _generator(what))
        else:
            told = _calibrated(blank, rows, said, known if enough else None, baseline, _generator(what))
    except CannotEstimate as reason:
        return msgspec.structs.replace(blank, reason=str(reason))
    doubted = [_doubted(one, refuted) for one in told.estimates]
    return msgspec.structs.replace(told, estimates=doubted)


def with_truth(told: Estimation, what: Judgeable) -> Estimation:
    """The same estimates beside the figures of the outcomes that are known by now."""
    rows = what.rows
    if told.method == "direct_loss":
        off = (rows.y - rows.score)[rows.known & np.isfinite(rows.score)]
        truth = {"mae": float(np.mean(np.abs(off))), "rmse": float(np.sqrt(np.mean(off**2)))} if len(off) else {}
    elif is_binary(rows.y[rows.known]):
        truth = estimation.realised(rows.y, rows.score, _said(what))
    else:
        truth = {}
    return msgspec.structs.replace(
        told, estimates=[msgspec.structs.replace(one, truth=truth.get(one.metric)) for one in told.estimates]
    )


def _said(what: Judgeable) -> Mask:
    return what.rows.score >= 0.5 if what.action is None else what.action


def _generator(what: Judgeable) -> np.random.Generator:
    key = f"{what.endpoint}/{what.version}/{what.role}/{what.start_at}"
    return np.random.default_rng(int(key_hashes([key])[0]))


def _doubted(one: Estimate, refuted: Collection[str]) -> Estimate:
    """An estimate that past misses speak against: its own, or those of how often the event comes, which all rest on."""
    doubtful = one.metric in refuted or "event_rate" in refuted
    return msgspec.structs.replace(one, reason=MISSED) if doubtful and not one.reason else one


def _calibrated(
    blank: Estimation,
    rows: Rows,
    said: Mask,
    known: Known | None,
    baseline: Profile | None,
    rng: np.random.Generator,
) -> Estimation:
    reference = _weighted(rows, known, rng) if known else _of_baseline(baseline)
    outside = float(np.mean((rows.score < reference.cells.low) | (rows.score > reference.cells.high)))
    if outside > MOST_OUTSIDE:
        raise CannotEstimate(
            f"{outside:.0%} of the scores lie outside {reference.cells.low:.4g} to {reference.cells.high:.4g}, where "
            "outcomes are known"
        )
    told = estimation.estimates(reference.cells, estimation.scored(rows.score, said), rng=rng, confidence=CONFIDENCE)
    return msgspec.structs.replace(
        blank,
        reference_rows=reference.rows,
        reference_from_at=reference.from_at,
        effective_rows=reference.effective,
        estimates=_records(told),
        unweighted=reference.unweighted,
    )


def _weighted(rows: Rows, known: Known, rng: np.random.Generator) -> _Reference:
    """Earlier rows, each with the weight that makes them look like this window's."""
    _check_outcomes(int(known.rows.y.sum()), len(known.rows))
    names = shared(known.rows, rows)
    if not names:
        cells = cells_of_rows(known.rows.score, known.rows.y)
        return _Reference(cells, len(known.rows), known.from_at, unweighted="the rows have no features")
    before, now = coded([known.rows.columns, rows.columns], names)
    weights = density_ratio(before, now, rng=rng)
    if weights.effective < max(LEAST_EFFECTIVE_SHARE * len(before), LEAST_ROWS):
        raise CannotEstimate(
            f"of {len(before):,} rows with known outcomes only {weights.effective:,.0f} count once they are weighted "
            f"to look like this window's; column {_most_apart(before, now, names)!r} differs most"
        )
    cells = cells_of_rows(known.rows.score, known.rows.y, weights.weight)
    return _Reference(cells, len(before), known.from_at, weights.effective)


def _of_baseline(baseline: Profile | None) -> _Reference:
    """The baseline's scores by outcome: whatever the mix of rows is, since its rows themselves are not kept."""
    yes, no = (baseline.score_of_positives, baseline.score_of_negatives) if baseline else (None, None)
    if yes is None or no is None:
        raise CannotEstimate(
            "no outcomes are known: the version has no baseline with outcomes, and earlier windows too few"
        )
    _check_outcomes(yes.n, yes.n + no.n)
    lows = [one for one in (yes.min, no.min) if one is not None]
    highs = [one for one in (yes.max, no.max) if one is not None]
    middle, yes_counts = in_order(yes, min(lows), max(highs))
    cells = cells_of_counts(middle, yes_counts, in_order(no, min(lows), max(highs))[1], min(lows), max(highs))
    return _Reference(cells, yes.n + no.n, unweighted="earlier windows have too few outcomes")


def _check_outcomes(yes: int, rows: int) -> None:
    least = min(yes, rows - yes)
    if rows < LEAST_KNOWN:
        raise CannotEstimate(f"{rows:,} known outcomes are too few, {LEAST_KNOWN:,} are needed")
    if least < LEAST_OF_EITHER:
        raise CannotEstimate(f"of {rows:,} known outcomes {least} are of the rarer kind, {LEAST_OF_EITHER} are needed")


def in_order(profile: NumericProfile, low: float, high: float) -> tuple[Floats, Floats]:
    """A score within each bin and point of a histogram, ascending, and how many scores it holds."""
    edges = np.clip(np.array([low, *profile.edges, high]), low, high)
    scores = np.concatenate([(edges[:-1] + edges[1:]) / 2, profile.points])
    counts = np.concatenate([profile.counts, profile.point_counts]).astype(np.float64)
    order = np.argsort(scores, kind="stable")
    return scores[order], counts[order]


def _direct_loss(blank: Estimation, rows: Rows, known: Known, rng: np.random.Generator) -> Estimation:
    """Errors learnt by features and prediction; numbers have no calibration."""
    names = shared(known.rows, rows)
    before, now = coded([_with_score(known.rows), _with_score(rows)], [*names, PREDICTION])
    told = losses.direct_loss(before, known.rows.y - known.rows.score, now, rng=rng, confidence=CONFIDENCE)
    return msgspec.structs.replace(
        blank, reference_rows=len(before), reference_from_at=known.from_at, estimates=_records(told)
    )


def _with_score(rows: Rows) -> dict[str, Floats]:
    return {**rows.columns, PREDICTION: rows.score}


def shared(before: Rows, now: Rows) -> list[str]:
    """Columns that both have and that say something; one whose type changed is compared as texts."""
    return sorted(before.columns.keys() & now.columns.keys())


def _most_apart(before: Codes, now: Codes, names: list[str]) -> str:
    """The column whose distributions share least."""
    apart = [
        np.abs(np.bincount(one, minlength=256) / len(one) - np.bincount(other, minlength=256) / len(other)).sum()
        for one, other in zip(before.T, now.T, strict=True)
    ]
    return names[int(np.argmax(apart))]


def _records(told: Mapping[str, estimation.Estimate]) -> list[Estimate]:
    return [
        msgspec.convert({"metric": name, "confidence": CONFIDENCE, **one._asdict()}, Estimate)
        for name, one in told.items()
    ]
