"""What is answered instead of a killed version, where no version answers: a constant, or a rule over the row."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Literal

from tenure.records.kills import Case, Constant, Rule
from tenure.records.routing import Release, Route
from tenure.serving.columns import Inputs
from tenure.serving.decoding import Columns

COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def answers(fallback: Constant | Rule, columns: Columns, rows: int) -> list[Any]:
    """One answer per row.

    >>> late = Case(column="delay", op=">", values=[30], answer=0.9)
    >>> answers(Rule(cases=[late], otherwise=0.1), {"delay": [45, None, "much"]}, 3)
    [0.9, 0.1, 0.1]
    """
    if isinstance(fallback, Constant):
        return [fallback.answer] * rows
    said = [fallback.otherwise] * rows
    for case in reversed(fallback.cases):  # so that the first case has the last word
        for row, value in enumerate(columns.get(case.column, ())):
            if _meets(case, value):
                said[row] = case.answer
    return said


def _meets(case: Case, value: Any) -> bool:
    if value is None:
        return False
    if case.op == "in":
        return value in case.values
    try:
        return bool(COMPARED[case.op](value, case.values[0]))
    except TypeError:  # a text is neither more nor less than a number
        return False


class Instead:
    """Answers in the place of a version's scorer. Nothing has to be loaded for it, so it is always ready."""

    state: Literal["serving"] = "serving"
    detail = ""
    ready = True
    waiting = 0
    example: dict[str, Any] | None = None
    answer: Any = None

    def __init__(self, fallback: Constant | Rule, champion: Release | None) -> None:
        self.inputs = Inputs(champion.inputs if champion else [])
        self._fallback = fallback

    def answers_now(self, _rows: int, _params: dict[str, Any] | None) -> bool:
        return True

    def outputs_now(self, columns: Columns, rows: int, _params: dict[str, Any] | None = None) -> list[Any]:
        return answers(self._fallback, columns, rows)

    async def outputs(self, columns: Columns, rows: int, params: dict[str, Any] | None = None) -> list[Any]:
        return self.outputs_now(columns, rows, params)


def as_release(route: Route, champion: Release | None) -> Release:
    """What is journaled as having answered: version 0, since none did."""
    return Release(
        release_id=f"fallback-{route.endpoint}",
        model=route.model,
        version=0,
        role="fallback",
        share=0.0,
        location="",
        digest="",
        files=[],
        inputs=champion.inputs if champion else [],
    )


def is_stopped(route: Route, release: Release | None) -> bool:
    """Whether a release, or its whole endpoint, is killed."""
    return any(one.version is None for one in route.stopped) or (release is not None and names(route, release))


def names(route: Route, release: Release) -> bool:
    """Whether a kill names the version of a release."""
    return any(one.version == release.version for one in route.stopped)
