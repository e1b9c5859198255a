"""What the model's file asks of a version's columns, made ready when the routing table is taken up.

A request of one row whose values all fit costs one comparison a column. Only when something does not fit, or there are
more rows, is each value looked at by itself. Messages name columns, rows and what is asked, and never repeat a value.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from tenure.errors import ValuesRefused
from tenure.records.admission import ColumnRule
from tenure.records.routing import InputColumn
from tenure.serving.decoding import Columns
from tenure.serving.saying import PROBLEMS_SHOWN, clipped, kind, quoted

WHOLE = ("long", "integer")
NUMBERS = (*WHOLE, "double", "float")
HELD = {
    "numeric": (int, float),
    "boolean": (bool,),
    "text": (str,),
    "categorical": (str, int, bool),
    "datetime": (str,),
}
WORDS = {
    "numeric": "hold numbers",
    "boolean": "hold true or false",
    "text": "hold texts",
    "categorical": "hold texts or whole numbers",
    "datetime": "hold ISO 8601 dates, such as 2013-02-01T05:00:00Z",
}


class Problem(NamedTuple):
    """A column whose values are refused: the first row, by which rule, what must be, what was got."""

    column: str
    row: int
    reason: str
    must: str
    got: str


class Checked(NamedTuple):
    """A request's columns as the model sees them; which rows were flagged, and what was sent where it was clipped."""

    columns: Columns
    flagged: dict[str, list[int]] = {}
    clipped: dict[str, dict[int, float]] = {}


class _Range(NamedTuple):
    name: str
    low: float
    high: float
    outside: str


class ColumnChecks:
    """The rules of a model's file for one version. Rules about columns that it does not take are left out."""

    def __init__(self, rules: Sequence[ColumnRule], inputs: Sequence[InputColumn]) -> None:
        types = {column.name: column.type for column in inputs}
        taken = [rule for rule in rules if not types or rule.name in types]
        self._full = [rule.name for rule in taken if rule.null == "reject"]
        self._kinds = [(rule.name, rule.kind) for rule in taken if rule.kind and types.get(rule.name, "") == ""]
        self._ranges = [_fitting(rule, types.get(rule.name, "")) for rule in taken if _bounded(rule, types)]
        bounds = [(rule.name, rule.low, rule.high) for rule in self._ranges]
        self._full_bounds = [one for one in bounds if one[0] in self._full]
        self._bounds = [one for one in bounds if one[0] not in self._full]
        self._only_full = [name for name in self._full if name not in {one.name for one in self._ranges}]
        self._asks = bool(self._full or self._kinds or self._ranges)

    def check(self, columns: Columns, rows: int) -> Checked:
        """Hold a request's columns against the rules. Raises ValuesRefused naming each column that is wrong."""
        if not self._asks or (rows == 1 and not self._kinds and self._fits(columns)):
            return Checked(columns)
        problems = [*self._wrong_kinds(columns), *self._missing(columns, rows)]
        if not problems:
            checked, problems = self._held_to_ranges(columns)
            if not problems:
                return checked
        raise _refusal(problems)

    def _fits(self, columns: Columns) -> bool:
        """Whether the values of a single row are all as they should be; what is not sure is looked at again."""
        try:
            for name, low, high in self._full_bounds:
                if not low <= columns[name][0] <= high:
                    return False
            for name, low, high in self._bounds:
                value = columns[name][0]
                if value is not None and not low <= value <= high:
                    return False
            for name in self._only_full:
                value = columns[name][0]
                if value is None or value != value:  # noqa: PLR0124  only NaN does
                    return False
        except (KeyError, TypeError):
            return False
        return True

    def _wrong_kinds(self, columns: Columns) -> Iterator[Problem]:
        for name, told in self._kinds:
            for row, value in enumerate(_listed(columns.get(name, ()))):
                if value is not None and not _is_of(value, told):
                    yield Problem(name, row, "kind", WORDS[told], kind(value))
                    break

    def _missing(self, columns: Columns, rows: int) -> Iterator[Problem]:
        for name in self._full:
            values = _listed(columns.get(name, ())) or [None] * rows
            if None not in values and not _has_nan(values):
                continue
            row = next((row for row, value in enumerate(values) if _is_missing(value)), None)
            if row is not None:
                yield Problem(name, row, "null", "have a value in every row", "none")

    def _held_to_ranges(self, columns: Columns) -> tuple[Checked, list[Problem]]:
        flagged: dict[str, list[int]] = {}
        sent: dict[str, dict[int, float]] = {}
        taken, problems = columns, []
        for rule in self._ranges:
            values, low, high = columns.get(rule.name, ()), rule.low, rule.high
            if _all_lie(values, low, high):
                continue
            values = _listed(values)
            rows = [row for row, value in enumerate(values) if value is not None and not _lies(value, low, high)]
            if not rows:
                continue
            if rule.outside == "flag":
                flagged[rule.name] = rows
            elif rule.outside == "clip" and all(type(values[row]) in (int, float) for row in rows):
                sent[rule.name] = {row: values[row] for row in rows}
                taken = {**taken, rule.name: _nearest(list(values), rows, low, high)}
            else:
                problems.append(
                    Problem(rule.name, rows[0], "range", f"lie between {low:g} and {high:g}", "one outside")
                )
        return Checked(taken, flagged, sent), problems


def _bounded(rule: ColumnRule, types: dict[str, str]) -> bool:
    """Whether a rule has a range that its column can be held to: numbers, or what no signature says the kind of."""
    return rule.low is not None and types.get(rule.name, "") in (*NUMBERS, "")


def _fitting(rule: ColumnRule, type_: str) -> _Range:
    """A rule's range; of whole numbers the ends are whole too, so that what is clipped stays what the version takes."""
    assert rule.low is not None
    assert rule.high is not None
    if type_ in WHOLE and math.isfinite(rule.low + rule.high):
        return _Range(rule.name, math.ceil(rule.low), math.floor(rule.high), rule.outside)
    return _Range(rule.name, rule.low, rule.high, rule.outside)


def _lies(value: Any, low: float, high: float) -> bool:
    """Whether a number lies within; NaN is a missing value, and what is no number lies nowhere."""
    return type(value) in (int, float, bool) and (low <= value <= high or _is_missing(value))


def _all_lie(values: Any, low: float, high: float) -> bool:
    """Whether all values are numbers within, in three passes in C; where it is not sure, each must be looked at."""
    if not isinstance(values, list | tuple):  # an array of NumPy; NaN lies nowhere
        return bool(len(values) and low <= values.min() and values.max() <= high)
    try:
        return bool(low <= min(values) and max(values) <= high) and not _has_nan(values)
    except (TypeError, ValueError):
        return False


def _listed(values: Any) -> Sequence[Any]:
    """A column's values to be looked at one by one, also when they came as an array."""
    return values if isinstance(values, list | tuple) else values.tolist()


def _has_nan(values: Sequence[Any]) -> bool:
    """Whether NaN may be among them: it hides from `min` and `max`, but not from a sum."""
    try:
        return math.isnan(sum(values))
    except (TypeError, OverflowError):
        return any(map(_is_missing, values))


def _is_missing(value: Any) -> bool:
    return value is None or (type(value) is float and math.isnan(value))


def _nearest(values: list[Any], rows: list[int], low: float, high: float) -> list[Any]:
    """The values with the nearer end in the place of those outside; a whole number stays one where the end is."""
    for row in rows:
        end = low if values[row] < low else high
        values[row] = int(end) if type(values[row]) is int and float(end).is_integer() else end
    return values


def _is_of(value: Any, told: str) -> bool:
    if type(value) not in HELD[told]:
        return False
    if told == "datetime":
        try:
            datetime.fromisoformat(value)
        except ValueError:
            return False
    return True


def _refusal(problems: list[Problem]) -> ValuesRefused:
    told = [
        {
            "where": f"{clipped(one.column)}[{one.row}]",
            "reason": one.reason,
            "message": f"Column {quoted(one.column)} must {one.must}. Got {one.got} in row {one.row}.",
        }
        for one in problems
    ]
    said = [one["message"] for one in told[:PROBLEMS_SHOWN]]
    if len(told) > PROBLEMS_SHOWN:
        said.append(f"{len(told) - PROBLEMS_SHOWN} more columns are wrong.")
    said.append("The model's file asks this of every request.")
    return ValuesRefused(" ".join(said), reason=problems[0].reason, where=told[0]["where"], problems=told)
