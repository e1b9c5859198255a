"""The rows that a form is compared on: drawn ones, and all that has ever made a converted model differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tenure.serving.forms.columns import Columns
from tenure.serving.forms.making.encoding import LARGEST, UNSEEN, UNSEEN_NUMBER, Column, Encoding
from tenure.serving.forms.making.linears import affine
from tenure.serving.forms.making.subject import CannotCompile

DRAWN = 512
THRESHOLDS = 120
MOST_AT_THRESHOLDS = 6000
FLOAT32_MAX = float(np.finfo(np.float32).max)
ODD = (0.0, -0.0, 5e-324, 1e-30, -1e-30, 1e30, -1e30, FLOAT32_MAX, -FLOAT32_MAX, 1e39, -1e39, 1e300, -1e300, LARGEST,
       -LARGEST, np.inf, -np.inf, np.nan)  # fmt: skip
ODD_WHOLE = (0, 1, -1, 2**31 - 1, -(2**31), 2**53, -(2**53))
SEED = 20_130_101


class Rows(NamedTuple):
    """Rows of one kind. `each`: some may be refused, so they are asked one by one."""

    name: str
    columns: Columns
    rows: int
    each: bool = False


class Maker:
    """Makes rows for a version. `at`: the thresholds of its trees, in each column's own values."""

    def __init__(self, encoding: Encoding, at: Mapping[str, Sequence[float]]) -> None:
        self._encoding = encoding
        self._columns = encoding.columns
        self._rng = np.random.default_rng(SEED)
        self._at = {name: np.unique([value for value in values if np.isfinite(value)]) for name, values in at.items()}
        self._spans = {column.name: self._span(column) for column in self._columns if column.keys is None}

    def classes(self, sample: Columns) -> list[Rows]:
        drawn = self.drawn(DRAWN)
        found = [Rows("drawn", drawn, DRAWN)]
        if sample:
            found.append(Rows("like the baseline", self._completed(sample), len(next(iter(sample.values())))))
        example = self._encoding.subject.example
        if example is not None:
            found.append(Rows("the input example", self._completed(example[0]), example[1], each=True))
        thresholds = self._at_thresholds()
        if thresholds is not None:
            found.append(thresholds)
        single = {column.name: self._in_32_bits(drawn[column.name]) for column in self._columns}
        whole = {column.name: self._as_whole(column, drawn[column.name]) for column in self._columns}
        return [
            *found,
            Rows("rounded to 32 bits", single, DRAWN),
            Rows("whole numbers", whole, DRAWN),
            self._one_by_one("missing values", _none),
            *self._missing(),
            self._one_by_one("unseen categories", _unseen),
            self._one_by_one("extreme numbers", self._extremes),
        ]

    def drawn(self, count: int) -> Columns:
        return {column.name: self._draw(column, count) for column in self._columns}

    def _draw(self, column: Column, count: int) -> list[Any]:
        if column.keys is not None:
            keys = column.keys or [_unseen(column)[0]]
            return [keys[place] for place in self._rng.integers(len(keys), size=count)]
        low, high = self._spans[column.name]
        values = self._rng.uniform(low, high, count)
        if column.type in ("long", "integer"):
            return [int(value) for value in np.rint(values)]
        values = np.clip(values, max(column.low, -LARGEST), min(column.high, LARGEST))
        drawn: list[Any] = values.tolist()
        return drawn

    def _span(self, column: Column) -> tuple[float, float]:
        at = self._at.get(column.name)
        if at is not None and len(at):
            low, high = float(at[0]), float(at[-1])
        else:
            low, high = self._scaled_span(column)
        room = max((high - low) / 4, 1e-3)
        low, high = max(low - room, -1e300), min(high + room, 1e300)
        if column.type in ("long", "integer"):
            low, high = max(low, -(2.0**31)), min(high, 2.0**31 - 1)
        return low, high

    def _scaled_span(self, column: Column) -> tuple[float, float]:
        """Three units around where a scaler has its middle."""
        try:
            centre, slopes, _ = affine(self._encoding, column)
        except CannotCompile:
            return -3.0, 3.0
        largest = float(np.max(np.abs(slopes), initial=0.0))
        unit = 3 / largest if largest > 1e-9 else 3.0
        return centre - unit, centre + unit

    def _at_thresholds(self) -> Rows | None:
        """At each threshold, one bit beside it, and beside it in 32 bits; the other columns are drawn."""
        found: dict[str, list[Any]] = {column.name: [] for column in self._columns}
        per_column = max(1, min(THRESHOLDS, MOST_AT_THRESHOLDS // 7 // max(1, len(self._at))))
        for column in self._columns:
            at = self._at.get(column.name, np.zeros(0))
            at = at[(at >= column.low) & (at <= column.high)]
            if not len(at) or column.keys is not None:
                continue
            chosen = self._rng.choice(at, per_column, replace=False) if len(at) > per_column else at
            values = _beside(column, chosen)
            for other, drawn in self.drawn(len(values)).items():
                found[other] += values if other == column.name else drawn
        count = len(next(iter(found.values())))
        return Rows("at thresholds", found, count) if count else None

    def _missing(self) -> list[Rows]:
        """Rows with several missing values at once, where the version takes any."""
        optional = [column.name for column in self._columns if column.null]
        if not optional:
            return []
        rows = self.drawn(128)
        for name in optional:
            gone = self._rng.random(128) < 0.3
            rows[name] = [None if missing else value for value, missing in zip(rows[name], gone, strict=True)]
        return [Rows("several missing values", rows, 128)]

    def _one_by_one(self, name: str, values_of: Any) -> Rows:
        found: dict[str, list[Any]] = {column.name: [] for column in self._columns}
        for column in self._columns:
            values = values_of(column)
            for other, base in self._encoding.base.items():
                found[other] += values if other == column.name else [base] * len(values)
        return Rows(name, found, len(next(iter(found.values()))), each=True)

    def _extremes(self, column: Column) -> list[Any]:
        if column.keys is not None:
            return []
        if column.type in ("long", "integer"):
            most = 2**31 - 1 if column.type == "integer" else 2**53
            return [value for value in ODD_WHOLE if -most - 1 <= value <= most]
        ends = [end for end in (column.low, column.high) if np.isfinite(end)]
        odd = [*ODD, *ends, *(float(np.nextafter(end, np.copysign(np.inf, end))) for end in ends)]
        limit = FLOAT32_MAX if column.type == "float" else np.inf  # the gateway refuses larger ones itself
        return [value for value in odd if not abs(value) > limit]

    def _completed(self, given: Mapping[str, Sequence[Any]]) -> Columns:
        count = len(next(iter(given.values())))
        return {column.name: list(given.get(column.name, [None] * count)) for column in self._columns}

    @staticmethod
    def _in_32_bits(values: list[Any]) -> list[Any]:
        return [float(np.float32(value)) if type(value) is float else value for value in values]

    @staticmethod
    def _as_whole(column: Column, values: list[Any]) -> list[Any]:
        kept = []
        for value in values:
            whole = float(np.rint(value)) if type(value) is float else value
            kept.append(whole if type(value) is not float or column.low <= whole <= column.high else value)
        return kept


def _beside(column: Column, chosen: Any) -> list[Any]:
    if column.type in ("long", "integer"):
        low = np.floor(np.clip(chosen, -(2.0**31), 2.0**31 - 2))
        return [int(value) for value in np.concatenate([low, low + 1])]
    with np.errstate(over="ignore"):
        single = chosen.astype(np.float32)
        up, down = np.float32(np.inf), np.float32(-np.inf)
        in_32 = (single, np.nextafter(single, up), np.nextafter(single, down))
        beside = [chosen, np.nextafter(chosen, np.inf), np.nextafter(chosen, -np.inf)]
        beside += [one.astype(np.float64) for one in in_32]
    values = np.concatenate(beside)
    kept: list[Any] = values[(values >= column.low) & (values <= column.high) & np.isfinite(values)].tolist()
    return kept


def _none(column: Column) -> list[Any]:
    del column
    return [None]


def _unseen(column: Column) -> list[Any]:
    if column.keys is None or column.type == "boolean":
        return []
    return [UNSEEN, ""] if column.type == "string" else [int(UNSEEN_NUMBER)]
