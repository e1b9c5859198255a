"""A comparison as one file that needs nothing else: no script, no network, its pictures drawn in it.

It is made without a server, so nothing here knows of one.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

import jinja2

from tenure.records.base import Record, moment_of
from tenure.records.comparisons import ColumnComparison, Comparison
from tenure.records.profiles import CategoricalProfile, ColumnProfile, NumericProfile
from tenure.web import bars, wording

WIDTH, HEIGHT = 220.0, 56.0
STATES = {"drift": "drifted", "breach": "broken", "ok": "in order", "not_enough_data": "too few rows"}
KINDS = {
    "training": "taken at training",
    "artifact": "taken from a file",
    "production": "taken from production, which is weaker: a fault of the first day looks right beside it",
}


class Box(Record):
    x: float
    y: float
    width: float
    height: float
    said: str


class Picture(Record):
    """The reference as boxes and the current table as a line over them, `WIDTH` × `HEIGHT`; with the ends' labels."""

    boxes: list[Box]
    line: str
    low: str
    high: str


def page(comparison: Comparison) -> str:
    """The comparison as HTML, columns that drifted or broke first."""
    style = (Path(__file__).parent / "templates" / "comparison.css").read_text()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    rank = {"breach": 0, "drift": 1, "not_enough_data": 2, "ok": 3}
    columns = sorted(comparison.columns, key=lambda one: (rank[one.state], -one.psi_excess))
    return _template().render(
        it=comparison,
        columns=[(one, picture(one)) for one in columns],
        counts={state: sum(one.state == state for one in columns) for state in STATES},
        states=STATES,
        kinds=KINDS,
        style=style,
        style_digest=digest,
    )


def picture(column: ColumnComparison) -> Picture | None:
    """Both distributions of a column in one small picture; None when there is nothing to draw."""
    before, after = column.reference, column.current
    if isinstance(before, NumericProfile):
        return _numeric(before, after if isinstance(after, NumericProfile) else None)
    return _levels(before, after) if isinstance(before, CategoricalProfile) else None


def _numeric(before: NumericProfile, after: NumericProfile | None) -> Picture | None:
    drawn = bars.numeric_bars(before)
    if not drawn:
        return None
    span = (drawn[0].low, drawn[-1].high)
    seen = [bar.share for bar in bars.numeric_bars(after, bars.central_span(before))] if after and after.n else []
    shares = [bar.share for bar in drawn]
    said = [f"{_figure(before, bar.low)} to {_figure(before, bar.high)}" for bar in drawn]
    return _drawn(
        shares, seen if len(seen) == len(shares) else [], said, _figure(before, span[0]), _figure(before, span[1])
    )


def _levels(before: CategoricalProfile, after: ColumnProfile | None) -> Picture | None:
    drawn = bars.level_bars(before)
    if not drawn:
        return None
    names = [bar.level for bar in drawn]
    seen: list[float] = []
    if isinstance(after, CategoricalProfile):
        wanted = [name for name in names if name in before.levels]
        found = {bar.level: bar.share for bar in bars.level_bars(after, wanted)}
        names += [name for name in found if name not in names]
        seen = [found.get(name, 0.0) for name in names]
    shares = [bar.share for bar in drawn] + [0.0] * (len(names) - len(drawn))
    return _drawn(shares, seen, names, names[0], names[-1] if len(names) > 1 else "")


def _drawn(shares: Sequence[float], seen: Sequence[float], said: Sequence[str], low: str, high: str) -> Picture:
    top = max([*shares, *seen, 1e-9])
    width = WIDTH / len(shares)
    boxes = []
    for place, share in enumerate(shares):
        height = round(share / top * HEIGHT, 1)
        now = f", now {wording.percent(seen[place], 1)}" if seen else ""
        told = f"{said[place]}: {wording.percent(share, 1)}{now}"
        boxes.append(
            Box(
                x=round(place * width, 1),
                y=round(HEIGHT - height, 1),
                width=round(width * 0.92, 1),
                height=height,
                said=told,
            )
        )
    steps = [
        f"{place * width:.1f} {HEIGHT - share / top * HEIGHT:.1f}H{(place + 1) * width:.1f}"
        for place, share in enumerate(seen)
    ]
    return Picture(boxes=boxes, line="M" + "L".join(steps) if steps else "", low=low, high=high)


def _figure(profile: NumericProfile, value: float) -> str:
    if profile.measure == "moment":
        return moment_of(int(value)).date().isoformat() if abs(value) < 2e17 else wording.figure(value)
    return wording.figure(value)


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tenure.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = ("count", "figure", "decimals", "percent", "p_value")
    environment.filters.update({name: getattr(wording, name) for name in words})
    return environment.get_template("comparison.html")
