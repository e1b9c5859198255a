"""How charts look: the colours of both themes and the Vega-Lite configuration made of them."""

from __future__ import annotations

from typing import Any

from tenure.records.base import Record
from tenure.web.chart_data import Look, Theme

FONT = 'ui-sans-serif, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif'
NARROW = 480


class Colours(Record):
    """The colours of one theme; the same values stand in `static/site.css`."""

    ink: str
    muted: str
    line: str
    paper: str
    accent: str
    contrast: str
    quiet: str
    ok: str
    warning: str
    critical: str
    heat: list[str]
    many: list[str]
    """Ten that can be told apart as lines on the paper, also by most who see colours differently."""
    ramp: list[str]
    """From little to much, each visible on the paper."""


COLOURS: dict[Theme, Colours] = {
    "light": Colours(
        ink="#1b1d23",
        muted="#5c616c",
        line="#e6e6e1",
        paper="#ffffff",
        accent="#3b50b5",
        contrast="#b4540a",
        quiet="#9297a3",
        ok="#1a7447",
        warning="#8a5a00",
        critical="#b3261e",
        heat=["#f6f6f3", "#fbe3c0", "#f0a35c", "#d2601f", "#8f2f0c"],
        many=[
            "#3b50b5",
            "#b4540a",
            "#1a7447",
            "#b02a6f",
            "#0f7f96",
            "#7a5c00",
            "#7c3fb0",
            "#555b66",
            "#c0392b",
            "#4f7a00",
        ],
        ramp=["#e0b25a", "#d06a4c", "#93407c", "#3b2f86"],
    ),
    "dark": Colours(
        ink="#ecebe7",
        muted="#a3a8b3",
        line="#2d3038",
        paper="#1a1c21",
        accent="#9fb0ff",
        contrast="#f0a35c",
        quiet="#7d828e",
        ok="#6fce9b",
        warning="#e6b450",
        critical="#ff8d80",
        heat=["#202329", "#4a3521", "#8a5220", "#d27f2c", "#ffc27a"],
        many=[
            "#9fb0ff",
            "#f0a35c",
            "#6fce9b",
            "#ff8fc0",
            "#6fd0e3",
            "#e6c34a",
            "#cfa3ff",
            "#b4bac6",
            "#ff8d80",
            "#b4d96a",
        ],
        ramp=["#6a4c93", "#c45b8a", "#f09a6a", "#fbe58a"],
    ),
}


def config(look: Look) -> dict[str, Any]:
    """Vega-Lite's configuration for a look: light grid, no frame, text in the page's font."""
    colours = COLOURS[look.theme]
    axis = {
        "domain": False,
        "ticks": False,
        "labelPadding": 6,
        "labelColor": colours.muted,
        "titleColor": colours.muted,
        "gridColor": colours.line,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "labelFlush": False,
        "labelOverlap": "greedy",
    }
    return {
        "font": FONT,
        "background": "transparent",
        "padding": {"left": 2, "right": 6, "top": 6, "bottom": 2},
        "autosize": {"type": "fit-x", "contains": "padding"},
        "view": {"stroke": None},
        "axis": axis,
        "axisX": {"grid": False},
        "axisY": {"tickCount": 5},
        "title": {"anchor": "start", "color": colours.ink, "fontSize": 12, "fontWeight": 600, "offset": 8},
        "text": {"color": colours.muted, "fontSize": 11},
        "legend": {"labelColor": colours.muted, "titleColor": colours.muted, "orient": "top", "titleFontSize": 11},
        "line": {"strokeWidth": 1.75, "strokeJoin": "round"},
        "bar": {"discreteBandSize": {"band": 0.8}},
    }
