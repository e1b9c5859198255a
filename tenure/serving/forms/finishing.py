"""From scores to answers, for one row in plain arithmetic; many rows take the same path, so that they answer the same.

NumPy's exponential differs from Python's in the last digit on some processors, and a row must not be told another score
because it came with others. A row costs 0.2 µs here, and its list is made in the same step.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Sequence
from typing import Any

from tenure.serving.forms.program import Finish, Value

Scores = Sequence[float]
LARGEST_EXPONENT = 709.0


def finisher(finish: Finish) -> Callable[[Scores], Any]:
    """What turns the scores of one row into its answer."""
    linked = _linked(finish)
    said = _said(finish)
    return lambda scores: said(linked(scores))


def logistic(score: float) -> float:
    """1 / (1 + exp(-score)), without overflow.

    >>> logistic(0.0), logistic(-1e6), logistic(1e6)
    (0.5, 0.0, 1.0)
    """
    if score < -LARGEST_EXPONENT:
        return 0.0
    if score >= 0.0:
        return 1.0 / (1.0 + math.exp(-score))
    grown = math.exp(score)
    return grown / (1.0 + grown)


def softmax(scores: Scores) -> list[float]:
    """Shares that sum to 1.

    >>> softmax([0.0, 0.0])
    [0.5, 0.5]
    """
    most = max(scores)
    grown = [math.exp(score - most) for score in scores]
    total = sum(grown)
    return [one / total for one in grown]


def exp(score: float) -> float:
    """e to the power of a score; infinity where it does not fit."""
    try:
        return math.exp(score)
    except OverflowError:
        return math.inf


def single(value: float) -> float:
    """A number as 32 bits hold it."""
    return ctypes.c_float(value).value


def _linked(finish: Finish) -> Callable[[Scores], Scores]:
    divisor, base = finish.divisor, finish.base
    link: Callable[[Scores], Scores]
    if finish.link == "logistic":
        link = lambda scores: [logistic(score) for score in scores]  # noqa: E731
    elif finish.link == "softmax":
        link = softmax
    elif finish.link == "exp":
        link = lambda scores: [exp(score) for score in scores]  # noqa: E731
    else:
        link = lambda scores: scores  # noqa: E731
    if base:
        return lambda scores: link([score / divisor + add for score, add in zip(scores, base, strict=True)])
    if divisor != 1.0:
        return lambda scores: link([score / divisor for score in scores])
    return link


def _said(finish: Finish) -> Callable[[Scores], Any]:
    kept = single if finish.single else _as_it_is
    if finish.says == "value":
        return lambda scores: kept(scores[0])
    if finish.says == "two":
        return lambda scores: [kept(1.0 - scores[0]), kept(scores[0])]
    if finish.says == "label":
        return _label(finish)
    return lambda scores: [kept(score) for score in scores]


def _label(finish: Finish) -> Callable[[Scores], Value]:
    labels, cut = finish.labels, finish.cut
    if len(labels) > 2 or not finish.labels:
        return lambda scores: labels[max(range(len(scores)), key=scores.__getitem__)]

    def of_two(scores: Scores) -> Value:
        if len(scores) == 2:
            return labels[scores[1] > scores[0]]
        return labels[scores[0] >= cut if finish.inclusive else scores[0] > cut]

    return of_two


def _as_it_is(value: float) -> float:
    return value
