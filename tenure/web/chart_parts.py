"""What the charts are put together from: time axes, bands, baselines, marks."""

from __future__ import annotations

from typing import Any

import altair as alt

from tenure.records.measured import BETTER, Figure
from tenure.records.windows import Interval, Window
from tenure.web import shown_metric, wording
from tenure.web.chart_data import EndpointStory, Look
from tenure.web.chart_looks import COLOURS, NARROW, Colours, config

Row = dict[str, Any]
Drawn = alt.LayerChart | alt.FacetChart
HEIGHT = 220
ANSWERING = ("champion", "challenger")
COLUMN_LIMIT = 30
NUMBER = ",.9~g"
SHORT_NUMBER = "format(datum.value, abs(datum.value) >= 10000 ? '~s' : ',.6~g')"
TIME_LABEL = (
    "utcFormat(datum.value, utchours(datum.value) ? '%H:%M' : utcdate(datum.value) > 1 ? '%-d %b'"
    " : utcmonth(datum.value) ? '%b' : '%b %Y')"
)


def finished(chart: Drawn, look: Look, height: int = HEIGHT) -> Drawn:
    """The chart at its size and with its colours; `look.width` includes the axes."""
    return chart.properties(width=look.width, height=height, config=config(look))


def data(rows: list[Row]) -> alt.InlineData:
    return alt.InlineData(values=rows)


def time(field: str, look: Look) -> alt.X:
    """A time axis in UTC."""
    scale = alt.Scale(type="utc", nice=False, padding=8)
    axis = alt.Axis(
        tickCount=4 if look.width <= NARROW else 9, labelSeparation=12, labelExpr=TIME_LABEL, labelBound=True
    )
    return alt.X(f"{field}:T", title=None, scale=scale, axis=axis)


def reaching(field: str, since: int, look: Look) -> alt.Chart:
    """A mark that nobody sees, so that the time axis begins with an instant (milliseconds UTC) at the latest."""
    made: alt.Chart = alt.Chart(data([{field: since}])).mark_point(opacity=0).encode(x=time(field, look))
    return made


def tooltip(*fields: str, **titled: str) -> list[alt.Tooltip]:
    """Fields that were already put into words, so that the browser formats nothing."""
    plain = [alt.Tooltip(f"{field}:N", title=field) for field in fields]
    return [*plain, *(alt.Tooltip(f"{field}:N", title=title) for field, title in titled.items())]


def when(window: Window) -> Row:
    """A window's place in time (milliseconds UTC) and who scored in it."""
    start, end = window.start_at // 1000, window.end_at // 1000
    return {
        "from": start,
        "to": end,
        "mid": (start + end) // 2,
        "window": wording.span(window.start_at, window.end_at),
        "version": f"v{window.version}" + ("" if window.role == "champion" else f" ({window.role})"),
        "shadow": window.role == "shadow",
        "series": f"{window.role} {window.version}",
    }


def measured(window: Window, interval: Interval | Figure, told: str) -> Row:
    """A window's place and one of its figures with the interval, as numbers and in words."""
    return {
        **when(window),
        "value": interval.value,
        "low": interval.low,
        "high": interval.high,
        "told": told,
        "known": f"{wording.count(window.outcomes)} of {wording.count(window.predictions)}",
        "provisional": window.provisional,
    }


def stacked(windows: list[Window]) -> list[tuple[Window, int]]:
    """Windows that answered, each with the predictions of other versions in the same time below it."""
    below: dict[int, int] = {}
    placed = []
    for window in windows:
        if window.role in ANSWERING:
            placed.append((window, below.get(window.start_at, 0)))
            below[window.start_at] = below.get(window.start_at, 0) + window.predictions
    return placed


def side_by_side(rows: list[Row]) -> list[Row]:
    """Rows of the same window next to each other: each gets its slice of the window's width."""
    together: dict[int, list[Row]] = {}
    for row in rows:
        together.setdefault(row["from"], []).append(row)
    placed = []
    for group in together.values():
        width = (group[0]["to"] - group[0]["from"]) / len(group)
        for index, row in enumerate(group):
            start = row["from"] + width * index
            placed.append({**row, "from": start, "to": start + width, "mid": start + width / 2})
    return placed


def band_and_line(rows: list[Row], look: Look, form: str, measure: str) -> list[alt.Chart]:
    """A figure over time with its interval as a band; shadow dashed and grey, provisional windows hollow."""
    colours = COLOURS[look.theme]
    vertical = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False, padding=12), axis=alt.Axis(format=form))
    known = [row for row in rows if row["value"] is not None]
    layers: list[alt.Chart] = []
    for shadow, colour, dash in ((True, colours.quiet, [4, 3]), (False, colours.accent, [1, 0])):
        rows_of = [row for row in known if row["shadow"] == shadow]
        if not rows_of:  # a layer without rows has no extent to scale by
            continue
        base = alt.Chart(data(rows_of)).encode(x=time("mid", look), y=vertical, detail="series:N")
        layers += [
            base.mark_area(color=colour, opacity=0.17, line=False).encode(y=alt.Y("low:Q", title=None), y2="high"),
            base.mark_line(color=colour, strokeDash=dash),
            base.mark_point(
                filled=True, size=14 if look.width <= NARROW else 34, opacity=1, stroke=colour, strokeWidth=1.5
            ).encode(
                color=alt.condition("datum.provisional", alt.value(colours.paper), alt.value(colour)),
                tooltip=tooltip("window", "version", told=measure, known="outcomes known"),
            ),
        ]
    return layers


def estimates(story: EndpointStory, look: Look) -> list[alt.Chart]:
    """What was thought of each window before its outcomes came, with its interval, and the truth where it is known."""
    colours = COLOURS[look.theme]
    rows = [
        {
            **when(window),
            "value": told.value,
            "low": told.low,
            "high": told.high,
            "told": shown_metric.with_interval(told, story.metric),
            "truth": shown_metric.told(story.metric, told.truth),
        }
        for window in story.windows
        if (told := shown_metric.estimate_of(window, story.metric)) is not None
    ]
    if not rows:
        return []
    base = alt.Chart(data(rows)).encode(x=time("mid", look), detail="series:N")
    y = alt.Y("value:Q", title=None)
    points = base.mark_point(filled=True, color=colours.contrast, size=8 if look.width <= NARROW else 16, opacity=1)
    return [
        base.mark_area(color=colours.contrast, opacity=0.1, line=False).encode(y=alt.Y("low:Q", title=None), y2="high"),
        base.mark_line(color=colours.contrast, strokeDash=[5, 3], strokeWidth=1.25).encode(y=y),
        points.encode(y=y, tooltip=tooltip("window", "version", told="estimated", truth="came true")),
    ]


def promised(story: EndpointStory, look: Look, unit: str = "") -> list[alt.Chart]:
    """A rule where the measure must not lie beyond, as the model's file says; one on each side when 0 is best."""
    if story.held is None or not story.windows:
        return []
    heights = [story.held, -story.held] if BETTER[story.metric] == "zero" else [story.held]
    rows = [{"y": height, "told": f"{wording.figure(height)}{unit}"} for height in heights]
    rule = alt.Chart(data(rows)).mark_rule(color=COLOURS[look.theme].critical, strokeDash=[4, 3])
    return [rule.encode(y="y:Q", tooltip=tooltip(told="promised"))]


def baselines(story: EndpointStory, look: Look) -> list[alt.Chart]:
    """What each version was approved with, as a dashed rule over the time in which it answered."""
    colours = COLOURS[look.theme]
    rows = []
    for version, baseline in story.baselines.items():
        times = [window for window in story.windows if window.version == version and window.role in ANSWERING]
        if times and baseline.value is not None:
            words = f"approved with {shown_metric.told(story.metric, baseline.value)}"
            ends = {"from": times[0].start_at // 1000, "to": times[-1].end_at // 1000}
            rows.append({**ends, "y": baseline.value, "told": f"v{version} {words}", "label": words})
    if not rows:
        return []
    base = alt.Chart(data(rows)).encode(x=time("from", look), y="y:Q")
    rules = base.mark_rule(strokeDash=[2, 3], color=colours.ink, opacity=0.75, strokeWidth=1.25)
    # With many versions their rules stand close together: labels would lie on top of each other.
    names = base.mark_text(align="left", baseline="bottom", dx=2, dy=-3, color=colours.muted)
    named = [names.encode(text="label:N")] if len(rows) <= (1 if look.width <= NARROW else 2) else []
    return [rules.encode(x2="to", tooltip=tooltip(told="baseline")), *named]


def version_changes(story: EndpointStory, look: Look) -> list[alt.Chart]:
    """A fine rule where another version began to answer, with its number at the top."""
    colours = COLOURS[look.theme]
    rows: list[Row] = []
    seen: set[int] = set()
    for window in story.windows:
        if window.role == "champion" and window.version not in seen:
            seen.add(window.version)
            rows.append({"at": window.start_at // 1000, "label": f"v{window.version}"})
    if not rows:
        return []
    base = alt.Chart(data(rows)).encode(x=time("at", look))
    rules = base.mark_rule(color=colours.quiet, opacity=0.55, strokeWidth=1)
    names = base.mark_text(align="left", baseline="bottom", color=colours.muted, fontWeight=600)
    return [rules, names.encode(y=alt.value(-4), text="label:N")]


def alert_marks(story: EndpointStory, monitors: tuple[str, ...], look: Look) -> list[alt.Chart]:
    """A triangle where an alert fired, at the value that fired it."""
    colours = COLOURS[look.theme]
    rows = [
        {
            "at": _middle(alert.evidence.window_start_at, alert.event_at),
            "y": alert.evidence.value,
            "told": alert.message,
        }
        for alert in story.alerts
        if alert.monitor in monitors and alert.evidence.measure == story.metric
    ]
    if not rows:
        return []
    marks = alt.Chart(data(rows)).mark_point(
        shape="triangle-down", filled=True, size=90, color=colours.critical, opacity=1, yOffset=-11
    )
    return [marks.encode(x=time("at", look), y="y:Q", tooltip=tooltip(told="alert"))]


def _middle(start_at: int, end_at: int) -> int:
    return ((start_at or end_at) + end_at) // 2000


def worst_first(rows: list[Row]) -> list[str]:
    """Columns by their greatest excess, at most `COLUMN_LIMIT` of them."""
    greatest: dict[str, float] = {}
    for row in rows:
        greatest[row["column"]] = max(greatest.get(row["column"], 0.0), row["excess"])
    return sorted(greatest, key=lambda column: (-greatest[column], column))[:COLUMN_LIMIT]


def accent_by_sign(colours: Colours) -> Any:
    return alt.condition("datum.value < 0", alt.value(colours.contrast), alt.value(colours.accent))
