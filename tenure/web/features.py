"""The table of a model's features: sorted by what the URL asks for, importance as a small bar with its interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tenure.manage import features
from tenure.records.base import Record
from tenure.records.features import Cost, FeatureRow, FeatureTable, ImportanceMethod
from tenure.records.tracking import Run
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web import wording
from tenure.web.page import link, part

BAR_WIDTH = 100.0
SORTS: dict[str, Callable[[FeatureRow], Any]] = {
    "name": lambda row: row.name,
    "kind": lambda row: row.kind or None,
    "time": lambda row: row.ms_per_1000_rows,
    "memory": lambda row: row.memory_bytes,
    "available": lambda row: row.at_scoring,
    "freshness": lambda row: row.freshness_minutes,
    "importance": lambda row: row.importance.value if row.importance else None,
}


class Bar(Record):
    """An importance on a scale of `BAR_WIDTH`: a bar from zero, and where its interval begins and ends."""

    x: float
    width: float
    low: float | None
    high: float | None


class FeatureLine(Record):
    """A row as it is told: an importance with as many decimals as the largest needs to have three digits."""

    row: FeatureRow
    bar: Bar | None
    worth: str
    reach: str
    time: str
    time_title: str
    memory: str


class FeaturePanel(Record):
    """`zero` is where no importance stands on the scale of the bars. `headings` are the links that sort."""

    table: FeatureTable
    lines: list[FeatureLine]
    method: str
    zero: float
    sort: str
    down: bool
    headings: dict[str, str]
    has_costs: bool


def panel(table: FeatureTable, path: str, sort: str = "", down: bool = True, **query: object) -> FeaturePanel:
    """The table as it is shown. A column to sort by that is not known is the importance."""
    sort = sort if sort in SORTS else "importance"
    low, high = _scale(table.features)
    digits = _digits(max(-low, high))
    return FeaturePanel(
        table=table,
        lines=[_line(row, low, high, digits) for row in _sorted(table.features, sort, down)],
        method=_method_words(table.method),
        zero=_place(0.0, low, high),
        sort=sort,
        down=down,
        headings={
            name: link(path, **query, sort=name, down=str(not down if name == sort else name != "name").lower())
            + "#features"
            for name in SORTS
        },
        has_costs=any(row.ms_per_1000_rows is not None for row in table.features),
    )


def of_run(ground: Ground, tx: Transaction, run: Run, sort: str = "", down: bool = True) -> FeaturePanel | None:
    """The table of the model that a run logged; None when nothing was measured of one."""
    table = features.of_run(ground, tx, run)
    return panel(table, f"/runs/{part(run.info.run_id)}", sort, down) if table else None


def _sorted(rows: list[FeatureRow], sort: str, down: bool) -> list[FeatureRow]:
    """What is not known comes last, whichever way it is sorted."""
    of = SORTS[sort]
    known = [row for row in rows if of(row) is not None]
    return sorted(known, key=of, reverse=down) + [row for row in rows if of(row) is None]


def _scale(rows: list[FeatureRow]) -> tuple[float, float]:
    bounds = [0.0]
    for row in rows:
        worth = row.importance
        bounds += [one for one in (worth.low, worth.value, worth.high) if one is not None] if worth else []
    return min(bounds), max(bounds)


def _place(value: float, low: float, high: float) -> float:
    return round((value - low) / (high - low) * BAR_WIDTH, 1) if high > low else 0.0


def _digits(largest: float) -> int:
    """
    >>> _digits(0.43), _digits(12.0), _digits(0.0)
    (3, 1, 3)
    """
    return min(max(2 - math.floor(math.log10(largest)), 0), 9) if largest > 0 else 3


def _line(row: FeatureRow, low: float, high: float, digits: int) -> FeatureLine:
    worth = row.importance
    bar = None
    told, reach = wording.DASH, ""
    if worth is not None:
        zero, end = _place(0.0, low, high), _place(worth.value, low, high)
        bar = Bar(
            x=min(zero, end),
            width=round(abs(end - zero), 1),
            low=None if worth.low is None else _place(worth.low, low, high),
            high=None if worth.high is None else _place(worth.high, low, high),
        )
        told = _rounded(worth.value, digits)
        if worth.low is not None and worth.high is not None:
            reach = f"({_rounded(worth.low, digits)} to {_rounded(worth.high, digits)})"
    costs = [(words, cost) for words, cost in (("computing", row.computing), ("preparing", row.preparing)) if cost]
    at_most = "≤ " if any(cost.traced for _, cost in costs) else ""
    spent = row.ms_per_1000_rows
    memory = row.memory_bytes
    return FeatureLine(
        row=row,
        bar=bar,
        worth=told,
        reach=reach,
        time=wording.DASH if spent is None else at_most + _milliseconds(spent),
        time_title="; ".join(f"{words} {_told(cost)}" for words, cost in costs),
        memory=wording.DASH if memory is None else wording.size(memory),
    )


def _rounded(value: float, digits: int) -> str:
    """
    >>> _rounded(-0.0004, 3), _rounded(-0.04, 3)
    ('0.000', '−0.040')
    """
    return wording.decimals(round(value, digits) + 0.0, digits)  # adding 0 makes of −0 a plain 0


def _milliseconds(spent: float) -> str:
    """
    >>> _milliseconds(0.1234), _milliseconds(12.345), _milliseconds(4321.0)
    ('0.12 ms', '12 ms', '4.3 s')
    """
    if spent >= 1000:
        return f"{spent / 1000:.1f} s"
    return f"{spent:.0f} ms" if spent >= 10 else f"{spent:.2g} ms"


def _told(cost: Cost) -> str:
    """How a cost was found, for who points at it."""
    rows = "rows not told" if cost.rows is None else f"{wording.count(cost.rows)} rows"
    shared = f", its share of {cost.columns} columns prepared together" if cost.columns > 1 else ""
    processor = f", {cost.cpu_s * 1000:.1f} ms of processor time"
    return f"{cost.wall_s * 1000:.1f} ms for {rows} in {wording.count(cost.calls)} calls{processor}{shared}"


def _method_words(method: ImportanceMethod | None) -> str:
    if method is None:
        return ""
    if method.name == "permutation":
        score = "" if method.score is None else f" of {wording.figure(method.score)}"
        return (
            f"Importance is how much the {method.scoring}{score} falls when a column's values are shuffled, on "
            f"{wording.count(method.rows)} rows, {method.repeats} times, with a {method.confidence:.0%} interval over "
            "the shufflings."
        )
    if method.name == "coefficients":
        return "Importance is the model's own: |coefficient| × standard deviation, summed over what a column becomes."
    return "Importance is the model's own: how much its trees gained by a column."
