"""Histogram bars from a profile's counts: few enough to look at, of equal width, summing to the counted share."""

from __future__ import annotations

import math
from itertools import pairwise

from tenure.records.base import Record
from tenure.records.profiles import CategoricalProfile, NumericProfile

BAR_COUNT = 30
LEVEL_LIMIT = 10
TAIL = 0.005


class Bar(Record):
    """`share` of all rows (0–1) lies in [`low`, `high`)."""

    low: float
    high: float
    share: float


class LevelBar(Record):
    level: str
    share: float


def numeric_bars(profile: NumericProfile, span: tuple[float, float] | None = None) -> list[Bar]:
    """A numeric column as at most `BAR_COUNT` bars of equal width over `span`; shares are of the finite values.

    Within one of the profile's bins rows are taken as evenly spread. What lies beyond the span (by default the
    central 99 %) is counted in the first and the last bar. Whole numbers in a small range get a bar each, drawn
    around the number. Empty when nothing was counted.
    """
    whole = _is_whole(profile)
    pieces = _pieces(profile, last_width=1.0 if whole else 0.0)
    total = sum(count for _, _, count in pieces)
    if not total:
        return []
    low, high = span or central_span(profile)
    edges, shift = _bar_edges(low, high, whole)
    shares = [0.0] * (len(edges) - 1)
    for start, end, count in pieces:
        for index, part in _spread(start, end, edges):
            shares[index] += count * part / total
    return [
        Bar(low=a - shift, high=b - shift, share=share) for (a, b), share in zip(pairwise(edges), shares, strict=True)
    ]


def central_span(profile: NumericProfile) -> tuple[float, float]:
    """Where the central 99 % of a column's finite values lie; the bounds of the bins that hold the quantiles."""
    pieces = sorted(_pieces(profile))
    total = sum(count for _, _, count in pieces)
    low, high, seen = 0.0, 0.0, 0.0
    for index, (start, end, count) in enumerate(pieces):
        if index == 0 or seen + count <= total * TAIL:
            low = start
        if seen < total * (1 - TAIL):
            high = max(high, end) if index else end
        seen += count
    return low, high


def level_bars(profile: CategoricalProfile, levels: list[str] | None = None) -> list[LevelBar]:
    """A categorical column as one bar per level, most frequent first; what has no bar of its own is "others".

    `levels` fixes which levels have a bar and in which order. "new" stands for levels never seen at training.
    """
    total = sum(profile.counts) + profile.other_count + profile.new_count + profile.null_count
    if not total:
        return []
    counted = dict(zip(profile.levels, profile.counts, strict=True))
    chosen = levels if levels is not None else sorted(counted, key=lambda level: -counted[level])[:LEVEL_LIMIT]
    bars = [LevelBar(level=level, share=counted.get(level, 0) / total) for level in chosen]
    others = sum(counted.values()) + profile.other_count - sum(counted.get(level, 0) for level in chosen)
    for name, count in (("others", others), ("new", profile.new_count), ("missing", profile.null_count)):
        if count:
            bars.append(LevelBar(level=name, share=count / total))
    return bars


def _pieces(profile: NumericProfile, last_width: float = 0.0) -> list[tuple[float, float, int]]:
    """Every bin and every point mass as (start, end, count), without those that are empty."""
    first = profile.min if profile.min is not None else (profile.edges[0] if profile.edges else 0.0)
    last = profile.max if profile.max is not None else (profile.edges[-1] if profile.edges else 0.0)
    inner = profile.edges or [first]
    bounds = [min(first, inner[0]), *profile.edges, max(last + last_width, inner[-1])]
    bins = [(a, b, count) for (a, b), count in zip(pairwise(bounds), profile.counts, strict=False) if count]
    masses = [(p, p, count) for p, count in zip(profile.points, profile.point_counts, strict=False) if count]
    return [*bins, *masses]


def _is_whole(profile: NumericProfile) -> bool:
    """Whether the column looks like whole numbers: every cut and point mass is one."""
    marks = [*profile.edges, *profile.points]
    return bool(marks) and all(mark.is_integer() for mark in marks)


def _bar_edges(low: float, high: float, whole: bool) -> tuple[list[float], float]:
    """Edges of the bars, and how far to the left they are drawn."""
    if whole and high - low <= BAR_COUNT * 2:
        return [float(edge) for edge in range(math.floor(low), math.floor(high) + 2)], 0.5
    width = (high - low) / BAR_COUNT or 1.0
    return [low + width * index for index in range(BAR_COUNT + 1)], 0.0


def _spread(start: float, end: float, edges: list[float]) -> list[tuple[int, float]]:
    """Which bars the stretch [start, end) falls into, and with which part of it."""
    width, last = edges[1] - edges[0], len(edges) - 2

    def bar_of(value: float) -> int:
        return min(max(int((value - edges[0]) // width), 0), last)

    first, final = bar_of(start), bar_of(end)
    if end <= start or first == final:
        return [(first, 1.0)]
    parts = []
    for index in range(first, final + 1):
        left = start if index == first else edges[index]
        right = end if index == final else edges[index + 1]
        parts.append((index, max(right - left, 0.0) / (end - start)))
    return parts
