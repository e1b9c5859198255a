"""What was chosen between several classes in each row, as the lake has it: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from tenure.monitor.rows import Array, Floats, Rows
from tenure.records.model_files import ModelFile
from tenure.records.profiles import Profile
from tenure.sdk.class_scores import Chosen, names_of
from tenure.stats.multiclass import Codes

LOOKED_AT = 100  # outputs, to see what kind they are


@dataclass(frozen=True)
class Choices:
    """Of each of n rows: the number of the class that was said, −1 where none was, and the chances of all, shape
    (n, classes), NaN where there were none."""

    said: Codes
    chances: Floats


def choices_of(rows: Rows, names: Sequence[str]) -> Choices:
    """Answers as lists of chances, a class's name, or its number."""
    return _read(rows, _outputs(rows), names)


def _outputs(rows: Rows) -> list[Any]:
    return decoded(rows.output) if len(rows.output) else [None] * len(rows)


def _read(rows: Rows, outputs: Sequence[Any], names: Sequence[str]) -> Choices:
    width = len(names) or next((len(one) for one in outputs if isinstance(one, list)), 0)
    code_of = {name: code for code, name in enumerate(names)}
    said, chances = np.full(len(rows), -1, np.int64), np.full((len(rows), width), np.nan)
    for place, (output, score) in enumerate(zip(outputs, rows.score.tolist(), strict=True)):
        if isinstance(output, list) and len(output) == width and all(is_number(one) for one in output):
            chances[place] = output
            said[place] = int(np.argmax(chances[place]))
        elif isinstance(output, str):
            said[place] = code_of.get(output, int(output) if not names and output.isdecimal() else -1)
        elif width == 2 and 0 <= score <= 1:  # two chances are kept as the second of them
            chances[place] = 1 - score, score
            said[place] = int(score >= 0.5)
        elif float(score).is_integer():
            said[place] = int(score)
    return Choices(said, chances)


def chosen_like(baseline: Profile, rows: Rows, file: ModelFile | None) -> Chosen | None:
    """What a window's profile counts of choices, by the names of its baseline; None for a model that makes none."""
    if baseline.outcome != "multiclass":
        return None
    names = names_of(baseline) or class_names(file)
    return named(rows, names)


def named(rows: Rows, names: Sequence[str]) -> Chosen:
    """The chances, and what was said by its name; a name that nobody knows stays what it is, so that it counts as
    new."""
    outputs = _outputs(rows)
    told = _read(rows, outputs, names)
    said = np.array([_name(code, output, names) for code, output in zip(told.said.tolist(), outputs, strict=True)], "O")
    return Chosen(told.chances, said)


def names_at(file: ModelFile | None, baseline: Profile | None) -> list[str]:
    """The names of the classes, as the model's file gives them, else as the version's baseline of choices does."""
    if class_names(file) or baseline is None:
        return class_names(file)
    knows = baseline.outcome == "multiclass" and baseline.reference.kind != "production"  # which saw some alone
    return names_of(baseline) if knows else []


def class_names(file: ModelFile | None) -> list[str]:
    """The classes that a model's file names, in the order of the model's chances."""
    return file.prediction.classes if file and file.prediction else []


def choose(outputs: Array) -> bool:
    """Whether answers look like choices between classes: texts, or lists of three chances or more."""
    kinds = [one for one in decoded(outputs[:LOOKED_AT]) if one is not None]
    return bool(kinds) and all(isinstance(one, str) or (isinstance(one, list) and len(one) > 2) for one in kinds)


def decoded(outputs: Array) -> list[Any]:
    """What was answered, from the JSON that the lake has; None where the score says it all."""
    return [None if text is None else msgspec.json.decode(text) for text in outputs.tolist()]


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _name(code: int, output: Any, names: Sequence[str]) -> str | None:
    if isinstance(output, str):
        return output
    if code < 0:
        return None
    return names[code] if code < len(names) else str(code)
