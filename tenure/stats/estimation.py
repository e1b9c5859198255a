"""How good a model is before anybody knows: figures of rows whose outcomes are still missing, with intervals.

Confidence-based performance estimation: if at a score of 0.8 four of five said yes among rows whose outcome is known,
then of the rows that are said yes at 0.8 today one of five is an error. Nothing but chances is needed, so confusion
matrix, ROC AUC and losses follow. It is right as long as the same score means the same chance. A changed mix of rows
is allowed for when the known rows were weighted (`shift.density_ratio`); changed behaviour is not, and cannot be seen
without outcomes: hold past estimates against what came (`misses.evidence_of_misses`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tenure.stats.accuracy import roc_auc
from tenure.stats.calibration import CELLS, ScoreCells, cells_of, chances, redrawn
from tenure.stats.columns import Numbers, Values, numbers_of

METRICS = ("accuracy", "precision", "recall", "f1", "roc_auc", "brier", "log_loss", "event_rate")
OF_CHANCES = ("brier", "log_loss")
"""Losses that a score has only when it is a chance itself."""
DRAWS = 500
CLIP = 1e-15
LEAST_EVENTS = 10
"""Rows said yes, and expected yeses, below which precision, recall, F1 and ROC AUC are not estimated."""


class Estimate(NamedTuple):
    """`value` with its interval, or the `reason` why it cannot be told."""

    value: float | None
    low: float | None
    high: float | None
    reason: str = ""


class Scored(NamedTuple):
    """Rows without outcomes, in groups of like scores that were said alike, ascending; every array has shape (k,).

    `first` holds where a new cell of scores begins, `square`, `loss_of_yes` and `loss_of_no` are means over a group.
    """

    score: Numbers
    said: npt.NDArray[np.bool_]
    rows: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    square: Numbers
    loss_of_yes: Numbers
    loss_of_no: Numbers
    are_chances: bool


def scored(score: Values, said: Values, most: int = CELLS) -> Scored:
    """Rows grouped by score and by what was said; rows whose score is missing or infinite are left out.

    Parameters
    ----------
    score, said
        Shape (n,): the score, and whether it counts as a yes.

    Examples
    --------
    >>> scored([0.2, 0.9, 0.9], [False, True, True]).rows.tolist()
    [1, 2]
    """
    scores, yes = numbers_of(score).astype(np.float64), np.asarray(said, dtype=bool)
    there = np.isfinite(scores)
    scores, yes = scores[there], yes[there]
    cell, _ = cells_of(scores, most) if len(scores) else (np.empty(0, np.int64), scores)
    keys, at = np.unique(cell * 2 + yes, return_inverse=True)
    rows = np.bincount(at, minlength=len(keys))
    clipped = np.clip(scores, CLIP, 1 - CLIP)
    means = [np.bincount(at, of, len(keys)) / rows for of in (scores, scores**2, -np.log(clipped), -np.log1p(-clipped))]
    return Scored(
        score=means[0],
        said=keys % 2 == 1,
        rows=rows,
        first=np.flatnonzero(np.diff(keys // 2, prepend=-1)),
        square=means[1],
        loss_of_yes=means[2],
        loss_of_no=means[3],
        are_chances=bool(np.all((scores >= 0) & (scores <= 1))),
    )


def estimates(
    reference: ScoreCells, rows: Scored, *, rng: np.random.Generator, confidence: float = 0.95, draws: int = DRAWS
) -> dict[str, Estimate]:
    """Every metric of rows without outcomes, from the chances that their scores had in the reference.

    An interval is for the figure that these very rows will show once their outcomes are known. It holds what chance
    does to the outcomes (each an independent yes or no: a Poisson-binomial count) and that chances were learnt from
    so many known rows (a Poisson bootstrap of them): five hundred times the chances are learnt from a redrawn reference
    and the outcomes drawn by them. That the score may mean another chance today is not in it.

    Parameters
    ----------
    reference
        Known rows, weighted towards these rows or not, with both outcomes.
    confidence
        0–1; `draws` must be at least 10 / (1 − confidence).

    Returns
    -------
    For each of `METRICS` an estimate: accuracy, precision, recall, F1, ROC AUC and event rate 0–1; Brier score 0–1,
    log loss (natural, of scores clipped to 1e-15) 0 or more, both None unless all scores are 0–1.

    Source: Białek et al. (2024), arXiv:2401.08348, for estimates by calibrated chances; Kivimäki et al. (2025),
    arXiv:2505.05295, for the distribution of the metrics.

    Examples
    --------
    >>> from tenure.stats.calibration import cells_of_counts
    >>> known = cells_of_counts([0.2, 0.8], [2000, 8000], [8000, 2000], 0.2, 0.8)
    >>> told = estimates(known, scored([0.2, 0.8] * 500, [False, True] * 500), rng=np.random.default_rng(1))
    >>> round(told["accuracy"].value, 3), told["accuracy"].low < 0.8 < told["accuracy"].high
    (0.8, True)
    """
    if draws * (1 - confidence) < 10 - 1e-9:
        raise ValueError(f"draws must be at least 10 / (1 - confidence). Got {draws} at {confidence}.")
    expected = rows.rows * chances(reference, rows.score)
    drawn = np.stack([rng.binomial(rows.rows, chances(redrawn(reference, rng), rows.score)) for _ in range(draws)])
    tail = (1 - confidence) / 2
    values, told = _metrics(rows, expected[None, :], chances_of=True), _metrics(rows, drawn.astype(np.float64))
    found = {}
    for name in METRICS:
        reason = _too_little(name, rows, expected)
        sample = told[name][~np.isnan(told[name])]
        value = float(values[name][0])
        if reason or np.isnan(value) or len(sample) < draws / 2:
            found[name] = Estimate(None, None, None, reason or "there are no rows that tell of it")
            continue
        low, high = np.quantile(sample, [tail, 1 - tail])
        found[name] = Estimate(value, min(float(low), value), max(float(high), value))
    return found


def _too_little(name: str, rows: Scored, expected: Numbers) -> str:
    if name in OF_CHANCES and not rows.are_chances:
        return "the scores are not chances, they leave 0 to 1"
    said, events = int(rows.rows[rows.said].sum()), float(expected.sum())
    others = float(rows.rows.sum()) - events
    if name in ("precision", "f1") and said < LEAST_EVENTS:
        return f"only {said} rows were said yes"
    if name in ("recall", "f1", "roc_auc") and events < LEAST_EVENTS:
        return f"only {events:.0f} events are expected"
    if name == "roc_auc" and others < LEAST_EVENTS:
        return f"only {others:.0f} rows without the event are expected"
    return ""


def _metrics(rows: Scored, yes: Numbers, chances_of: bool = False) -> dict[str, Numbers]:
    """Every metric when so many rows of each group are a yes: `yes` has shape (draws, k), answers (draws,).

    NaN where a metric has no meaning, such as the precision of nothing. `chances_of`: the numbers are expectations.
    """
    no, total = rows.rows - yes, float(rows.rows.sum())
    events, right_yes = yes.sum(axis=1), yes[:, rows.said].sum(axis=1)
    said = float(rows.rows[rows.said].sum())
    loss = yes @ rows.loss_of_yes + no @ rows.loss_of_no
    squares = yes @ (1 - 2 * rows.score + rows.square) + no @ rows.square
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "accuracy": (right_yes + no[:, ~rows.said].sum(axis=1)) / total,
            "precision": right_yes / said,
            "recall": right_yes / events,
            "f1": 2 * right_yes / (said + events),
            "roc_auc": _roc_auc(rows, yes, no, chances_of),
            "brier": squares / total,
            "log_loss": loss / total,
            "event_rate": events / total,
        }


def _roc_auc(rows: Scored, yes: Numbers, no: Numbers, chances_of: bool) -> Numbers:
    """Scores in one cell are ties. Of expectations, the pairs of a row with itself are taken out again."""
    itself = (yes * no / rows.rows).sum(axis=1) if chances_of else np.zeros(len(yes))
    positive, negative = (np.add.reduceat(part, rows.first, axis=1) for part in (yes, no))
    below = np.cumsum(negative, axis=1) - negative / 2
    ordered: Numbers = (positive * below).sum(axis=1) - itself / 2
    pairs: Numbers = positive.sum(axis=1) * negative.sum(axis=1) - itself
    return ordered / pairs


def realised(y: Values, score: Values, said: Values) -> dict[str, float]:
    """The same metrics of rows whose outcome is known; a metric without a meaning on these rows is left out.

    Parameters
    ----------
    y, score, said
        Shape (n,): outcomes of 0 or 1, scores, and whether the score counts as a yes. Rows whose outcome or score is
        missing, or whose score is infinite, are left out.

    Examples
    --------
    >>> realised([1, 0, 1], [0.9, 0.2, 0.4], [True, False, False])["accuracy"]
    0.6666666666666666
    """
    truth, scores = numbers_of(y).astype(np.float64), numbers_of(score).astype(np.float64)
    there = np.isfinite(scores) & ~np.isnan(truth)
    truth, scores, yes = truth[there], scores[there], np.asarray(said, dtype=bool)[there]
    if not len(truth):
        return {}
    clipped, events, right = np.clip(scores, CLIP, 1 - CLIP), float(truth.sum()), float(truth[yes].sum())
    told = {
        "accuracy": float(np.mean(yes == (truth == 1))),
        "precision": right / float(yes.sum()) if yes.any() else None,
        "recall": right / events if events else None,
        "f1": 2 * right / (float(yes.sum()) + events) if events or yes.any() else None,
        "roc_auc": roc_auc(truth, scores),
        "event_rate": float(truth.mean()),
    }
    if np.all((scores >= 0) & (scores <= 1)):
        told["brier"] = float(np.mean((scores - truth) ** 2))
        told["log_loss"] = float(-np.mean(truth * np.log(clipped) + (1 - truth) * np.log1p(-clipped)))
    return {name: value for name, value in told.items() if value is not None}
