"""Small curves without axes that stand beside a number, as paths of an SVG of `WIDTH` × `HEIGHT`."""

from __future__ import annotations

from collections.abc import Sequence

from tenure.records.base import Record
from tenure.records.measured import Figure
from tenure.records.windows import Interval

WIDTH = 200.0
HEIGHT = 48.0
INSET = 3.0


class Curve(Record):
    """`line` and `band` are path data, `rule` is the height of the baseline; empty and None when there is nothing."""

    line: str
    band: str
    rule: float | None


class Column(Record):
    x: float
    y: float
    width: float
    height: float
    loss: bool


def curve(measured: Sequence[Interval | Figure], baseline: float | None = None) -> Curve | None:
    """Values in their order with their intervals as a band. None when fewer than two are known."""
    known = [(index, one) for index, one in enumerate(measured) if one.value is not None]
    if len(known) < 2:
        return None
    lows = [one.low if one.low is not None else one.value for _, one in known]
    highs = [one.high if one.high is not None else one.value for _, one in known]
    bounds = [bound for bound in (*lows, *highs, baseline) if bound is not None]
    least, greatest = min(bounds), max(bounds)
    last = max(len(measured) - 1, 1)

    def place(index: int, value: float | None) -> str:
        return f"{index / last * WIDTH:.1f} {_height(value or 0.0, least, greatest):.1f}"

    line = [place(index, one.value) for index, one in known]
    there = [place(index, low) for (index, _), low in zip(known, lows, strict=True)]
    back = [place(index, high) for (index, _), high in zip(known, highs, strict=True)]
    rule = None if baseline is None else _height(baseline, least, greatest)
    return Curve(line="M" + "L".join(line), band="M" + "L".join([*there, *reversed(back)]) + "Z", rule=rule)


def columns(values: Sequence[float | None]) -> list[Column]:
    """Values as columns up and down from zero; those below zero are marked as loss."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return []
    least, greatest = min(0.0, *known), max(0.0, *known)
    width = WIDTH / len(values)
    zero = _height(0.0, least, greatest)
    placed = []
    for index, value in enumerate(values):
        if value is not None:
            top = _height(value, least, greatest)
            x, y = round(index * width + width * 0.1, 1), round(min(top, zero), 1)
            placed.append(
                Column(x=x, y=y, width=round(width * 0.8, 1), height=round(abs(top - zero), 1), loss=value < 0)
            )
    return placed


def _height(value: float, least: float, greatest: float) -> float:
    if greatest <= least:
        return HEIGHT / 2
    return round(INSET + (greatest - value) / (greatest - least) * (HEIGHT - 2 * INSET), 1)
