"""Which rows made the measure of an alert, for each kind of monitor, as SQL and in words. Pure.

The condition is about columns of the lake's predictions, as `rows` has them, and about `outcome`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tenure.monitor.subjects import column_of
from tenure.records.alerts import Alert, MonitorKind
from tenure.records.model_files import ModelFile
from tenure.records.profiles import CategoricalProfile, ColumnProfile, NumericProfile

MOST_LEVELS = 2_000
"""Levels that a query names; of a column with more, all rows of the window are taken."""
FEATURE = "f_"  # as store/lake.py, which brings numpy


class Behind(NamedTuple):
    """`condition` is empty for all rows of the span; `what` says which rows these are."""

    condition: str
    what: str


WINDOW = Behind("", "all rows of the window")
TOLD = Behind("outcome IS NOT NULL", "the rows of the window with an outcome")
POOLED = Behind(TOLD.condition, f"{TOLD.what}; earlier ones may have been judged with them")


@dataclass(frozen=True)
class Known:
    """What is known of an alert: the model's file, the baseline's profile of the column that it is about, and what the
    window's report says is wrong with the schema of that column."""

    alert: Alert
    file: ModelFile | None = None
    like: ColumnProfile | None = None
    problem: str = ""


def behind(known: Known) -> Behind:
    """The rows behind an alert. Those of a protected column are all rows of the window: a choice would tell values."""
    alert, protected = known.alert, known.file.protected if known.file else []
    names = {column_of(alert.subject), known.like.of if known.like else ""}
    if alert.monitor in ("drift", "data_quality") and names & set(protected):
        return WINDOW
    return BEHIND[alert.monitor](known)


def begins_at(alert: Alert) -> int:
    """From which event time on rows are behind an alert: harm that lasts began before its window."""
    proof = alert.evidence
    return min(proof.began_at or proof.window_start_at, proof.window_start_at)


def _drift(_: Known) -> Behind:
    return WINDOW


def _quality(known: Known) -> Behind:
    read = QUALITY.get(known.alert.evidence.measure)
    return read(known) if read else WINDOW


def _pooled(_: Known) -> Behind:
    return POOLED


def _harm(known: Known) -> Behind:
    if known.alert.evidence.began_at:
        return Behind(TOLD.condition, "the rows with an outcome since when the harm probably began")
    return TOLD


def _estimate(known: Known) -> Behind:
    """A guess is about all rows, the truth that ended it about those with an outcome."""
    return WINDOW if known.alert.evidence.measure.startswith("estimated_") else TOLD


def _label_lag(known: Known) -> Behind:
    if known.alert.evidence.direction == "below":
        return Behind("outcome IS NULL", "the rows of the window whose outcome has not come")
    return Behind(TOLD.condition, "the rows of the window whose outcome has come")


def _latency(known: Known) -> Behind:
    if known.file is None or known.file.monitors.latency is None:
        return WINDOW
    return _slower_than(known.file.monitors.latency.p99_ms)


def _out_of_range(known: Known) -> Behind:
    name, like = column_of(known.alert.subject), known.like
    if not isinstance(like, NumericProfile) or like.measure is not None:
        return WINDOW
    feature = known.file.features.get(name) if known.file else None
    low, high = (feature.range if feature else None) or (like.min, like.max)
    if low is None or high is None:
        return WINDOW
    number = f"TRY_CAST({column(name)} AS DOUBLE)"
    condition = f"{number} < {low!r} OR ({number} > {high!r} AND NOT isnan({number}))"
    if feature is not None and feature.outside == "clip" and known.file is not None and not known.file.protected:
        key = name.replace("\\", "\\\\").replace('"', '\\"')
        path = f'$."{key}"'
        condition += f" OR json_exists(clipped, {texts([path])})"
    return Behind(condition, f"the rows whose {name} lies outside {low:g} to {high:g}")


def _new_levels(known: Known) -> Behind:
    name, like = column_of(known.alert.subject), known.like
    if not isinstance(like, CategoricalProfile) or like.measure is not None:
        return WINDOW
    levels = [*like.levels, *like.other_levels]
    if len(levels) > MOST_LEVELS or {"true", "false"} & {level.lower() for level in levels}:
        return WINDOW
    return Behind(
        f"CAST({column(name)} AS VARCHAR) NOT IN ({texts(levels)})", f"the rows whose {name} was not seen at training"
    )


def _missing(known: Known) -> Behind:
    name, like = column_of(known.alert.subject), known.like
    if like is None:
        return WINDOW
    value = column(like.of or name)
    condition = f"{value} IS NULL"
    if isinstance(like, NumericProfile) and like.measure is None:
        condition = f"TRY_CAST({value} AS DOUBLE) IS NULL OR isnan(TRY_CAST({value} AS DOUBLE))"
    return Behind(condition, f"the rows whose {name} is missing")


def _schema(known: Known) -> Behind:
    name, like = column_of(known.alert.subject), known.like
    if known.problem != "type" or not isinstance(like, NumericProfile) or like.measure is not None:
        return WINDOW  # a column that is missing, or of numbers where there were names, is so in every row
    value = column(name)
    return Behind(f"{value} IS NOT NULL AND TRY_CAST({value} AS DOUBLE) IS NULL", f"the rows whose {name} is no number")


def _service_latency(known: Known) -> Behind:
    """Told by the clock; rows have their event time, which is another one where they were sent late."""
    promised = known.file.service if known.file else None
    return WINDOW if promised is None or promised.latency_ms is None else _slower_than(promised.latency_ms)


def _slower_than(allowed_ms: float) -> Behind:
    return Behind(f"latency_us > {allowed_ms * 1000:.0f}", "the rows of requests that took too long")


QUALITY: Mapping[str, Callable[[Known], Behind]] = {
    "out_of_range_share": _out_of_range,
    "new_level_share": _new_levels,
    "null_share": _missing,
    "schema": _schema,
}
BEHIND: Mapping[MonitorKind, Callable[[Known], Behind]] = {
    "drift": _drift,
    "data_quality": _quality,
    "accuracy": _pooled,
    "calibration": _pooled,
    "harm": _harm,
    "estimate": _estimate,
    "label_lag": _label_lag,
    "latency": _latency,
    "slo_latency": _service_latency,
}
WITHOUT_ROWS: frozenset[MonitorKind] = frozenset({"slo_availability"})
"""About requests that were not answered: the lake has none of them."""


def column(name: str) -> str:
    """A feature's column of the lake, as SQL.

    >>> column('a "b"')
    '"f_a ""b\"""'
    """
    return '"' + (FEATURE + name).replace('"', '""') + '"'


def texts(values: list[str]) -> str:
    """
    >>> texts(["it's", "b"])
    "'it''s', 'b'"
    """
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)
