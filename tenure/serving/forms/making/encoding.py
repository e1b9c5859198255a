"""How each column is encoded, found by asking the version's own steps for every value that matters.

Nothing is read out of scalers and encoders, so nothing of them has to be imitated: imputation, rare categories, dropped
ones, indicators and types are whatever `transform` does. It holds because each step takes each column by itself.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tenure.records.routing import InputColumn
from tenure.serving.forms.columns import Columns, Floats
from tenure.serving.forms.making.subject import CannotCompile, Subject

LARGEST = sys.float_info.max
OVERFLOWS_32 = float(np.ldexp(2.0 - 2.0**-24, 127))
"""From here on a number is infinite when it is rounded to 32 bits."""
PROBES = 1024
UNSEEN = "\u2205 never seen"
UNSEEN_NUMBER = 987654321.0
PLAIN = {"double": 1.0, "float": 1.0, "long": 1, "integer": 1, "boolean": True, "string": UNSEEN}
SPREAD = (0.0, 1.0, -1.0, 2.5, 1000.0, -1000.0, 1e6, -1e6)


@dataclass
class Column:
    """One column: `keys` when it is told by its categories, else a number between `low` and `high`.

    `features`: which columns of the encoded table depend on it. `null` and `unknown`: whether they are taken.
    """

    name: str
    type: str
    keys: list[Any] | None
    null: bool
    unknown: bool = False
    low: float = -LARGEST
    high: float = LARGEST
    features: list[int] = field(default_factory=list)


class Encoding:
    """The columns of a version, and a row that it takes, from which one column at a time is changed."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.base = base_row(subject)
        self.constant: Floats = subject.encoded({name: [value] for name, value in self.base.items()})[0]
        known = subject.categories()
        self.columns = [self._column(column, known.get(column.name)) for column in subject.inputs]

    def check(self) -> None:
        """Find which features each column makes. Raises CannotCompile when a step takes columns together."""
        self.subject.check_encodable()
        self._find_features()

    def varied(self, name: str, values: Sequence[Any]) -> Floats:
        """The encoded table when one column takes these values and the others stay."""
        return self.subject.encoded(self.rows_with(name, values))

    def rows_with(self, name: str, values: Sequence[Any]) -> Columns:
        rows = {other: [value] * len(values) for other, value in self.base.items()}
        return rows | {name: list(values)}

    def _column(self, column: InputColumn, known: list[Any] | None) -> Column:
        name, accepts = column.name, self.subject.accepts
        null = accepts(self.rows_with(name, [None]))
        if column.type == "boolean":
            return Column(name, column.type, [False, True], null)
        if column.type == "string" or known is not None:
            if known is None:
                known = []
            unseen: Any = UNSEEN if column.type == "string" else UNSEEN_NUMBER
            if column.type in ("long", "integer"):
                unseen = int(unseen)
                known = [int(value) for value in known]
            return Column(name, column.type, known, null, accepts(self.rows_with(name, [unseen])))
        made = Column(name, column.type, None, null)
        if column.type in ("double", "float"):
            made.high = np.inf if accepts(self.rows_with(name, [np.inf])) else self._bound(name, LARGEST)
            made.low = -np.inf if accepts(self.rows_with(name, [-np.inf])) else self._bound(name, -LARGEST)
        return made

    def _bound(self, name: str, end: float) -> float:
        """The number furthest towards `end` that the version takes, to the bit.

        Where it is looked for: where what the steps make of it no longer fits into 32 or 64 bits.
        """
        if self.subject.accepts(self.rows_with(name, [end])):
            return end
        for limit in (OVERFLOWS_32, np.inf):
            bound = self._last_below(name, end, limit)
            beyond = float(np.nextafter(bound, end))
            if self.subject.accepts(self.rows_with(name, [bound])) and not self.subject.accepts(
                self.rows_with(name, [beyond])
            ):
                return bound
        return self._last_accepted(name, end)

    def _last_accepted(self, name: str, end: float) -> float:
        """The same by asking the version itself at each of 62 steps, as where its sums overflow."""
        near, far = 0, int(np.float64(abs(end)).view(np.int64))
        while far - near > 1:
            middle = (near + far) // 2
            value = float(np.copysign(np.int64(middle).view(np.float64), end))
            near, far = (middle, far) if self.subject.accepts(self.rows_with(name, [value])) else (near, middle)
        return float(np.copysign(np.int64(near).view(np.float64), end))

    def _last_below(self, name: str, end: float, limit: float) -> float:
        """The number furthest towards `end` for which all encoded numbers are smaller than a limit."""
        near, far = 0, int(np.float64(abs(end)).view(np.int64))
        while far - near > 1:
            steps = np.unique(np.linspace(near, far, PROBES).astype(np.int64)[1:-1]) if far - near > PROBES else (
                np.arange(near + 1, far)
            )  # fmt: skip
            steps = steps[(steps > near) & (steps < far)]
            values = np.copysign(steps.view(np.float64), end)
            fine = self._fits(name, values.tolist(), limit)
            first = int(np.argmin(fine)) if not fine.all() else len(steps)
            if first < len(steps):
                far = int(steps[first])
            if first > 0:
                near = int(steps[first - 1])
        return float(np.copysign(np.int64(near).view(np.float64), end))

    def _fits(self, name: str, values: list[float], limit: float) -> Any:
        """For each value whether what is made of it is smaller than a limit; a step that refuses any is no help."""
        with np.errstate(all="ignore"):
            try:
                return ~(np.abs(self.varied(name, values)) >= limit).any(axis=1)
            except ValueError:
                return np.zeros(len(values), dtype=bool)

    def _find_features(self) -> None:
        owner: dict[int, str] = {}
        for column in self.columns:
            values = self.probed(column)
            moved = self.varied(column.name, values)
            same = (moved == self.constant) | (np.isnan(moved) & np.isnan(self.constant))
            column.features = np.flatnonzero(~same.all(axis=0)).tolist()
            for feature in column.features:
                if owner.setdefault(feature, column.name) != column.name:
                    raise CannotCompile(f"the columns {owner[feature]!r} and {column.name!r} are encoded together")

    @staticmethod
    def probed(column: Column) -> list[Any]:
        if column.keys is None:
            whole = column.type in ("long", "integer")
            values: list[Any] = [int(value) if whole else value for value in SPREAD]
            values = [value for value in values if column.low <= value <= column.high]
        else:
            values = list(column.keys)
            if column.unknown:
                values.append(UNSEEN if column.type == "string" else int(UNSEEN_NUMBER))
        return [*values, None] if column.null else values


def base_row(subject: Subject) -> dict[str, Any]:
    """A row that the version takes: the first of its input example, else one of made-up values and known categories."""
    tried = []
    if subject.example is not None:
        columns, rows = subject.example
        tried += [{column.name: columns.get(column.name, [None] * rows)[row] for column in subject.inputs}
                  for row in range(min(rows, 5))]  # fmt: skip
    known = subject.categories()
    tried.append({column.name: (known.get(column.name) or [PLAIN[column.type]])[0] for column in subject.inputs})
    for row in tried:
        complete = all(value is not None for value in row.values())
        if complete and subject.accepts({name: [value] for name, value in row.items()}):
            return row
    raise CannotCompile("it takes neither the row that it was logged with nor a made-up one, so it cannot be compared")
