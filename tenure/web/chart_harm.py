"""The statistic of every detector of harm over event time, against the height at which it raises an alarm."""

from __future__ import annotations

import altair as alt

from tenure.records.harm import Detector
from tenure.web import chart_parts as parts
from tenure.web import wording
from tenure.web.chart_data import EndpointStory, Look
from tenure.web.chart_looks import COLOURS, NARROW
from tenure.web.chart_parts import Drawn, data, finished, time, tooltip


def harm(story: EndpointStory, look: Look) -> Drawn:
    """How much of the way to an alarm each detector has gone: 1 is the alarm, on the logarithm of its statistic.

    Detectors have run lengths of their own; as shares of them they fit on one axis. A triangle marks an alarm.
    """
    colours = COLOURS[look.theme]
    lines = [row for place, one in enumerate(story.detectors) for row in _line(one, colours.many[place % 10])]
    alarms = [row for one in story.detectors if one.alarm for row in [_alarm(one)]]
    up = alt.Y("share:Q", title=None, axis=alt.Axis(format=".0%"), scale=alt.Scale(domainMin=0))
    base = alt.Chart(data(lines)).encode(
        x=time("at", look), y=up, detail="series:N", color=alt.Color("colour:N", scale=None)
    )
    layers = [
        base.mark_line(interpolate="monotone", strokeWidth=1.5),
        base.mark_point(filled=True, size=8 if look.width <= NARROW else 16, opacity=1).encode(
            tooltip=tooltip("detector", "version", told="statistic", needed="alarm at", day="until")
        ),
        alt.Chart(data([{"y": 1}])).mark_rule(color=colours.critical, strokeDash=[4, 3]).encode(y="y:Q"),
    ]
    if alarms:
        marks = alt.Chart(data(alarms)).mark_point(
            shape="triangle-down", filled=True, size=90, color=colours.critical, opacity=1, yOffset=-9
        )
        layers.append(marks.encode(x=time("at", look), y="share:Q", tooltip=tooltip("detector", told="alarm")))
    return finished(alt.layer(*layers), look, height=160)


def _line(one: Detector, colour: str) -> list[parts.Row]:
    return [
        {
            "at": point.at // 1000,
            "share": max(point.statistic, 0.0) / max(point.threshold, 1.0),
            "detector": one.detector,
            "version": f"v{one.version}",
            "series": f"{one.detector} {one.version}",
            "colour": colour,
            "told": wording.short(10**point.statistic),
            "needed": wording.short(10**point.threshold),
            "day": wording.instant(point.at),
        }
        for point in one.points
    ]


def _alarm(one: Detector) -> parts.Row:
    assert one.alarm is not None
    told = f"probably since {wording.instant(one.alarm.began_at)}: {one.alarm.mean:.4g}, was {one.alarm.reference:.4g}"
    return {"at": one.alarm.at // 1000, "share": 1, "detector": one.detector, "told": told}
