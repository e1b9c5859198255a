"""Small models with what is needed to compile them, without files and without mlflow."""

from __future__ import annotations

import warnings
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd

from tenure.records.routing import InputColumn
from tenure.serving.forms.making import gate
from tenure.serving.forms.making.compiling import Compiled, compile_version
from tenure.serving.forms.making.subject import Subject
from tenure.serving.runtimes import series
from tenure.serving.runtimes.outputs import plain

WORDS = ("red", "green", "blue")
TIMED = gate.timed


def table(rows: int = 300, *, numbers: int = 4, words: int = 1, whole: int = 0, dtype: str = "double") -> pd.DataFrame:
    """Random rows: columns of numbers, of whole numbers and of texts."""
    rng = np.random.default_rng(7)
    kind = np.float32 if dtype == "float" else np.float64
    found: dict[str, Any] = {f"n{k}": (rng.normal(size=rows) * 10**k).astype(kind) for k in range(numbers)}
    found |= {f"i{k}": rng.integers(0, 50, rows) for k in range(whole)}
    found |= {f"w{k}": rng.choice(WORDS, rows) for k in range(words)}
    return pd.DataFrame(found)


def target(frame: pd.DataFrame, classes: int = 2) -> Any:
    """What depends on the first column and on chance: classes, or numbers when `classes` is 0."""
    rng = np.random.default_rng(8)
    score = frame.iloc[:, 0].astype(float) + rng.normal(size=len(frame))
    if not classes:
        return score.to_numpy()
    return np.digitize(score, np.quantile(score, np.linspace(0, 1, classes + 1)[1:-1]))


def inputs_of(frame: pd.DataFrame, *, required: bool = False) -> list[InputColumn]:
    names = {"float64": "double", "float32": "float", "int64": "long", "bool": "boolean"}
    return [
        InputColumn(name=str(name), type=names.get(str(dtype), "string"), required=required)
        for name, dtype in frame.dtypes.items()
    ]


def subject(model: Any, frame: pd.DataFrame, function: str = "predict", flavour: str = "mlflow.sklearn") -> Subject:
    inputs = inputs_of(frame)
    types = {column.name: column.type for column in inputs}

    def answers(columns: dict[str, list[Any]], rows: int) -> list[Any]:
        said = plain(getattr(model, function)(series.table(columns, types)))
        assert len(said) == rows
        return list(said)

    example = {str(name): values[:2] for name, values in frame.to_dict(orient="list").items()}
    return Subject(model, inputs, answers, flavour=flavour, function=function, example=(example, 2))


def compiled(model: Any, frame: pd.DataFrame, function: str = "predict", flavour: str = "mlflow.sklearn") -> Compiled:
    """The form of a fitted model, as the process that compiles makes it, but timed with a tenth of the calls."""
    with warnings.catch_warnings(), np.errstate(all="ignore"), mock.patch.object(gate, "timed", timed_less):
        warnings.simplefilter("ignore")
        return compile_version(subject(model, frame, function, flavour), {})


def timed_less(answer: Any, rows: Any, *, calls: int, most_s: float) -> Any:
    return TIMED(answer, rows, calls=calls // 10, most_s=most_s)
