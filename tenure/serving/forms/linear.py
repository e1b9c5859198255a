"""Linear models as folded arithmetic: scalers, imputers and encoders have become one weight or one look-up a column.

Scores are summed column by column in the same order for one row and for many, so both give the same bits.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tenure.serving.forms.columns import Columns, Floats, Lookup, NumberColumn, numbers
from tenure.serving.forms.finishing import finisher
from tenure.serving.forms.program import Number, Program


class Linear:
    """One score: plain sums."""

    def __init__(self, program: Program) -> None:
        self._base = program.base[0]
        self._checks = [NumberColumn(number) for number in program.numbers]
        self._terms = [_term(number, check) for number, check in zip(program.numbers, self._checks, strict=True)]
        self._numbers = program.numbers
        self._tables = [(table.name, Lookup(table, operator.itemgetter(0))) for table in program.tables]
        self._gets = [(name, look_up.get, look_up) for name, look_up in self._tables]
        self._finish = finisher(program.finish)

    def outputs(self, columns: Columns, rows: int) -> list[Any]:
        """One answer a row. Raises Refused.

        A column that came as bytes holds NumPy's numbers, which are neither an index of a label nor JSON.
        """
        if rows == 1:
            return [self._finish((float(self._score(columns)),))]
        return [self._finish((score,)) for score in self._scores(columns, rows).tolist()]

    def _score(self, columns: Columns) -> float:
        score = self._base
        for name, low, high, centre, weight, odd in self._terms:
            value = columns[name][0]
            if value is not None and low <= value <= high:
                score += (value - centre) * weight
            else:
                score += odd(value)
        for name, get, look_up in self._gets:
            value = columns[name][0]
            part = get(value)
            score += part if part is not None else look_up(value)
        return score

    def _scores(self, columns: Columns, rows: int) -> Floats:
        scores = np.full(rows, self._base)
        for check, number in zip(self._checks, self._numbers, strict=True):
            values = numbers(check, columns[number.name])
            added = (values - number.centre) * number.weights[0]
            scores += np.where(np.isnan(values), number.null[0], added) if number.null else added
        for name, look_up in self._tables:
            scores += [look_up(value) for value in columns[name]]
        return scores


class ManyLinear:
    """Several scores: a sum for each. Few rows are summed in plain arithmetic too."""

    def __init__(self, program: Program) -> None:
        self._base = program.base
        self._checks = [NumberColumn(number) for number in program.numbers]
        self._numbers = program.numbers
        self._tables = [(table.name, Lookup(table, tuple)) for table in program.tables]
        self._finish = finisher(program.finish)

    def outputs(self, columns: Columns, rows: int) -> list[Any]:
        """One answer a row. Raises Refused."""
        if rows == 1:
            return [self._finish(self._score(columns))]
        return [self._finish(scores) for scores in self._scores(columns, rows).tolist()]

    def _score(self, columns: Columns) -> list[float]:
        scores = self._base
        for check, number in zip(self._checks, self._numbers, strict=True):
            value = check.number(columns[number.name][0])
            if value == value:  # noqa: PLR0124  no NaN
                part = value - number.centre
                scores = [score + part * weight for score, weight in zip(scores, number.weights, strict=True)]
            else:
                scores = list(map(operator.add, scores, number.null or ()))
        for name, look_up in self._tables:
            scores = list(map(operator.add, scores, look_up(columns[name][0])))
        return scores

    def _scores(self, columns: Columns, rows: int) -> Floats:
        scores = np.tile(np.array(self._base), (rows, 1))
        for check, number in zip(self._checks, self._numbers, strict=True):
            values = numbers(check, columns[number.name])[:, None]
            added = (values - number.centre) * np.array(number.weights)
            scores += np.where(np.isnan(values), np.array(number.null), added) if number.null else added
        for name, look_up in self._tables:
            scores += np.array([look_up(value) for value in columns[name]])
        return scores


def _term(number: Number, check: NumberColumn) -> tuple[Any, ...]:
    """What one column adds, and a function for a value that is missing, out of bounds or held in 32 bits."""
    null = number.null[0] if number.null else 0.0

    def odd(value: Any) -> float:
        known = check.number(value)
        return null if known != known else (known - number.centre) * number.weights[0]  # noqa: PLR0124

    low, high = (number.low, number.high) if not number.single else (1.0, 0.0)  # nothing lies between: all are rounded
    return number.name, low, high, number.centre, number.weights[0], odd
