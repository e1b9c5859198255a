"""How an endpoint served by the clock: requests and failures, latency, what is left of its error budgets."""

from __future__ import annotations

import altair as alt

from tenure.records.base import HOUR_US, SECOND_US
from tenure.records.service_levels import ServicePoint
from tenure.web import chart_parts as parts
from tenure.web import wording
from tenure.web.chart_data import Look, ServiceStory
from tenure.web.chart_looks import COLOURS
from tenure.web.chart_parts import NUMBER, Drawn, data, finished, time, tooltip

HEIGHT = 150


def load(story: ServiceStory, look: Look) -> Drawn:
    """Requests a second that were answered, and on top of them those that failed."""
    colours = COLOURS[look.theme]
    rows = [
        {
            **_when(point),
            "answered": _a_second(point, point.answered),
            "all": _a_second(point, point.answered + point.failed),
            "requests": wording.count(point.answered),
            "failed": wording.count(point.failed),
            "refused": wording.count(point.refused),
        }
        for point in story.points
    ]
    up = alt.Y("all:Q", title=None, axis=alt.Axis(format=NUMBER), scale=alt.Scale(domainMin=0))
    base = alt.Chart(data(rows)).encode(
        x=time("from", look), x2="to", tooltip=tooltip("span", "requests", "failed", "refused")
    )
    failed = base.mark_rect(color=colours.critical).encode(y=up, y2="answered")
    answered = base.transform_calculate(zero="0").mark_rect(color=colours.accent, opacity=0.6)
    layers = [answered.encode(y="answered:Q", y2="zero:Q"), failed, *_reaching(story, "from", look)]
    return finished(alt.layer(*layers), look, height=HEIGHT)


def served(story: ServiceStory, look: Look) -> Drawn:
    """The median and the 99th percentile of latency, on a logarithmic axis, and what was promised."""
    colours = COLOURS[look.theme]
    rows = [
        {**_when(point), "measure": name, "ms": ms, "told": f"{ms:.3g} ms"}
        for name in ("p50", "p99")
        for point in story.points
        if (ms := point.p50_ms if name == "p50" else point.p99_ms)
    ]
    scale = alt.Scale(domain=["p50", "p99"], range=[colours.accent, colours.contrast])
    up = alt.Y("ms:Q", title=None, axis=alt.Axis(format=NUMBER, tickCount=4), scale=alt.Scale(type="log", nice=True))
    base = alt.Chart(data(rows)).encode(
        x=time("mid", look), y=up, color=alt.Color("measure:N", legend=None, scale=scale)
    )
    layers = [
        base.mark_line(),
        base.mark_point(filled=True, size=8, opacity=1).encode(tooltip=tooltip("span", "measure", told="at most")),
    ]
    promised = [{"ms": one.latency_ms} for one in story.budgets if one.latency_ms]
    if promised and rows:
        rule = alt.Chart(data(promised)).mark_rule(color=colours.critical, strokeDash=[4, 3])
        layers.append(rule.encode(y="ms:Q"))
    return finished(alt.layer(*layers, *_reaching(story, "mid", look)), look, height=HEIGHT)


def budget(story: ServiceStory, look: Look) -> Drawn:
    """What was left of each error budget; at 0 nothing is."""
    colours = COLOURS[look.theme]
    rows = [
        {**_when(point), "objective": kind, "left": left, "told": wording.percent(left, 1)}
        for point in story.points
        for kind, left in point.budgets.items()
    ]
    scale = alt.Scale(domain=["availability", "latency"], range=[colours.accent, colours.contrast])
    up = alt.Y("left:Q", title=None, axis=alt.Axis(format=".0%", tickCount=5), scale=alt.Scale(domainMax=1, nice=True))
    base = alt.Chart(data(rows)).encode(
        x=time("to", look), y=up, color=alt.Color("objective:N", legend=None, scale=scale)
    )
    empty = alt.Chart(data([{"left": 0}])).mark_rule(color=colours.critical, strokeDash=[4, 3]).encode(y="left:Q")
    points = base.mark_point(filled=True, size=8, opacity=1).encode(tooltip=tooltip("objective", "span", told="left"))
    layers = [empty, base.mark_line(), points, *_reaching(story, "to", look)]
    return finished(alt.layer(*layers), look, height=HEIGHT)


def _reaching(story: ServiceStory, field: str, look: Look) -> list[alt.Chart]:
    """What makes an axis an hour long at least, so that a first span does not fill a chart."""
    return [parts.reaching(field, (story.points[-1].end_at - HOUR_US) // 1000, look)] if story.points else []


def _when(point: ServicePoint) -> parts.Row:
    start, end = point.start_at // 1000, point.end_at // 1000
    return {"from": start, "to": end, "mid": (start + end) // 2, "span": wording.span(point.start_at, point.end_at)}


def _a_second(point: ServicePoint, requests: int) -> float:
    return requests * SECOND_US / (point.end_at - point.start_at)
