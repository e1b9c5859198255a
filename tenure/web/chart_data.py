"""What charts are drawn from: records, made by pages and read by the process that draws."""

from __future__ import annotations

from typing import Literal

from tenure.records.alerts import Alert
from tenure.records.base import Record
from tenure.records.profiles import Profile
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

    `baselines`: each version's accuracy when it was approved.
    """

    endpoint: str
    windows: list[Window]
    baselines: dict[int, Interval] = {}
    alerts: list[Alert] = []
    floor: float = 0.1


class Distributions(Record):
    """A version's baseline, and beside it what a window saw, when there is one."""

    baseline: Profile
    observed: Profile | None = None


class CurvePoint(Record):
    step: int
    at_ms: int
    value: float | None


class MetricCurve(Record):
    """One metric of a run, in the order of its steps."""

    metric: str
    points: list[CurvePoint]


ChartData = EndpointStory | Distributions | MetricCurve
