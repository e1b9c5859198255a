"""Answers and their outcomes as the measures of a task need them: pure, from a window's rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tenure.monitor.choices import choices_of, choose, decoded, is_number
from tenure.monitor.rows import Array, Floats, Instants, Mask, Rows, is_binary
from tenure.records.measured import Task
from tenure.records.model_files import ModelFile
from tenure.stats.columns import level_name
from tenure.stats.multiclass import Codes


@dataclass(frozen=True)
class Answers:
    """Rows that were answered and whose outcome is known, shape (n,).

    `score` is the chance, the score or the number that was said. `action`: whether yes was said, None where the file's
    expression tells nothing. Of several classes `said` is the number of the one that was said, and `chances`, shape
    (n, classes), those of all; `low` and `high` are the model's own interval of a number. `left_out`: rows with an
    outcome and without an answer of this kind. `place`: where each row stands among all rows of its window.
    """

    task: Task
    key: Array
    y: Floats
    score: Floats
    action: Mask | None = None
    said: Codes | None = None
    chances: Floats | None = None
    classes: tuple[str, ...] = ()
    low: Floats | None = None
    high: Floats | None = None
    left_out: int = 0
    place: Instants = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.y)


def task_of(file: ModelFile | None, rows: Rows) -> Task | None:
    """What kind of answers these are: as the file says, else as they look. None without an outcome to see it by.

    Texts and lists of three chances or more choose between classes. Outcomes that are all 0 or 1 are yes or no, and
    scores that all lie within 0–1 chances of it; any other outcome is a number. Classes that are answered as whole
    numbers, and counts that are all 0 or 1 for a while, look like something else: for them the file must say it.
    """
    told = file.prediction.known_task if file and file.prediction else None
    if told:
        return told
    known = rows.known
    if not known.any():
        return None
    outputs = rows.output[known] if len(rows.output) else rows.output
    if choose(outputs):
        return "multiclass"
    y, score = rows.y[known], rows.score[known]
    if not is_binary(y):
        return "regression"
    score = score[~np.isnan(score)]
    return "binary" if np.all((score >= 0) & (score <= 1)) else "ranking"


def answers_of(task: Task, rows: Rows, action: Mask | None, names: Sequence[str]) -> Answers:
    """The rows whose outcome is known and that were answered in the kind of the task; `names` are those of classes."""
    known, place = rows.where(rows.known), np.flatnonzero(rows.known)
    said = None if action is None else action[rows.known]
    if task == "multiclass":
        return _chosen(known, place, names)
    if task == "regression":
        return _numbers(known, place)
    usable = ~np.isnan(known.score) & ((known.y == 0) | (known.y == 1))
    if task == "binary":
        usable &= (known.score >= 0) & (known.score <= 1)
    return Answers(
        task,
        known.prediction_id[usable],
        known.y[usable],
        known.score[usable],
        None if said is None else said[usable],
        left_out=int((~usable).sum()),
        place=place[usable],
    )


def together(parts: Sequence[Answers]) -> Answers:
    """Answers of several windows of one version as those of one. What some windows lack, the whole lacks."""
    first = parts[0]
    if len(parts) == 1:
        return first
    alike = [part for part in parts if part.classes == first.classes or not len(part)]

    def joined(name: str) -> Any:
        columns = [getattr(part, name) for part in alike if len(part)]
        if not columns:
            return getattr(first, name)
        return None if any(column is None for column in columns) else np.concatenate(columns)

    names = ("key", "y", "score", "action", "said", "chances", "low", "high")
    return replace(first, **{name: joined(name) for name in names}, left_out=sum(part.left_out for part in alike))


def _numbers(rows: Rows, place_of: Instants) -> Answers:
    """Numbers, alone or with the model's own interval: `[number, low, high]`, or an object of these names."""
    score = rows.score.copy()
    low, high = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    for place, output in enumerate(decoded(rows.output)):
        told = _with_interval(output)
        if told is not None:
            score[place], low[place], high[place] = told
    usable = np.isfinite(score) & np.isfinite(rows.y)
    given = bool(np.any(~np.isnan(low[usable])))
    return Answers(
        "regression",
        rows.prediction_id[usable],
        rows.y[usable],
        score[usable],
        low=low[usable] if given else None,
        high=high[usable] if given else None,
        left_out=int((~usable).sum()),
        place=place_of[usable],
    )


def _with_interval(output: Any) -> tuple[float, float, float] | None:
    if isinstance(output, dict):
        output = [output.get(name) for name in ("prediction", "low", "high")]
    if not isinstance(output, list) or len(output) != 3 or not all(is_number(one) for one in output):
        return None
    return float(output[0]), float(output[1]), float(output[2])


def _chosen(rows: Rows, place_of: Instants, names: Sequence[str]) -> Answers:
    """Choices between classes: a list of chances, a class's name, or its number."""
    told = choices_of(rows, names)
    said, chances, width = told.said, told.chances, told.chances.shape[1]
    most = len(names) or 1 + int(max(said.max(initial=0), np.nan_to_num(rows.y).max(initial=0)))
    usable = (said >= 0) & (said < most) & (rows.y >= 0) & (rows.y < most) & (rows.y == np.floor(rows.y))
    complete = width == most and bool(usable.any()) and not np.isnan(chances[usable]).any()
    return Answers(
        "multiclass",
        rows.prediction_id[usable],
        rows.y[usable],
        rows.score[usable],
        said=said[usable],
        chances=chances[usable] if complete else None,
        classes=tuple(names) or tuple(level_name(code) or "" for code in range(most)),
        left_out=int((~usable).sum()),
        place=place_of[usable],
    )
