"""What a model's file says of each row: whether it is acted on, and what that was worth."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np

from tenure.errors import InvalidInput
from tenure.monitor.rows import Floats, Mask, Rows, is_binary
from tenure.records.model_files import ModelFile
from tenure.store import expressions

log = logging.getLogger("tenure.monitor")
GIVEN = {"score", "action", "y"}


@dataclass(frozen=True)
class Valued:
    """`action` for each row, and its `value`, NaN where the outcome is not known; None for what cannot be told."""

    action: Mask | None
    value: Floats | None


def valued(file: ModelFile | None, rows: Rows) -> Valued:
    """Action and value by the model's file. An expression that fails on these rows is logged, and told as None."""
    if file is None:
        return Valued(None, None)
    columns: dict[str, Any] = {**rows.columns, "score": rows.score}
    action, value = None, None
    try:
        action = expressions.evaluate(file.action, columns, bool, "action")
        if file.value is not None:
            value = _values(file.value, columns, action, rows)
    except InvalidInput as problem:
        log.warning("model %s: %s", file.model, problem.message)
    return Valued(action, value)


def features_named(file: ModelFile | None) -> list[str]:
    """The features that a file's expressions name, so that only those need to be read. Of a broken one: none."""
    if file is None:
        return []
    try:
        named = expressions.check(file.action, "action") | expressions.check(file.value or "0", "value")
    except InvalidInput:
        return []
    return sorted(named - GIVEN)


def _values(expression: str, columns: dict[str, Any], action: Mask, rows: Rows) -> Floats:
    known = rows.known
    value = np.full(len(rows), np.nan)
    if known.any():
        y = rows.y[known]
        named = {name: values[known] for name, values in {**columns, "action": action}.items()}
        named["y"] = y == 1 if is_binary(y) else y
        value[known] = expressions.evaluate(expression, named, float, "value")
    return value
