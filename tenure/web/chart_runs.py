"""Charts of runs: curves over each other, parallel coordinates, one value against another."""

from __future__ import annotations

from typing import Any, Literal

import altair as alt
import msgspec

from tenure.web import wording
from tenure.web.chart_data import Axis, Curves, Look, Parallels, Scatter
from tenure.web.chart_looks import COLOURS, NARROW
from tenure.web.chart_parts import SHORT_NUMBER, TIME_LABEL, Drawn, data, finished, tooltip

NAMED_RUNS = 10
"""With more runs a colour each could not be told apart: they are coloured by how they ended."""
TOLD_POINTS = 1500
CURVE_HEIGHT = 190
PARALLEL_HEIGHT = 300
MISSING = -0.09


def curves(given: Curves, look: Look) -> Drawn:
    """One metric of some runs over each other; faint behind it, when they are smoothed, as it was measured."""
    named = len(given.curves) <= NAMED_RUNS
    colour = _colour_of_runs(given, look) if named else _colour_by_end(given, look)
    single = len(given.curves) == 1
    x, y = _across(given, look), _up(given)
    layers: list[alt.Chart] = []
    for kind, opacity, stroke in (("faint", 0.3 if named else 0.15, 1.0), ("line", 1.0 if named else 0.7, 1.75)):
        lines = _lines(given, faint=kind == "faint")
        if lines is not None:
            base = alt.Chart(lines).mark_line(opacity=opacity, strokeWidth=stroke if named else min(stroke, 1.1))
            base = base.transform_flatten(["x", "y", "part"])
            layers.append(base.encode(x=x, y=y, color=colour, detail=["run:N", "part:N"]))
    layers.append(_told_points(given, look, single))
    return finished(alt.layer(*layers), look, height=CURVE_HEIGHT + (0 if single else 90))


def _lines(given: Curves, *, faint: bool) -> alt.InlineData | None:
    """All lines as one text of JSON, a record a run: as a record a point, a hundred runs took Altair seconds.

    `part` counts the gaps of a line.
    """
    records = []
    for one in given.curves:
        known: list[tuple[float, float, int]] = []
        part = 0
        for x, y in zip(*((one.faint_x, one.faint_y) if faint else (one.x, one.y)), strict=True):
            if y is None:
                part += 1
            else:
                known.append((x, float(f"{y:.7g}"), part))
        if known:
            xs, ys, parts = zip(*known, strict=True)
            records.append({"run": one.run, "last": one.last, "x": xs, "y": ys, "part": parts})
    text = msgspec.json.encode(records).decode()
    return alt.InlineData(values=text, format={"type": "json"}) if records else None


def _told_points(given: Curves, look: Look, single: bool) -> alt.Chart:
    """Points that answer to the pointer; few lines show them, of many they are only felt."""
    rows = []
    every = max(sum(len(one.x) for one in given.curves) // TOLD_POINTS, 1)
    for one in given.curves:
        places = [place for place in range(len(one.x)) if one.y[place] is not None and place % every == 0]
        for place in places:
            value = one.y[place]
            told = {"run": one.run, "x": one.x[place], "y": value, "value": wording.figure(value)}
            rows.append({**told, "at": _told_x(one.x[place], given.unit), "last": one.last})
    lonely = all(len(one.x) <= 1 for one in given.curves)
    sparse = lonely or (single and len(rows) <= 60 and look.width > NARROW)
    titled = {"value": given.metric, "at": "when" if given.unit == "ms" else given.unit}
    base = alt.Chart(data(rows)).mark_point(
        filled=True, size=60 if lonely else 24 if sparse else 60, opacity=1 if sparse else 0
    )
    colour = _colour_of_runs(given, look) if len(given.curves) <= NAMED_RUNS else alt.value("transparent")
    fields = [] if single else ["run"]
    felt: alt.Chart = base.encode(
        x=_across(given, look), y=_up(given), color=colour, tooltip=tooltip(*fields, **titled)
    )
    return felt


def _told_x(x: float, unit: str) -> str:
    return wording.instant(int(x) * 1000) if unit == "ms" else wording.figure(x)


def _across(given: Curves, look: Look) -> alt.X:
    if given.unit == "ms":
        axis = alt.Axis(tickCount=4 if look.width <= NARROW else 7, labelExpr=_moment_label(given))
        return alt.X("x:T", title=None, scale=alt.Scale(type="utc", nice=False), axis=axis)
    axis = alt.Axis(labelExpr=SHORT_NUMBER, tickCount=4 if look.width <= NARROW else 8)
    if given.unit == "step":
        axis.tickMinStep = 1
    return alt.X("x:Q", title=given.unit, scale=alt.Scale(zero=False, nice=False), axis=axis)


def _moment_label(given: Curves) -> str:
    """Hours and minutes within a day, else the day."""
    ends = [at for one in given.curves for at in (one.x[:1] + one.x[-1:])]
    within_a_day = bool(ends) and max(ends) - min(ends) < 36 * 3_600_000
    return "utcFormat(datum.value, '%H:%M')" if within_a_day else TIME_LABEL


def _up(given: Curves) -> alt.Y:
    axis = alt.Axis(labelExpr=SHORT_NUMBER, tickCount=5)
    return alt.Y("y:Q", title=None, scale=_scale(given.log, 6), axis=axis)


def _scale(log: bool, padding: int) -> alt.Scale:
    return alt.Scale(type="log", padding=padding) if log else alt.Scale(zero=False, padding=padding)


def _colour_of_runs(given: Curves, look: Look) -> Any:
    colours = COLOURS[look.theme]
    if len(given.curves) == 1:
        return alt.value(colours.accent)
    domain = [one.run for one in given.curves]
    scale = alt.Scale(domain=domain, range=colours.many[: len(domain)])
    across = 2 if look.width <= NARROW else 3 if look.width <= 800 else 5
    legend = alt.Legend(
        title=None, symbolType="stroke", symbolStrokeWidth=2.5, symbolOpacity=1, columns=across, labelLimit=160
    )
    return alt.Color("run:N", scale=scale, legend=legend)


def _colour_by_end(given: Curves, look: Look) -> Any:
    return _ramp("last", "last value", [one.last for one in given.curves], look)


def _ramp(field: str, title: str, values: list[float | None], look: Look) -> Any:
    known = sorted(value for value in values if value is not None)
    if not known or known[0] == known[-1]:
        return alt.value(COLOURS[look.theme].accent)
    bar = alt.Legend(
        type="gradient",
        gradientOpacity=1,
        title=title,
        gradientLength=160,
        gradientThickness=8,
        format=".3~g",
        titleLimit=220,
        offset=14,
    )
    scale = alt.Scale(range=COLOURS[look.theme].ramp, domain=[known[0], known[-1]], interpolate="rgb")
    missing = alt.value(COLOURS[look.theme].quiet)
    return alt.condition(f"isValid(datum.{field})", alt.Color(f"{field}:Q", scale=scale, legend=bar), missing)


def parallels(given: Parallels, look: Look) -> Drawn:
    """Each run a line from axis to axis; what it lacks is drawn below the axes."""
    colours = COLOURS[look.theme]
    lines = [
        {
            "run": run,
            "axis": place,
            "y": MISSING if axis.places[number] is None else axis.places[number],
            "told": f"{axis.name}: {axis.told[number]}",
            "colour": given.colour[number],
            "value": wording.figure(given.colour[number]),
        }
        for number, run in enumerate(given.runs)
        for place, axis in enumerate(given.axes)
    ]
    across = alt.X("axis:Q", axis=None, scale=alt.Scale(domain=[-0.02, max(len(given.axes) - 1, 1) + 0.02], nice=False))
    up = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[MISSING - 0.03, 1.03], nice=False))
    colour = _ramp("colour", given.coloured_by, given.colour, look)
    base = alt.Chart(data(lines)).encode(x=across, y=up, color=colour)
    drawn = base.mark_line(opacity=0.55, strokeWidth=1.25, interpolate="monotone").encode(detail="run:N")
    titled = {"told": "value", **({"value": given.coloured_by} if given.coloured_by else {})}
    points = base.mark_point(filled=True, size=22, opacity=0.6)  # in one colour: two legends of one scale would clash
    felt = points.encode(color=alt.value(colours.quiet), tooltip=tooltip("run", **titled))
    rules = alt.Chart(data([{"axis": place, "y": 0, "y2": 1} for place in range(len(given.axes))]))
    axes = rules.mark_rule(color=colours.quiet, strokeWidth=1).encode(x=across, y=up, y2="y2")
    return finished(alt.layer(drawn, axes, felt, *_axis_words(given.axes, across, up, look)), look, PARALLEL_HEIGHT)


def _axis_words(axes: list[Axis], across: alt.X, up: alt.Y, look: Look) -> list[alt.Chart]:
    """What stands at the axes: names above, ticks beside, and where the missing lie."""
    colours = COLOURS[look.theme]
    room = max(look.width // max(len(axes), 1) - 8, 30)
    last = len(axes) - 1
    layers: list[alt.Chart] = []
    sides: tuple[tuple[Literal["left", "center", "right"], list[int]], ...] = (
        ("left", [0] if axes else []),
        ("center", list(range(1, last))),
        ("right", [last] if last > 0 else []),
    )
    for align, places in sides:
        names = [{"axis": place, "y": 1.03, "text": _axis_name(axes[place])} for place in places]
        ticks = [{"axis": place, "y": at, "text": told} for place in places for at, told in axes[place].ticks if told]
        if any(None in axes[place].places for place in places):
            ticks += [
                {"axis": place, "y": MISSING, "text": "missing"} for place in places if None in axes[place].places
            ]
        shift = -5 if align == "right" else 5
        named = alt.Chart(data(names)).mark_text(
            align=align, baseline="bottom", dy=-4, color=colours.ink, fontWeight=600, limit=room
        )
        told = alt.Chart(data(ticks)).mark_text(
            align="right" if align == "right" else "left",
            baseline="middle",
            dx=shift,
            color=colours.ink,
            limit=room,
            stroke=colours.paper,
            strokeWidth=3,
            strokeOpacity=0.85,
        )
        over = alt.Chart(data(ticks)).mark_text(
            align="right" if align == "right" else "left", baseline="middle", dx=shift, color=colours.ink, limit=room
        )
        if names:
            layers.append(named.encode(x=across, y=up, text="text:N"))
        if ticks:
            layers += [one.encode(x=across, y=up, text="text:N") for one in (told, over)]
    return layers


def _axis_name(axis: Axis) -> str:
    return f"{axis.name} (log)" if axis.kind == "log" else axis.name


def scatter(given: Scatter, look: Look) -> Drawn:
    """Runs as points: one of their values against another."""
    colours = COLOURS[look.theme]
    rows = [
        {"run": run, "x": x, "y": y, "told_x": _told(x), "told_y": _told(y)}
        for run, x, y in zip(given.runs, given.x, given.y, strict=True)
    ]
    points = alt.Chart(data(rows)).mark_point(filled=True, size=60, opacity=0.65, color=colours.accent)
    encoded = points.encode(
        x=_position(alt.X, "x", given.x_name, given.x, given.x_log, look),
        y=_position(alt.Y, "y", given.y_name, given.y, given.y_log, look),
        tooltip=tooltip("run", told_x=given.x_name, told_y=given.y_name),
    )
    return finished(alt.layer(encoded), look, height=280)


def _told(value: float | str) -> str:
    return value if isinstance(value, str) else wording.figure(value)


def _position(channel: Any, field: str, title: str, values: list[float | str], log: bool, look: Look) -> Any:
    if any(isinstance(value, str) for value in values):
        axis = alt.Axis(labelLimit=90 if look.width <= NARROW else 140, labelAngle=0)
        return channel(f"{field}:N", title=title, axis=axis, scale=alt.Scale(padding=0.6))
    axis = alt.Axis(labelExpr=SHORT_NUMBER, tickCount=4 if log else 5, labelSeparation=8)
    return channel(f"{field}:Q", title=title, axis=axis, scale=_scale(log, 8))
