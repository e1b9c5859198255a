"""On which tab of an endpoint's page an alert is shown with what is behind it."""

from __future__ import annotations

from typing import Literal

from tenure.records.alerts import MonitorKind

TabName = Literal["overview", "accuracy", "outcomes", "drift", "service", "releases"]
TAB_OF: dict[MonitorKind, TabName] = {
    "accuracy": "accuracy",
    "calibration": "accuracy",
    "harm": "outcomes",
    "estimate": "outcomes",
    "label_lag": "outcomes",
    "drift": "drift",
    "data_quality": "drift",
    "latency": "service",
    "slo_availability": "service",
    "slo_latency": "service",
}


def tab_of(monitor: MonitorKind) -> TabName:
    return TAB_OF.get(monitor, "overview")


def place(monitor: MonitorKind) -> str:
    """What follows an endpoint's address.

    >>> place("data_quality")
    '/drift'
    """
    tab = tab_of(monitor)
    return "" if tab == "overview" else f"/{tab}"
