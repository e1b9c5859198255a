"""Who answers how much at an endpoint, as a bar and in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tenure.records.base import Record
from tenure.records.endpoints import ReleaseInfo

INKS = 10
"""Colours that tell versions apart; a version keeps its own wherever it is drawn."""


class Piece(Record):
    """A release as it is shown: `x` and `width` in percent of a bar, none for a shadow, which answers nobody."""

    version: int
    role: str
    words: str
    ink: str
    x: float = 0.0
    width: float = 0.0


class Bar(Record):
    said: str
    pieces: list[Piece]


def bar(releases: Sequence[ReleaseInfo]) -> Bar:
    """The releases of an endpoint as a bar from left to right, in the order in which they are given."""
    pieces, at = [], 0.0
    for one in releases:
        width = 0.0 if one.role == "shadow" else one.share * 100
        piece = Piece(
            version=one.version,
            role=one.role,
            words=does(one.role, one.share),
            ink=f"ink-many-{one.version % INKS}",
            x=round(at, 3),
            width=round(width, 3),
        )
        pieces.append(piece)
        at += width
    said = ", ".join(f"version {one.version} {one.words}" for one in pieces)
    return Bar(said=said or "nothing answers", pieces=pieces)


def does(role: str, share: float) -> str:
    """
    >>> does("champion", 0.9), does("shadow", 1.0), does("shadow", 0.25)
    ('answers 90 %', 'scores copies of everything', 'scores copies of 25 %')
    """
    part = f"{share * 100:.3g} %"
    if role != "shadow":
        return f"answers {part}"
    return f"scores copies of {part if 0 < share < 1 else 'everything'}"
