"""The rows that triggers and trials judge by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tenure.monitor import rows
from tenure.records.base import Record
from tenure.store.ground import Ground

Floats = NDArray[np.float64]


class Span(Record):
    """Event time [from_at, until_at) and how many outcomes are known in it."""

    from_at: int
    until_at: int
    outcomes: int


def answered(ground: Ground, endpoint: str, version: int, span: Span) -> tuple[Floats, Floats]:
    """Outcomes and scores of what a version answered as champion in a span, shape (n,) each.

    Rows without a score are left out, and outcomes that are neither 0 nor 1: they say nothing about a chance.
    """
    found = rows.matured(
        ground,
        endpoint,
        from_at=span.from_at,
        until_at=span.until_at,
        versions=[version],
        role="champion",
        features=False,
    )
    told = yes_or_no(found.y) & ~np.isnan(found.score)
    return found.y[told], found.score[told]


def paired(ground: Ground, endpoint: str, champion: int, challenger: int, span: Span) -> tuple[Floats, Floats, Floats]:
    """Outcomes, the champion's and the challenger's scores of the same predictions in a span, shape (n,) each."""
    found = rows.paired(ground, endpoint, champion, challenger, span.from_at, span.until_at)
    told = yes_or_no(found.y)
    return found.y[told], found.champion_score[told], found.challenger_score[told]


def yes_or_no(y: Floats) -> NDArray[np.bool_]:
    """Where an outcome is 0 or 1."""
    return np.asarray((y == 0) | (y == 1))
