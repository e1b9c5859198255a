"""Runs beside each other: what differs, which is best where that is known, and which params go with a metric."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from tenure.records.base import Record
from tenure.records.tracking import Number, Run
from tenure.web import wording
from tenure.web.chart_data import Axis
from tenure.web.run_columns import OWN_TAGS, SYSTEM, Column, natural

LESS_IS_BETTER = frozenset(
    [
        "loss",
        "error",
        "err",
        "errors",
        "mse",
        "rmse",
        "mae",
        "mape",
        "rmsle",
        "msle",
        "brier",
        "perplexity",
        "ppl",
        "deviance",
        "wer",
        "cer",
        "regret",
        "latency",
        "fpr",
        "fnr",
        "ece",
        "nll",
        "logloss",
        "misclassification",
    ]
)
MORE_IS_BETTER = frozenset(
    [
        "auc",
        "roc",
        "accuracy",
        "acc",
        "f1",
        "precision",
        "recall",
        "r2",
        "gini",
        "kappa",
        "bleu",
        "rouge",
        "iou",
        "dice",
        "ndcg",
        "map",
        "mrr",
        "tpr",
        "tnr",
        "mcc",
        "specificity",
        "sensitivity",
        "auprc",
    ]
)
TEXT_LENGTH = 60
LEAST_FOR_PARAMS = 10
MOST_CATEGORIES = 30
MOST_TICKS = 8
WIDE_RATIO = 100
"""Positive numbers that spread further than this are put on a logarithmic axis."""


class Cell(Record):
    """What a run says. `best` marks the best of all; `title` is the whole of a text that was cut."""

    text: str
    title: str = ""
    best: bool = False


class Line(Record):
    """A key with what each run says of it, in the order of the runs."""

    key: str
    cells: list[Cell]
    differs: bool


class Association(Record):
    """How a param goes with a metric. `kind` says by which measure; `low` and `high` bound a correlation."""

    param: str
    kind: Literal["number", "category"]
    value: float
    low: float | None
    high: float | None
    p_value: float
    q_value: float
    runs: int
    groups: int = 0


def direction(key: str) -> Literal["less", "more"] | None:
    """Whether less or more of a metric is better, where its name says so beyond doubt.

    >>> direction("val_loss"), direction("roc_auc"), direction("neg_mean_squared_error"), direction("steps")
    ('less', 'more', 'more', None)
    """
    apart = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", key).lower()
    words = set(re.split(r"[^a-z0-9]+", apart))
    less, more = bool(words & LESS_IS_BETTER), bool(words & MORE_IS_BETTER)
    if less == more:
        return None
    return "less" if less != bool(words & {"neg", "negative"}) else "more"


def param_lines(runs: Sequence[Run]) -> list[Line]:
    """Params, those that differ first."""
    return _lines([{one.key: one.value for one in run.data.params} for run in runs])


def tag_lines(runs: Sequence[Run]) -> list[Line]:
    """Tags that people set, those that differ first."""
    given = [{one.key: one.value for one in run.data.tags if _is_peoples(one.key)} for run in runs]
    return _lines(given)


def metric_lines(runs: Sequence[Run]) -> list[Line]:
    """Last values of metrics; the best is marked where its name tells which way is better and not all are alike."""
    given = [{one.key: one.value for one in run.data.metrics} for run in runs]
    lines = []
    for key in sorted({key for one in given for key in one}, key=lambda key: (key.startswith(SYSTEM), natural(key))):
        values = [one.get(key) for one in given]
        best = _best(values, direction(key))
        cells = [
            Cell(
                text=_measured(value),
                title="" if value is None else str(value),
                best=best is not None and value == best,
            )
            for value in values
        ]
        lines.append(Line(key=key, cells=cells, differs=len(set(values)) > 1))
    return lines


def columns_of(runs: Sequence[Run]) -> list[Column]:
    """What can be an axis: params and metrics that differ between the runs, those that most have first."""
    seen: dict[Column, set[object]] = {}
    had: Counter[Column] = Counter()
    for run in runs:
        pairs: list[tuple[Column, object]] = [(Column("params", one.key), one.value) for one in run.data.params]
        pairs += [(Column("metrics", one.key), one.value) for one in run.data.metrics]
        for column, value in pairs:
            had[column] += 1
            seen.setdefault(column, set()).add(value)
    varied = [column for column in seen if len(seen[column]) > 1]
    return sorted(varied, key=lambda one: (one.group == "metrics", one.key.startswith(SYSTEM), -had[one], one.key))


def values_of(runs: Sequence[Run], column: Column) -> list[Number | None]:
    """What each run has in a column: a number of a metric, the text of a param."""
    found: list[Number | None] = []
    for run in runs:
        if column.group == "metrics":
            found.append(next((one.value for one in run.data.metrics if one.key == column.key), None))
        else:
            found.append(next((one.value for one in run.data.params if one.key == column.key), None))
    return found


def numbers_of(values: Iterable[Number | None]) -> list[float | None] | None:
    """The values as numbers when all that are known read as numbers; a NaN or an infinity counts as not known."""
    found: list[float | None] = []
    for value in values:
        try:
            number = None if value is None else float(value)
        except ValueError:
            return None
        found.append(number if number is not None and math.isfinite(number) else None)
    return found if any(number is not None for number in found) else None


def spreads_widely(numbers: Iterable[float | None]) -> bool:
    """Whether numbers are better told apart by their logarithms."""
    known = [number for number in numbers if number is not None]
    return bool(known) and min(known) > 0 and max(known) / min(known) >= WIDE_RATIO


def axis(runs: Sequence[Run], column: Column) -> Axis:
    """A column as an axis of parallel coordinates."""
    values = values_of(runs, column)
    numbers = numbers_of(values)
    told = [wording.DASH if value is None else _measured(value) for value in values]
    if numbers is None:
        return _category_axis(column.key, values, told)
    log = spreads_widely(numbers)
    scaled = [None if number is None else math.log10(number) if log else number for number in numbers]
    known = [number for number in scaled if number is not None]
    low, high = min(known), max(known)
    span = (high - low) or 1.0
    middle = low == high
    places = [None if number is None else 0.5 if middle else (number - low) / span for number in scaled]
    distinct = sorted(set(known))
    if middle:
        ticks = [(0.5, low)]
    elif len(distinct) <= MOST_TICKS:
        ticks = [((number - low) / span, number) for number in distinct]
    else:
        ticks = [(part / 4, low + (high - low) * part / 4) for part in range(5)]
    named = [
        (place, wording.figure(_significant(10**number) if log else _rounded(number, span))) for place, number in ticks
    ]
    return Axis(name=column.key, kind="log" if log else "number", places=places, told=told, ticks=named)


def associations(runs: Sequence[Run], target: Column) -> list[Association]:
    """Which params go with a metric, strongest evidence first; empty below `LEAST_FOR_PARAMS` runs that have it.

    Numbers by Spearman's rank correlation, texts by Kruskal–Wallis; q-values by Benjamini & Hochberg over all of them.
    """
    from tenure.stats.multiplicity import benjamini_hochberg
    from tenure.stats.ranks import kruskal_wallis, spearman

    measured = numbers_of(values_of(runs, target)) or []
    if sum(value is not None for value in measured) < LEAST_FOR_PARAMS:
        return []
    found: list[Association] = []
    for column in columns_of(runs):
        if column.group != "params":
            continue
        pairs = [pair for pair in zip(values_of(runs, column), measured, strict=True) if None not in pair]
        values, results = [one for one, _ in pairs], [float(two) for _, two in pairs if two is not None]
        numbers = numbers_of(values)
        if len(pairs) < LEAST_FOR_PARAMS:
            continue
        if numbers is not None and len(set(numbers)) > 2:
            ranked = spearman([math.nan if one is None else one for one in numbers], results)
            if ranked.value is not None and ranked.p_value is not None:
                found.append(
                    Association(
                        param=column.key,
                        kind="number",
                        value=ranked.value,
                        low=ranked.low,
                        high=ranked.high,
                        p_value=ranked.p_value,
                        q_value=1.0,
                        runs=ranked.n,
                    )
                )
            continue
        grouped = kruskal_wallis([str(value) for value in values], results)
        if grouped.effect is not None and grouped.p_value is not None:
            found.append(
                Association(
                    param=column.key,
                    kind="category",
                    value=grouped.effect,
                    low=None,
                    high=None,
                    p_value=grouped.p_value,
                    q_value=1.0,
                    runs=grouped.n,
                    groups=grouped.groups,
                )
            )
    adjusted = benjamini_hochberg([one.p_value for one in found]).tolist()
    corrected = [
        Association(**{**{name: getattr(one, name) for name in one.__struct_fields__}, "q_value": q})
        for one, q in zip(found, adjusted, strict=True)
    ]
    return sorted(corrected, key=lambda one: (one.p_value, -abs(one.value), one.param))


def _lines(given: Sequence[dict[str, str]]) -> list[Line]:
    lines = []
    for key in sorted({key for one in given for key in one}, key=natural):
        values = [one.get(key) for one in given]
        lines.append(Line(key=key, cells=[_text(value) for value in values], differs=len(set(values)) > 1))
    return sorted(lines, key=lambda line: not line.differs)


def _text(value: str | None) -> Cell:
    if value is None:
        return Cell(text=wording.DASH)
    cut = len(value) > TEXT_LENGTH
    return Cell(text=f"{value[: TEXT_LENGTH - 1]}…" if cut else value, title=value[:600] if cut else "")


def _measured(value: Number | None) -> str:
    if isinstance(value, str):
        return {"Infinity": "∞", "-Infinity": "−∞"}.get(value, value)
    return wording.figure(value)


def _best(values: Sequence[Number | None], better: Literal["less", "more"] | None) -> Number | None:
    known = [value for value in values if isinstance(value, int | float)]
    if better is None or len(set(known)) < 2:
        return None
    return min(known) if better == "less" else max(known)


def _is_peoples(key: str) -> bool:
    return not key.startswith((OWN_TAGS, "tenure."))


def _category_axis(name: str, values: Sequence[Number | None], told: list[str]) -> Axis:
    counted = Counter(str(value) for value in values if value is not None)
    levels = sorted(level for level, _ in counted.most_common(MOST_CATEGORIES))
    others = len(counted) > len(levels)
    levels = [*levels, "others"] if others else levels
    last = max(len(levels) - 1, 1)
    place = {level: (0.5 if len(levels) == 1 else number / last) for number, level in enumerate(levels)}
    places = [None if value is None else place.get(str(value), place.get("others")) for value in values]
    return Axis(
        name=name,
        kind="category",
        places=places,
        told=told,
        ticks=[(at, level if len(level) <= 24 else f"{level[:23]}…") for level, at in place.items()],
    )


def _significant(number: float) -> float:
    return float(f"{number:.3g}")


def _rounded(number: float, span: float) -> float:
    """A tick's value with no more digits than the axis can show."""
    return round(number, max(0, 3 - math.floor(math.log10(abs(span)))))
