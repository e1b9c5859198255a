"""Every chart over time, and the table of all charts by name: records in, an Altair chart out.

Nothing here computes a statistic: what is drawn was computed by the rooms that own it. All times are UTC.
Imported only by the process that draws (`tenure.web.chart_maker`): Altair is heavy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import altair as alt

from tenure.records.measured import NAMES
from tenure.web import chart_parts as parts
from tenure.web import shown_metric, wording
from tenure.web.chart_columns import columns, scores
from tenure.web.chart_data import Curves, Distributions, EndpointStory, Look, Parallels, Scatter, ServiceStory
from tenure.web.chart_harm import harm
from tenure.web.chart_looks import COLOURS, NARROW
from tenure.web.chart_parts import ANSWERING, NUMBER, Drawn, data, finished, time, tooltip
from tenure.web.chart_runs import curves, parallels, scatter
from tenure.web.chart_service import budget, load, served


def traffic(story: EndpointStory, look: Look) -> Drawn:
    """Predictions per window that were answered, and in full colour how many of them have an outcome by now."""
    colours = COLOURS[look.theme]
    rows = [
        {
            **parts.when(window),
            "predictions": wording.count(window.predictions),
            "outcomes": wording.count(window.outcomes),
            "base": base,
            "top": base + window.predictions,
            "reached": base + window.outcomes,
        }
        for window, base in parts.stacked(story.windows)
    ]
    base = alt.Chart(data(rows)).encode(
        x=time("from", look),
        x2="to",
        y2="base",
        tooltip=tooltip("window", "version", "predictions", outcomes="outcomes known"),
    )
    answered = base.mark_rect(color=colours.accent, fillOpacity=0.3, stroke=colours.paper, strokeWidth=1)
    known = base.mark_rect(color=colours.accent, fillOpacity=0.9, stroke=colours.paper, strokeWidth=1)
    vertical = alt.Y("top:Q", title=None, axis=alt.Axis(format=NUMBER))
    layers = [answered.encode(y=vertical), known.encode(y="reached:Q"), *parts.version_changes(story, look)]
    return finished(alt.layer(*layers), look)


def accuracy(story: EndpointStory, look: Look) -> Drawn:
    """The story's measure per window with its interval as a band, against what each version was approved with and what
    is promised; what was estimated before the outcomes came lies beside it.

    Versions in the shadow are dashed, windows whose outcomes are still coming are hollow, alerts are triangles.
    """
    metric = story.metric
    rows = [
        parts.measured(window, figure, shown_metric.with_interval(figure, metric))
        for window in story.windows
        for figure in [shown_metric.figure_of(window, metric)]
    ]
    layers = [
        *parts.version_changes(story, look),
        *parts.estimates(story, look),
        *parts.band_and_line(rows, look, NUMBER if metric in shown_metric.UNBOUNDED else ".2f", NAMES[metric]),
        *parts.baselines(story, look),
        *parts.promised(story, look),
        *parts.alert_marks(story, ("accuracy",), look),
    ]
    return finished(alt.layer(*layers), look, height=280)


def calibration(story: EndpointStory, look: Look) -> Drawn:
    """What happened (line with its interval) against what was predicted on average (dashed)."""
    colours = COLOURS[look.theme]
    rows = [
        {
            **parts.measured(window, window.event_rate, wording.interval(window.event_rate, "{:.1%}")),
            "predicted": window.mean_score,
            "expected": wording.percent(window.mean_score, 1),
        }
        for window in story.windows
        if window.role in ANSWERING
    ]
    predicted = alt.Chart(data([row for row in rows if row["predicted"] is not None])).encode(
        x=time("mid", look), y="predicted:Q", detail="series:N"
    )
    layers = [
        *parts.version_changes(story, look),
        *parts.band_and_line(rows, look, ".0%", "event rate"),
        predicted.mark_line(color=colours.contrast, strokeDash=[5, 3]),
        predicted.mark_point(
            filled=True, color=colours.contrast, size=8 if look.width <= NARROW else 20, opacity=1
        ).encode(tooltip=tooltip("window", "version", expected="mean score")),
    ]
    return finished(alt.layer(*layers), look)


def value(story: EndpointStory, look: Look) -> Drawn:
    """Value per window, in the unit of the model's value expression, with its interval as a whisker."""
    colours = COLOURS[look.theme]
    windows = [window for window in story.windows if window.role in ANSWERING and window.value.value is not None]
    rows = parts.side_by_side(
        [
            {**parts.measured(window, window.value, wording.interval(window.value, "{:,.0f}")), "zero": 0}
            for window in windows
        ]
    )
    base = alt.Chart(data(rows))
    bars = base.mark_rect(fillOpacity=0.85, stroke=colours.paper, strokeWidth=1).encode(
        x=time("from", look),
        x2="to",
        y=alt.Y("value:Q", title=None, axis=alt.Axis(format=NUMBER)),
        y2="zero",
        color=parts.accent_by_sign(colours),
        tooltip=tooltip("window", "version", told="value", known="outcomes known"),
    )
    whiskers = base.mark_rule(color=colours.ink, opacity=0.8).encode(x=time("mid", look), y="low:Q", y2="high")
    zero = alt.Chart(data([{"y": 0}])).mark_rule(color=colours.quiet).encode(y="y:Q")
    return finished(alt.layer(bars, whiskers, zero, *parts.version_changes(story, look)), look)


def latency(story: EndpointStory, look: Look) -> Drawn:
    """The median answer (p50) and the slowest in a hundred (p99), in milliseconds, against what is allowed."""
    colours = COLOURS[look.theme]
    rows = [
        {**parts.when(window), "measure": name, "line": f"{name} v{window.version}", "ms": ms, "told": f"{ms:.2f} ms"}
        for name in ("p50", "p99")
        for window in story.windows
        if window.role in ANSWERING
        and (ms := window.latency_p50_ms if name == "p50" else window.latency_p99_ms) is not None
    ]
    scale = alt.Scale(domain=["p50", "p99"], range=[colours.accent, colours.contrast])
    colour = alt.Color("measure:N", legend=None, scale=scale)
    vertical = alt.Y("ms:Q", title=None, axis=alt.Axis(format=NUMBER), scale=alt.Scale(domainMin=0))
    base = alt.Chart(data(rows)).encode(x=time("mid", look), y=vertical, color=colour)
    points = base.mark_point(filled=True, size=8 if look.width <= NARROW else 20, opacity=1)
    layers = [
        *parts.version_changes(story, look),
        base.mark_line().encode(detail="line:N"),
        points.encode(tooltip=tooltip("window", "version", "measure", told="latency")),
        *parts.promised(story, look, " ms"),
    ]
    return finished(alt.layer(*layers), look)


def drift(story: EndpointStory, look: Look) -> Drawn:
    """How far each column lies from the baseline, per window: PSI less what sampling alone gives.

    Cells that are proven to lie above the floor carry a dot.
    """
    colours = COLOURS[look.theme]
    rows = [
        {
            **parts.when(window),
            "column": column.column,
            "excess": max(column.psi_excess, 0.0),
            "psi": f"{column.psi:.3f}",
            "told": f"{column.psi_excess:.3f}",
            "q": wording.p_value(column.q_value),
            "rows": wording.count(column.n_window),
            "breach": column.state == "breach",
        }
        for window in story.windows
        if window.role in ANSWERING
        for column in window.drift
    ]
    order = parts.worst_first(rows)
    rows = [row for row in rows if row["column"] in order]
    scale = alt.Scale(domain=[0, story.floor * 4], clamp=True, range=colours.heat, interpolate="rgb")
    marks = [0, story.floor, story.floor * 2, story.floor * 4]
    legend = alt.Legend(title=None, gradientLength=160, gradientThickness=8, values=marks, format=".3~g", offset=4)
    names = alt.Axis(labelLimit=100 if look.width <= NARROW else 170, labelColor=colours.ink, grid=False)
    base = alt.Chart(data(rows)).encode(y=alt.Y("column:N", sort=order, title=None, axis=names))
    cells = base.mark_rect(stroke=colours.paper, strokeWidth=1).encode(
        x=time("from", look),
        x2="to",
        color=alt.Color("excess:Q", scale=scale, legend=legend),
        tooltip=tooltip("column", "window", "version", psi="PSI", told="PSI excess", q="q-value", rows="rows"),
    )
    on_strong = f"datum.excess > {story.floor * 2}"
    proven = (
        base.transform_filter("datum.breach")
        .mark_point(shape="circle", filled=True, size=5 if look.width <= NARROW else 13, opacity=1)
        .encode(
            x=time("mid", look),
            color=alt.condition(on_strong, alt.value(colours.paper), alt.value(colours.ink)),
        )
    )
    return finished(alt.layer(cells, proven), look, height=max(20 * len(order), 40))


Definition = Callable[[Any, Look], Any]
DEFINITIONS: dict[str, tuple[type, Definition]] = {
    "traffic": (EndpointStory, traffic),
    "accuracy": (EndpointStory, accuracy),
    "calibration": (EndpointStory, calibration),
    "value": (EndpointStory, value),
    "latency": (EndpointStory, latency),
    "drift": (EndpointStory, drift),
    "harm": (EndpointStory, harm),
    "load": (ServiceStory, load),
    "served": (ServiceStory, served),
    "budget": (ServiceStory, budget),
    "columns": (Distributions, columns),
    "scores": (Distributions, scores),
    "curves": (Curves, curves),
    "parallels": (Parallels, parallels),
    "scatter": (Scatter, scatter),
}
"""Every chart by name: what it is drawn from, and the function that draws it."""
