"""Charts of distributions: a version's baseline, column by column, and its scores."""

from __future__ import annotations

import altair as alt

from tenure.records.profiles import ColumnProfile, NumericProfile
from tenure.web import bars, wording
from tenure.web.chart_data import Distributions, Look
from tenure.web.chart_looks import COLOURS, NARROW, config
from tenure.web.chart_parts import SHORT_NUMBER, Drawn, data, finished, tooltip

COLUMN_HEIGHT = 92
SHORT_DATE = "utcFormat(datum.value / 1000, '%b %Y')"
GAP = 22


def columns(distributions: Distributions, look: Look) -> alt.ConcatChart:
    """Small multiples: each column's baseline as bars and, as a line over them, what was seen lately."""
    across = 1 if look.width <= 320 else 2 if look.width <= NARROW else 3 if look.width <= 800 else 4
    width = (look.width - 12 - GAP * (across - 1)) // across - 6
    charts = [
        _column(name, column, distributions, width, look) for name, column in distributions.baseline.columns.items()
    ]
    spaced = alt.concat(*charts, columns=across, spacing={"row": 22, "column": GAP})
    return spaced.properties(config={**config(look), "autosize": {"type": "pad"}})


def _column(name: str, column: ColumnProfile, distributions: Distributions, width: int, look: Look) -> Drawn:
    seen = distributions.observed.columns.get(name) if distributions.observed else None
    layers = (
        _numeric(column, seen if isinstance(seen, NumericProfile) else None, look)
        if isinstance(column, NumericProfile)
        else _categorical(column, seen if not isinstance(seen, NumericProfile) else None, look)
    )
    missing = column.null_count / column.n if column.n else 0.0
    subtitle = f"{wording.percent(missing, 1)} missing" if missing >= 0.0005 else ""
    title = alt.TitleParams(
        name, subtitle=subtitle, subtitleColor=COLOURS[look.theme].muted, subtitleFontSize=10, limit=width + 30
    )
    return alt.layer(*layers).properties(width=width, height=COLUMN_HEIGHT, title=title)


def _numeric(column: NumericProfile, seen: NumericProfile | None, look: Look) -> list[alt.Chart]:
    colours = COLOURS[look.theme]
    baseline = bars.numeric_bars(column)
    is_moment = column.measure == "moment"
    rows = [
        {
            "low": bar.low,
            "high": bar.high,
            "share": bar.share,
            "zero": 0,
            **_told(bar.low, bar.high, bar.share, is_moment),
        }
        for bar in baseline
    ]
    axis = alt.Axis(tickCount=3 if is_moment else 4, labelExpr=SHORT_DATE if is_moment else SHORT_NUMBER)
    across = alt.X("low:Q", title=None, axis=axis, scale=alt.Scale(zero=False, nice=False))
    up = alt.Y("share:Q", title=None, axis=None)
    base = alt.Chart(data(rows)).mark_rect(
        color=colours.accent, fillOpacity=0.75, stroke=colours.paper, strokeWidth=0.5
    )
    layers = [base.encode(x=across, x2="high", y=up, y2="zero", tooltip=tooltip(told="share", range="from – to"))]
    if seen is not None and baseline:
        line = [
            {"low": bar.low, "share": bar.share}
            for bar in bars.numeric_bars(seen, (baseline[0].low, baseline[-1].high))
        ]
        layers.append(
            alt.Chart(data(line))
            .mark_line(interpolate="step-after", color=colours.contrast)
            .encode(x="low:Q", y="share:Q")
        )
    return layers


def _told(low: float, high: float, share: float, is_moment: bool = False) -> dict[str, str]:
    if is_moment:
        dates = f"{wording.date(int(low))} – {wording.date(int(high))}"
        return {"told": wording.percent(share, 1), "range": dates}
    return {"told": wording.percent(share, 1), "range": f"{wording.figure(low)} – {wording.figure(high)}"}


def _categorical(column: ColumnProfile, seen: ColumnProfile | None, look: Look) -> list[alt.Chart]:
    if isinstance(column, NumericProfile) or isinstance(seen, NumericProfile):
        return []
    colours = COLOURS[look.theme]
    baseline = bars.level_bars(column)
    order = [bar.level for bar in baseline]
    rows = [{"level": bar.level, "share": bar.share, "told": wording.percent(bar.share, 1)} for bar in baseline]
    across = alt.X(
        "level:N",
        sort=order,
        title=None,
        axis=alt.Axis(labelAngle=0, labelLimit=40, labelOverlap="greedy", labelSeparation=5),
    )
    up = alt.Y("share:Q", title=None, axis=None)
    base = alt.Chart(data(rows)).mark_bar(color=colours.accent, fillOpacity=0.75)
    layers = [base.encode(x=across, y=up, tooltip=tooltip("level", told="share"))]
    if seen is not None:
        lately = [
            {"level": bar.level, "share": bar.share, "told": wording.percent(bar.share, 1)}
            for bar in bars.level_bars(seen, [level for level in order if level in column.levels])
        ]
        ticks = alt.Chart(data(lately)).mark_tick(color=colours.contrast, thickness=2)
        layers.append(ticks.encode(x=across, y=up, tooltip=tooltip("level", told="seen lately")))
    return layers


def scores(distributions: Distributions, look: Look) -> Drawn:
    """How the scores of those it happened to and of the others are spread; each sums to 1."""
    colours = COLOURS[look.theme]
    profile = distributions.baseline
    happened, others = profile.score_of_positives, profile.score_of_negatives
    kinds = {"it happened": happened, "it did not": others} if happened and others else {"all": profile.score}
    known = {name: counts for name, counts in kinds.items() if counts is not None}
    spans = [bars.central_span(counts) for counts in known.values()] or [(0.0, 1.0)]
    span = (min(low for low, _ in spans), max(high for _, high in spans))
    rows = [
        {"group": name, "low": bar.low, "high": bar.high, "share": bar.share, "zero": 0}
        | _told(bar.low, bar.high, bar.share)
        for name, counts in known.items()
        for bar in bars.numeric_bars(counts, span)
    ]
    scale = alt.Scale(domain=list(known), range=[colours.contrast, colours.accent][: len(known)])
    chart = alt.Chart(data(rows)).mark_rect(fillOpacity=0.5)
    encoded = chart.encode(
        x=alt.X("low:Q", title="score", scale=alt.Scale(zero=False, nice=False)),
        x2="high",
        y=alt.Y("share:Q", title=None, axis=alt.Axis(format=".0%")),
        y2="zero",
        color=alt.Color("group:N", title=None, scale=scale, legend=alt.Legend(symbolType="square")),
        tooltip=tooltip("group", range="score", told="share"),
    )
    return finished(alt.layer(encoded), look)
