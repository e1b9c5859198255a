"""What a fitted pipeline takes to prepare each column for its model: time and memory, on a sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from tenure.records.features import Cost
from tenure.sdk import measuring

TIMED_RUNS = 3


class Step(NamedTuple):
    """A part of the pipeline that prepares columns on its own. `alone`: it takes a column as such, not as a table."""

    transformer: Any
    columns: list[str]
    alone: bool


def costs_of(estimator: Any, sample: Any, y: Any) -> tuple[dict[str, Cost], list[str]]:
    """What preparing each column takes, and what could not be measured."""
    steps, notes = _steps(estimator, sample)
    costs: dict[str, Cost] = {}
    for step in steps:
        try:
            costs |= _shares(step, sample, y)
        except Exception as problem:
            names = ", ".join(step.columns)[:400]
            notes.append(f"Preparing {names} could not be measured on its own ({type(problem).__name__}).")
    return costs, notes


def _steps(estimator: Any, sample: Any) -> tuple[list[Step], list[str]]:
    """The parts of the estimator that prepare columns, from its front."""
    stages = [stage for _, stage in getattr(estimator, "steps", [])][:-1]
    first = next((stage for stage in stages if stage not in (None, "passthrough")), None)
    if first is None:
        return [], ["The estimator prepares nothing: it takes the columns as they are."]
    notes = ["Of the steps of the pipeline, only the first is measured by column."] if len(stages) > 1 else []
    names = list(sample.columns)
    if not hasattr(first, "transformers_"):
        return [Step(first, names, alone=False)], notes
    steps = []
    for _, transformer, chosen in first.transformers_:
        if not isinstance(transformer, str):
            columns = _chosen(names, chosen)
            steps.append(Step(transformer, columns, alone=isinstance(chosen, str | int)))
    return [step for step in steps if step.columns], notes


def _chosen(names: list[Any], chosen: Any) -> list[Any]:
    """The columns that a transformer takes, however it was told: names, places, a slice or a mask."""
    import numpy as np

    if isinstance(chosen, str):
        return [chosen]
    if isinstance(chosen, slice) and (isinstance(chosen.start, str) or isinstance(chosen.stop, str)):
        start = names.index(chosen.start) if chosen.start is not None else 0
        stop = names.index(chosen.stop) + 1 if chosen.stop is not None else len(names)
        return names[start:stop]
    if not isinstance(chosen, slice | int) and len(chosen) and all(isinstance(one, str) for one in chosen):
        return list(chosen)
    found = np.array(names, dtype=object)[chosen if isinstance(chosen, slice | int) else np.asarray(chosen)]
    return [found] if isinstance(found, str) else list(found)


def _shares(step: Step, sample: Any, y: Any) -> dict[str, Cost]:
    """A step's cost, as shares of its columns."""
    whole = _cost(step.transformer.transform, sample[step.columns[0]] if step.alone else sample[step.columns])
    alone = [_cost_alone(step, sample[[column]], y) for column in step.columns] if len(step.columns) > 1 else [whole]
    known = [cost for cost in alone if cost is not None]
    if len(known) < len(step.columns):  # a step that needs all its columns, such as a projection
        known = [whole] * len(step.columns)
    wall = sum(cost.wall_s for cost in known) or 1.0
    return {
        str(column): Cost(
            wall_s=whole.wall_s * cost.wall_s / wall,
            cpu_s=whole.cpu_s * cost.wall_s / wall,
            calls=whole.calls,
            rows=len(sample),
            memory_bytes=cost.memory_bytes,
            columns=len(step.columns),
        )
        for column, cost in zip(step.columns, known, strict=True)
    }


def _cost_alone(step: Step, column: Any, y: Any) -> Cost | None:
    from sklearn.base import clone

    try:
        return _cost(clone(step.transformer).fit(column, y).transform, column)
    except Exception:
        return None


def _cost(transform: Callable[[Any], Any], table: Any) -> Cost:
    """The least time of some runs, and the memory of one more."""
    timed = []
    for _ in range(TIMED_RUNS):
        with measuring.Measuring(memory=False) as run:
            transform(table)
        timed.append(run.cost)
    with measuring.Measuring() as traced:
        transform(table)
    least = min((cost for cost in timed if cost is not None), key=lambda cost: cost.wall_s)
    return msgspec.structs.replace(least, memory_bytes=traced.cost.memory_bytes if traced.cost else None)
