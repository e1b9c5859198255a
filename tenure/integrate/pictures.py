"""The picture of an alert: its measure over the windows, with its interval and what it is held against.

It is drawn here as SVG, since it is one line and a few marks, and made into a PNG, which every mail program shows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from xml.sax.saxutils import escape

from tenure.records.incidents import Point, Series
from tenure.records.span_words import instant

WIDTH, HEIGHT = 640, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 20, 44, 36
INK, QUIET, ACCENT, BAD, PAPER = "#1f2933", "#5b6770", "#1d5fa8", "#b3261e", "#ffffff"
SCALE = 2.0
TICKS = 4
MOST_POINTS = 200


def png(series: Series) -> bytes:
    """The picture as PNG, at twice its size so that it is sharp on every screen."""
    import vl_convert  # here, since it is large: a worker whose channels are no mailboxes does without

    made: bytes = vl_convert.svg_to_png(svg(series), scale=SCALE)
    return made


def svg(series: Series) -> str:
    """The picture as SVG. Breaches are red; what could not be told in a window leaves a gap."""
    points = [one for one in series.points if _finite(one.value)][-MOST_POINTS:]
    low, high = _bounds(points, series.threshold)
    starts, ends = [one.start_at for one in points], [one.end_at for one in points]
    across = _scale(min(starts, default=0), max(ends, default=1), LEFT, WIDTH - RIGHT)
    up = _scale(low, high, HEIGHT - BOTTOM, TOP)
    place = {id(one): across((one.start_at + one.end_at) / 2) for one in points}
    level = up(series.threshold)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>',
        f'<text x="{LEFT}" y="24" fill="{INK}" font-size="14" font-weight="bold">{escape(series.measure)}</text>',
        *_grid(low, high, up),
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{level:.1f}" y2="{level:.1f}" stroke="{BAD}" '
        'stroke-dasharray="6 4"/>',
        f'<text x="{WIDTH - RIGHT}" y="24" fill="{BAD}" text-anchor="end">'
        f"alert {series.direction} {series.threshold:.4g}</text>",
    ]
    for one in points:
        if one.low is not None and one.high is not None and _finite(one.low) and _finite(one.high):
            x = place[id(one)]
            parts.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{up(one.low):.1f}" y2="{up(one.high):.1f}" '
                f'stroke="{ACCENT}" stroke-opacity="0.5" stroke-width="2"/>'
            )
    line = " ".join(f"{place[id(one)]:.1f},{up(one.value or 0.0):.1f}" for one in points)
    parts.append(f'<polyline points="{line}" fill="none" stroke="{ACCENT}" stroke-width="2"/>')
    for one in points:
        beyond = (
            (one.value or 0.0) > series.threshold
            if series.direction == "above"
            else (one.value or 0.0) < series.threshold
        )
        colour, radius = (BAD, 4.5) if beyond else (ACCENT, 3)
        parts.append(
            f'<circle cx="{place[id(one)]:.1f}" cy="{up(one.value or 0.0):.1f}" r="{radius}" fill="{colour}"/>'
        )
    if points:
        parts.append(_text(LEFT, HEIGHT - 12, instant(points[0].start_at), "start"))
        parts.append(_text(WIDTH - RIGHT, HEIGHT - 12, instant(points[-1].end_at), "end"))
    return "".join([*parts, "</svg>"])


def _bounds(points: Sequence[Point], threshold: float) -> tuple[float, float]:
    """The least and the greatest value that is drawn, with room around them; never the same. Nothing below 0 is drawn
    where nothing lies there."""
    known = [threshold, *(one.value for one in points if one.value is not None)]
    known += [edge for one in points for edge in (one.low, one.high) if edge is not None and _finite(edge)]
    low, high = min(known), max(known)
    room = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    return (low - room if low < 0 else max(low - room, 0.0)), high + room


def _scale(low: float, high: float, first: float, last: float) -> Callable[[float], float]:
    width = (high - low) or 1.0
    return lambda value: first + (value - low) / width * (last - first)


def _grid(low: float, high: float, up: Callable[[float], float]) -> list[str]:
    values = [low + (high - low) * step / TICKS for step in range(TICKS + 1)]
    return [
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(one):.1f}" y2="{up(one):.1f}" stroke="{QUIET}" '
        f'stroke-opacity="0.2"/>{_text(LEFT - 8, up(one) + 4, f"{one:.3g}", "end")}'
        for one in values
    ]


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{QUIET}" text-anchor="{anchor}">{escape(words)}</text>'


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
