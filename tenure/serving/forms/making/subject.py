"""The version that is compiled: its own answers, and what stands between its columns and its last estimator."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tenure.records.routing import InputColumn
from tenure.serving.forms.columns import Columns, Floats
from tenure.serving.runtimes import series

FLAVOURS = ("mlflow.sklearn", "mlflow.lightgbm", "mlflow.xgboost")
TYPES = ("double", "float", "long", "integer", "boolean", "string")
FUNCTIONS = ("predict", "predict_proba")

# Steps that turn every column by itself into columns of its own. With these, how a column is encoded can be found by
# asking the step for each value, whatever its class does inside.
AFFINE = {
    "StandardScaler",
    "MinMaxScaler",
    "MaxAbsScaler",
    "RobustScaler",
    "SimpleImputer",
    "MissingIndicator",
    "OneHotEncoder",
    "OrdinalEncoder",
    "TargetEncoder",
    "VarianceThreshold",
    "SelectKBest",
    "SelectPercentile",
    "SelectFromModel",
}
MONOTONE = {"PowerTransformer", "QuantileTransformer", "Binarizer"}
ENCODERS = {"OneHotEncoder", "OrdinalEncoder", "TargetEncoder"}


class CannotCompile(Exception):
    """Why a version, or one form of it, is not made; a sentence for people, without anything from the data."""


class Subject:
    """A loaded version. `steps` come before `estimator`, whose `function` makes the answer."""

    def __init__(
        self,
        model: Any,
        inputs: Sequence[InputColumn],
        answers: Callable[[Columns, int], list[Any]],
        *,
        flavour: str = "mlflow.sklearn",
        function: str = "predict",
        example: tuple[Columns, int] | None = None,
    ) -> None:
        self.inputs = list(inputs)
        self.types = {column.name: column.type for column in inputs}
        self.answers = answers
        """What the version itself says. Raises whatever it raises."""
        self.flavour, self.function = flavour, function
        self.whole = model
        self.steps, self.estimator = _taken_apart(model)
        self.name = type(self.estimator).__name__
        self.example = example

    @classmethod
    def opened(cls, folder: Path, inputs: Sequence[InputColumn]) -> Subject:
        """A version in MLflow's folder, asked as its scorer would ask it. This loads it, so its code runs."""
        from tenure.serving.runtimes.pyfunc import PyfuncRuntime

        runtime = PyfuncRuntime(folder, inputs)
        pyfunc: Any = runtime._model
        told = pyfunc.metadata.flavors.get("python_function", {})
        held = pyfunc._model_impl
        return cls(
            held.get_raw_model() if hasattr(held, "get_raw_model") else held,
            inputs,
            runtime.predict,
            flavour=str(told.get("loader_module", "")),
            function=str(told.get("predict_fn", "predict")),
            example=runtime.example(),
        )

    def check(self) -> None:
        """Raise CannotCompile for what no form is made of."""
        if self.flavour not in FLAVOURS:
            raise CannotCompile(
                f"it is loaded by {self.flavour or 'code of its own'}, which may do anything; forms are made of "
                f"{', '.join(FLAVOURS)}"
            )
        if self.function not in FUNCTIONS:
            raise CannotCompile(f"it answers by {self.function}; forms are made of predict and predict_proba")
        if not self.inputs:
            raise CannotCompile("it has no signature with named columns")
        odd = next((column for column in self.inputs if column.type not in TYPES), None)
        if odd is not None:
            raise CannotCompile(f"its column {odd.name!r} is of the type {odd.type or 'unknown'}")

    def check_encodable(self) -> None:
        """Raise CannotCompile unless every step takes each column by itself."""
        for step in _flat(self.steps):
            name = type(step).__name__
            if name not in AFFINE | MONOTONE:
                raise CannotCompile(f"the step {name} is none that takes each column by itself")

    def accepts(self, columns: Columns) -> bool:
        """Whether the version answers one row. What is no number is no answer."""
        try:
            return not is_nan(self.answers(columns, 1)[0])
        except Exception:
            return False

    def encoded(self, columns: Columns, *, whole_as_double: bool = False) -> Floats:
        """What the last estimator is given for these rows, as doubles.

        `whole_as_double`: take columns of whole numbers as if they were of doubles, so that fractions may be asked for.
        """
        types = self.types
        if whole_as_double:
            types = {name: "double" if kind in ("long", "integer") else kind for name, kind in types.items()}
        table: Any = series.table(columns, types)
        for step in self.steps:
            table = step.transform(table)
        if hasattr(table, "toarray"):
            table = table.toarray()
        return np.asarray(table, dtype=np.float64)

    def categories(self) -> dict[str, list[Any]]:
        """The categories that encoders know, by column; a missing one is left out."""
        found: dict[str, list[Any]] = {}
        for names, encoder in _encoders(self.steps, [column.name for column in self.inputs]):
            if len(names) != len(encoder.categories_):
                raise CannotCompile(f"an {type(encoder).__name__} stands behind a step that drops columns")
            for name, known in zip(names, encoder.categories_, strict=True):
                found.setdefault(name, []).extend(value for value in known.tolist() if not _missing(value))
        return {name: list(dict.fromkeys(values)) for name, values in found.items()}


def is_nan(answer: Any) -> bool:
    """Whether an answer is, or holds, what is no number."""
    return any(map(is_nan, answer)) if isinstance(answer, list) else isinstance(answer, float) and math.isnan(answer)


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _taken_apart(model: Any) -> tuple[list[Any], Any]:
    """Steps and the last estimator of a pipeline; a pipeline in a pipeline is one after the other."""
    if type(model).__name__ != "Pipeline":
        return [], model
    steps: list[Any] = []
    for _, step in model.steps[:-1]:
        if step is None or step == "passthrough":
            continue
        before, last = _taken_apart(step)
        steps += [*before, last]
    before, last = _taken_apart(model.steps[-1][1])
    return steps + before, last


def _branches(step: Any) -> list[tuple[Any, Any]]:
    """A column transformer's steps with their columns."""
    return [(one, columns) for _, one, columns in step.transformers_ if not isinstance(one, str)]


def _flat(steps: Sequence[Any]) -> list[Any]:
    found = []
    for step in steps:
        if isinstance(step, str):
            continue
        kind = type(step).__name__
        if kind == "ColumnTransformer":
            found += _flat([one for one, _ in _branches(step)])
        elif kind == "Pipeline":
            found += _flat([one for _, one in step.steps])
        elif kind != "FunctionTransformer" or step.func is not None:
            found.append(step)
    return found


def is_affine(subject: Subject) -> bool:
    """Whether every step changes a number by adding and multiplying alone."""
    return all(type(step).__name__ in AFFINE for step in _flat(subject.steps))


def _encoders(steps: Sequence[Any], names: list[str]) -> list[tuple[list[str], Any]]:
    """Each encoder with the columns that it is given. Only the first step, and what branches off in it, know names."""
    found: list[tuple[list[str], Any]] = []
    for position, step in enumerate(steps):
        kind = type(step).__name__
        if kind in ENCODERS:
            found.append((names, step))
        elif kind == "Pipeline":
            found += _encoders([one for _, one in step.steps], names)
        elif kind == "ColumnTransformer":
            if position:
                raise CannotCompile("a ColumnTransformer stands behind another step")
            for one, columns in _branches(step):
                found += _encoders([one], _names(columns, names))
    return found


def _names(columns: Any, names: list[str]) -> list[str]:
    listed = np.arange(len(names))[columns].tolist() if isinstance(columns, slice) else np.atleast_1d(columns).tolist()
    if listed and all(isinstance(one, bool) for one in listed):
        return [name for name, taken in zip(names, listed, strict=True) if taken]
    return [names[one] if isinstance(one, int) else str(one) for one in listed]
