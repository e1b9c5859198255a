"""The gate: a form is used only when it says what the version itself says, on every row that it was asked for."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from tenure.records.forms import RowClass, Timing
from tenure.serving.forms.columns import Columns, Refused
from tenure.serving.forms.loading import Answers, difference
from tenure.serving.forms.making.rows import Rows
from tenure.serving.forms.making.subject import CannotCompile, Subject, is_nan

MOST_P99_US = 1000.0
"""Answers are computed between two requests of others: a slower form would be felt by all of them."""


class Expected:
    """What the version itself says to the rows, asked once for all forms.

    None stands for a failure, and for an answer that is no number: a form refuses both.
    """

    def __init__(self, subject: Subject, classes: Sequence[Rows]) -> None:
        self.classes = list(classes)
        self.answers = [self._asked(subject, rows) for rows in classes]

    @staticmethod
    def _asked(subject: Subject, rows: Rows) -> list[Any]:
        if not rows.each and rows.rows:
            try:
                return [None if is_nan(answer) else answer for answer in subject.answers(rows.columns, rows.rows)]
            except Exception:  # noqa: S110  one of the rows is refused: which one is found by asking for each
                pass
        return [_or_none(subject, one(rows.columns, row)) for row in range(rows.rows)]


def compare(
    form: Answers, expected: Expected, *, tolerance: float, exact: bool, bit_equal: bool = True
) -> list[RowClass]:
    """Both answers to every row. Raises CannotCompile with the first difference.

    `exact`: the answers are labels. `bit_equal`: a row gets the same bits alone and among others, else within
    tolerance.
    """
    allowed = 0.0 if exact else tolerance
    between = 0.0 if exact or bit_equal else tolerance
    return [
        _compared(form, rows, answers, allowed, between)
        for rows, answers in zip(expected.classes, expected.answers, strict=True)
    ]


def _compared(form: Answers, rows: Rows, answers: list[Any], allowed: float, between: float) -> RowClass:
    largest, refused = 0.0, 0
    alone: list[Any] = []
    for row, answer in enumerate(answers):
        said = _said(form, one(rows.columns, row))
        alone.append(said)
        if (said is None) != (answer is None):
            does = "answers" if answer is None else "refuses"
            raise CannotCompile(f"it {does} a row that the version itself does not, among {rows.name!r}")
        if answer is None:
            refused += 1
            continue
        apart = difference(said, answer)
        if apart > allowed:
            raise CannotCompile(f"it differs by {apart:.3g} in a row of {rows.name!r}; allowed is {allowed:g}")
        largest = max(largest, apart)
    if rows.rows and not refused:
        together = form.outputs(rows.columns, rows.rows)
        if any(difference(here, there) > between for here, there in zip(together, alone, strict=True)):
            raise CannotCompile(f"it tells rows of {rows.name!r} something else when they come together")
    return RowClass(name=rows.name, rows=rows.rows, refused=refused, largest_difference=largest)


def one(columns: Columns, row: int) -> Columns:
    """One row, as columns."""
    return {name: values[row : row + 1] for name, values in columns.items()}


def timed(answer: Callable[[Columns, int], Any], rows: Rows, *, calls: int, most_s: float) -> Timing:
    """How much of a processor one row takes, over drawn rows, after a few calls to warm up.

    Not the time that passes, which says more about what else the machine does.
    """
    singles = [one(rows.columns, row) for row in range(min(rows.rows, 256))]
    for columns in singles[:5]:
        answer(columns, 1)
    took: list[int] = []
    begun = time.perf_counter()
    for call in range(calls):
        start = time.thread_time_ns()
        answer(singles[call % len(singles)], 1)
        took.append(time.thread_time_ns() - start)
        if time.perf_counter() - begun > most_s:
            break
    took.sort()
    return Timing(calls=len(took), p50_us=_at(took, 0.5), p99_us=_at(took, 0.99))


def _at(took: list[int], share: float) -> float:
    return round(took[min(len(took) - 1, math.floor(len(took) * share))] / 1000, 1)


def _said(form: Answers, columns: Columns) -> Any:
    try:
        return form.outputs(columns, 1)[0]
    except Refused:
        return None


def _or_none(subject: Subject, columns: Columns) -> Any:
    try:
        answer = subject.answers(columns, 1)[0]
    except Exception:
        return None
    return None if is_nan(answer) else answer
