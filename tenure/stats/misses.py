"""Whether intervals that promised to hold the truth still do: evidence that grows with every miss."""

from __future__ import annotations

from collections.abc import Iterable

TOLERATED = 0.1
"""How often an interval of 95 % may miss: more than the promised 5 %, since it is an approximation."""
ENOUGH = 20.0
MADE_UP = 2.0
BETS = (1.0, 2.0, 4.0, 8.0)


def evidence_of_misses(missed: Iterable[bool], tolerated: float = TOLERATED) -> list[float]:
    """The evidence, after each check, that of late more than `tolerated` of the checks are misses.

    Each bet is a CUSUM of betting factors 1 + λ(x − tolerated), whose mean is at most 1 while misses are as rare as
    promised; the evidence is the mean over four bets. The first time that it reaches c is, on average, after at least
    c checks while nothing is wrong, whatever the checks have in common with each other's past. A miss raises it by up
    to 8, two in a row are enough for 20, and what is held lowers it.

    Source: Shin, Ramdas & Rinaldo (2024), arXiv:2203.03532, e-detectors (CUSUM); Waudby-Smith & Ramdas (2024) for
    betting factors.

    Examples
    --------
    >>> [round(one, 2) for one in evidence_of_misses([False, True, True])]
    [0.62, 4.38, 24.96]
    """
    sizes = [1.0] * len(BETS)
    told = []
    for miss in missed:
        sizes = [max(size, 1.0) * (1 + bet * (miss - tolerated)) for size, bet in zip(sizes, BETS, strict=True)]
        told.append(sum(sizes) / len(sizes))
    return told


def are_refuted(missed: Iterable[bool]) -> bool:
    """Whether estimates have missed too often of late to be told: from evidence of 20 on, until it is down to 2.

    >>> are_refuted([True, True]), are_refuted([True, True, False]), are_refuted([True, True] + [False] * 5)
    (True, True, False)
    """
    refuted = False
    for evidence in evidence_of_misses(missed):
        refuted = evidence >= ENOUGH or (refuted and evidence > MADE_UP)
    return refuted
