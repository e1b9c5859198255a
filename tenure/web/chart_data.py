"""What charts are drawn from: records, made by pages and read by the process that draws."""

from __future__ import annotations

from typing import Literal

from tenure.records.alerts import Alert
from tenure.records.base import Record
from tenure.records.harm import Detector
from tenure.records.measured import Metric
from tenure.records.profiles import Profile
from tenure.records.service_levels import Budget, ServicePoint
from tenure.records.windows import Interval, Window

Theme = Literal["light", "dark"]

WIDTHS = (320, 536, 760, 1136)
"""The widths in pixels that charts are drawn for; a page takes the widest that fits."""


class Look(Record):
    """How a chart is to look: for which theme, and how wide in pixels."""

    theme: Theme
    width: int


class EndpointStory(Record):
    """What happened at an endpoint: its windows in the order of event time, and what they are held against.

    `metric` is the measure that the chart of accuracy shows, `held` where what is drawn must not lie beyond;
    `baselines`: what each version was approved with, in that measure.
    """

    endpoint: str
    windows: list[Window]
    baselines: dict[int, Interval] = {}
    alerts: list[Alert] = []
    floor: float = 0.1
    detectors: list[Detector] = []
    metric: Metric = "roc_auc"
    held: float | None = None


class Distributions(Record):
    """A version's baseline, and beside it what a window saw, when there is one."""

    baseline: Profile
    observed: Profile | None = None


class Curve(Record):
    """One run's metric: `y` over `x`, thinned; a None in `y` is a gap. `faint` is the same before it was smoothed."""

    run: str
    x: list[float]
    y: list[float | None]
    faint_x: list[float] = []
    faint_y: list[float | None] = []
    last: float | None = None


class Curves(Record):
    """One metric of some runs. `unit` is what `x` counts: steps, a unit of time, or `ms` since 1970."""

    metric: str
    curves: list[Curve]
    unit: str
    log: bool = False


class Axis(Record):
    """One axis of parallel coordinates. Places are 0–1 from below, None for a run that has no value there.

    `ticks`: what stands at which place.
    """

    name: str
    kind: Literal["number", "log", "category"]
    places: list[float | None]
    told: list[str]
    ticks: list[tuple[float, str]]


class Parallels(Record):
    """Runs as lines through axes. `colour` is a number for each run, named by `coloured_by`."""

    runs: list[str]
    axes: list[Axis]
    colour: list[float | None]
    coloured_by: str = ""


class Scatter(Record):
    """Runs as points. A value is a number on a numeric axis and a text on one of categories."""

    runs: list[str]
    x_name: str
    y_name: str
    x: list[float | str]
    y: list[float | str]
    x_log: bool = False
    y_log: bool = False


class ServiceStory(Record):
    """How an endpoint served over time, and what it promises."""

    endpoint: str
    points: list[ServicePoint]
    budgets: list[Budget] = []


ChartData = ServiceStory | EndpointStory | Distributions | Curves | Parallels | Scatter
