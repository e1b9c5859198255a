"""Alerts: pending → firing → acknowledged → resolved."""

from __future__ import annotations

from typing import Literal

from tenure.records.base import Record
from tenure.records.changes import Reason

AlertState = Literal["pending", "firing", "acknowledged", "resolved"]
Severity = Literal["note", "warning", "critical"]
MonitorKind = Literal[
    "drift",
    "accuracy",
    "calibration",
    "data_quality",
    "latency",
    "harm",
    "estimate",
    "label_lag",
    "slo_availability",
    "slo_latency",
]


class Evidence(Record):
    """A score never travels alone: what was measured, against which threshold, on how many. `began_at`: the event time
    since which it is probably so; 0 where that is not looked for."""

    measure: str
    value: float
    threshold: float
    direction: Literal["above", "below"]
    p_value: float | None = None
    level: float | None = None
    n_baseline: int = 0
    n_window: int = 0
    window_start_at: int = 0
    window_end_at: int = 0
    version: int = 0
    began_at: int = 0


class Alert(Record):
    alert_id: str
    endpoint: str
    monitor: MonitorKind
    subject: str
    state: AlertState
    severity: Severity
    message: str
    evidence: Evidence
    event_at: int
    opened_at: int
    changed_at: int
    resolved_event_at: int | None = None


RowsForm = Literal["parquet", "csv"]


class Acknowledgement(Record, forbid_unknown_fields=True):
    reason: Reason


class RowsOrder(Record):
    """To write the answer of `sql` over files in `lake` into `target`, a file in a folder of its own: the order to the
    process that reads the rows behind an alert."""

    sql: str
    lake: str
    target: str
    form: RowsForm


class RowsWritten(Record):
    """What that process says: how many rows it wrote."""

    rows: int
