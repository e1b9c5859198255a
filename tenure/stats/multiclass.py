"""How good a choice between several classes is, with intervals.

Classes are whole numbers 0 … k − 1, `y` what came and `predicted` what was said, shape (n,), none missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from tenure.stats.accuracy import roc_auc_interval
from tenure.stats.columns import Numbers
from tenure.stats.intervals import REPLICATES, UNKNOWN, Interval3, mean_interval, wilson, z_of
from tenure.stats.resampling import Totals, interval_of, totals

Codes = npt.NDArray[np.int64]
Average = Literal["macro", "micro", "weighted"]
Share = Literal["precision", "recall", "f1"]
EPSILON = float(np.finfo(np.float64).eps)


class Mistake(NamedTuple):
    """How often one class came where another was said, as rows and as a share of the rows of the class that came."""

    came: int
    said: int
    rows: int
    share: float


def confusion(y: Codes, predicted: Codes, classes: int) -> npt.NDArray[np.int64]:
    """Counts, shape (classes, classes): row what came, column what was said.

    >>> confusion(np.array([0, 1, 1]), np.array([0, 0, 1]), 2).tolist()
    [[1, 0], [1, 1]]
    """
    return np.bincount(y * classes + predicted, minlength=classes**2).reshape(classes, classes).astype(np.int64)


def accuracy(y: Codes, predicted: Codes, confidence: float = 0.95) -> Interval3:
    """The share that was right, with Wilson's interval. 0–1, higher is better.

    >>> accuracy(np.array([0, 1, 2, 2]), np.array([0, 1, 2, 0])).value
    0.75
    """
    return wilson(int(np.count_nonzero(y == predicted)), len(y), confidence)


def of_rows(
    y: Codes, predicted: Codes, classes: int, keys: Sequence[Any] | npt.NDArray[Any], replicates: int = REPLICATES
) -> Totals:
    """What precision, recall and F1 of every class need: rows that were right, said and came, 3 × classes totals."""
    n = len(y)
    right = y == predicted
    at = np.concatenate([np.flatnonzero(right), np.arange(n), np.arange(n)])
    place = np.concatenate([y[right], classes + predicted, 2 * classes + y])
    return totals(sparse.csr_array((np.ones(len(at)), (at, place)), shape=(n, 3 * classes)), keys, replicates)


def averaged(kept: Totals, share: Share, average: Average, confidence: float = 0.95) -> Interval3:
    """Precision, recall or F1 over all classes, with a bootstrap interval. 0–1, higher is better.

    `macro` counts every class that came or was said alike, `weighted` by how often it came, `micro` every row. A class
    that was never said has precision 0, one that never came recall 0, as in scikit-learn.

    Source: Sokolova & Lapalme (2009); Opitz & Burst (2019), the mean of the classes' F1 and not F1 of the means.

    >>> rows = of_rows(np.array([0, 1, 1]), np.array([0, 0, 1]), 2, ["a", "b", "c"])
    >>> averaged(rows, "recall", "macro").value
    0.75
    """
    return interval_of(kept, lambda sums: _averaged(sums, share, average), confidence, low=0.0, high=1.0)


def of_class(kept: Totals, share: Share, one: int, confidence: float = 0.95) -> Interval3:
    """Precision or recall of one class with Wilson's interval, or its F1 with a bootstrap interval.

    >>> rows = of_rows(np.array([0, 1, 1]), np.array([0, 0, 1]), 2, ["a", "b", "c"])
    >>> of_class(rows, "precision", 0).value
    0.5
    """
    classes = len(kept.total) // 3
    right, said, came = (round(kept.total[part * classes + one]) for part in range(3))
    if share == "f1":
        return interval_of(kept, lambda sums: _of_classes(sums, "f1")[..., one], confidence, low=0.0, high=1.0)
    return wilson(right, said if share == "precision" else came, confidence)


def one_against_rest_auc(y: Codes, chances: Numbers, confidence: float = 0.95) -> Interval3:
    """The mean over classes of the ROC AUC of its chance against all other classes, with DeLong's interval.

    0–1, higher is better, 0.5 is guessing. Classes that never came, or alone, are left out; None when all are. Each
    row's influences on all classes' AUCs are added before they are squared, so that their dependence counts.

    Parameters
    ----------
    chances
        Shape (n, classes).

    Source: Provost & Domingos (2001) for the mean; DeLong, DeLong & Clarke-Pearson (1988) for the influences.

    >>> chances = np.eye(3)[[0, 1, 2, 0]]
    >>> one_against_rest_auc(np.array([0, 1, 2, 0]), chances).value
    1.0
    """
    z = z_of(confidence)
    areas, influence = [], np.zeros(len(y))
    for one in range(chances.shape[1]):
        mine = y == one
        if not mine.any() or mine.all():
            continue
        area = roc_auc_interval(mine.astype(np.float64), chances[:, one], confidence).value
        areas.append(area or 0.0)
        influence += _influence(mine, chances[:, one], areas[-1])
    if not areas:
        return UNKNOWN
    area = float(np.mean(areas))
    variance = float(np.sum((influence / len(areas)) ** 2))
    reach = z * float(np.sqrt(variance))
    return Interval3(area, max(area - reach, 0.0), min(area + reach, 1.0), variance)


def log_loss(y: Codes, chances: Numbers, confidence: float = 0.95) -> Interval3:
    """The mean of −log of the chance given to the class that came, with Student's interval. 0 is best.

    Chances are cut at 2e-16 and are divided by their sum. Source: Good (1952).

    >>> round(log_loss(np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]])).value, 6)
    0.693147
    """
    held = np.clip(chances / chances.sum(axis=1, keepdims=True), EPSILON, 1 - EPSILON)
    mean = mean_interval(-np.log(held[np.arange(len(y)), y]), confidence)
    return mean if mean.low is None else mean._replace(low=max(mean.low, 0.0))


def top_confusions(counts: npt.NDArray[np.int64], most: int = 5) -> list[Mistake]:
    """The most frequent mistakes, most frequent first.

    >>> top_confusions(np.array([[8, 2], [0, 5]]))
    [Mistake(came=0, said=1, rows=2, share=0.2)]
    """
    off = counts.copy()
    np.fill_diagonal(off, 0)
    order = np.argsort(-off, axis=None, kind="stable")[:most]
    rows = counts.sum(axis=1)
    pairs = [divmod(int(place), counts.shape[1]) for place in order]
    return [
        Mistake(came, said, int(off[came, said]), float(off[came, said] / rows[came]))
        for came, said in pairs
        if off[came, said]
    ]


def _influence(mine: npt.NDArray[np.bool_], scores: Numbers, area: float) -> Numbers:
    """How much each row moves the AUC: its placement among the other side, about their mean."""
    _, at = np.unique(scores, return_inverse=True)
    values = int(at.max()) + 1
    p, q = np.bincount(at[mine], minlength=values), np.bincount(at[~mine], minlength=values)
    below = (np.cumsum(q) - q / 2) / q.sum()
    above = (p.sum() - np.cumsum(p) + p / 2) / p.sum()
    sides = [max(int(side.sum()), 2) for side in (p, q)]
    unbiased = [(side * (side - 1)) ** 0.5 for side in sides]
    moved: Numbers = np.where(mine, (below[at] - area) / unbiased[0], (above[at] - area) / unbiased[1])
    return moved


def _of_classes(sums: Numbers, share: Share) -> Numbers:
    classes = sums.shape[-1] // 3
    right, said, came = (sums[..., part * classes : (part + 1) * classes] for part in range(3))
    above, below = {"precision": (right, said), "recall": (right, came), "f1": (2 * right, said + came)}[share]
    shares: Numbers = np.divide(above, below, out=np.zeros(np.broadcast(above, below).shape), where=below > 0)
    return shares


def _averaged(sums: Numbers, share: Share, average: Average) -> Numbers:
    classes = sums.shape[-1] // 3
    right, said, came = (sums[..., part * classes : (part + 1) * classes] for part in range(3))
    if average == "micro":  # every row is said and comes once, so that all three are the accuracy
        share_right: Numbers = right.sum(axis=-1) / came.sum(axis=-1)
        return share_right
    weights = came if average == "weighted" else ((said + came) > 0).astype(np.float64)
    mean: Numbers = (_of_classes(sums, share) * weights).sum(axis=-1) / weights.sum(axis=-1)
    return mean
