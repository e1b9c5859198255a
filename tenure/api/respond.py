"""Errors as answers of our API, in their one shape; their HTTP status is `serving.answers.status_of`."""

from __future__ import annotations

from typing import Any

import msgspec

from tenure import errors


class Problem(msgspec.Struct, omit_defaults=True):
    """The one shape of an error in our API. `failures`: when a gate said no; `problems`: when rows do not fit."""

    code: str
    message: str
    where: str | None = None
    failures: list[str] = []
    problems: list[dict[str, Any]] = []


def problem_of(error: errors.TenureError) -> Problem:
    failures = list(error.failures) if isinstance(error, errors.GateNotMet) else []
    problems = list(error.problems) if isinstance(error, errors.RowsRefused) else []
    return Problem(error.code, error.message, error.where, failures, problems)


def hidden(error: BaseException) -> Problem:
    """An error that we did not foresee: the log has its trace, the client gets none."""
    del error
    return Problem("internal", "The server failed at this. The reason is in its log; nothing was stored.")


def as_json(problem: Problem) -> dict[str, Any]:
    return {"error": msgspec.to_builtins(problem)}
