"""Models in MLflow's folder, loaded by mlflow.pyfunc. Only a scorer process imports this."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd

from tenure.records.routing import InputColumn
from tenure.serving.runtimes.series import SERIES

Columns = dict[str, list[Any]]


class PyfuncRuntime:
    """A loaded model that takes columns and gives one output per row, plain enough for JSON and msgpack."""

    def __init__(self, folder: Path, inputs: Sequence[InputColumn]) -> None:
        self._folder = folder
        self._model = mlflow.pyfunc.load_model(str(folder), suppress_warnings=True)
        self._series = {column.name: SERIES.get(column.type, pd.Series) for column in inputs}

    def predict(self, columns: Columns, rows: int, params: dict[str, Any] | None = None) -> list[Any]:
        """One output per row. Raises whatever the model raises, and ValueError when it gives another number of rows."""
        frame = pd.DataFrame({name: self._series.get(name, pd.Series)(values) for name, values in columns.items()})
        outputs = plain(self._predicted(frame, params))
        if not isinstance(outputs, list) or len(outputs) != rows:
            raise ValueError("the model must give one output per row")
        return outputs

    def _predicted(self, frame: pd.DataFrame, params: dict[str, Any] | None) -> Any:
        """Columns were checked against the signature by the gateway, and null is more welcome here than in pyfunc's
        own check (an optional whole number may be null), so that check is left out unless it has params to read."""
        unchecked = getattr(self._model, "_predict_fn", None)
        if params or not self._series or unchecked is None:
            return self._model.predict(frame, params=params)
        return unchecked(frame)

    def example(self) -> tuple[Columns, int] | None:
        """The input example that was logged with the model, as columns; None when there is none to be read."""
        path = self._folder / "serving_input_example.json"
        try:
            split = json.loads(path.read_bytes())["dataframe_split"]
            columns = {str(name): [row[k] for row in split["data"]] for k, name in enumerate(split["columns"])}
        except (OSError, ValueError, KeyError, IndexError, TypeError):
            return None
        return (columns, len(split["data"])) if columns and split["data"] else None


def plain(outputs: Any) -> Any:
    """A model's output as lists, dicts, numbers, text and null; a frame as one dict per row, like MLflow's server."""
    if isinstance(outputs, pd.DataFrame):
        outputs = outputs.to_dict(orient="records")
    elif isinstance(outputs, pd.Series | pd.Index):
        outputs = outputs.to_numpy()
    if isinstance(outputs, np.ndarray):
        return outputs.tolist() if outputs.dtype.kind in "bifuU" else [plain(item) for item in outputs.tolist()]
    if isinstance(outputs, dict):
        return {str(name): plain(value) for name, value in outputs.items()}
    if isinstance(outputs, list | tuple):
        return [plain(item) for item in outputs]
    return _plain_value(outputs)


def _plain_value(value: Any) -> Any:
    """A NumPy scalar as Python's; missing values of pandas as null; what JSON has no word for as text."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return None if value is pd.NaT or value is pd.NA else str(value)
