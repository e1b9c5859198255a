"""Models in MLflow's folder, loaded by mlflow.pyfunc. Only a scorer process imports this."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pandas as pd

from tenure.records.routing import InputColumn
from tenure.serving.runtimes import series
from tenure.serving.runtimes.outputs import plain

Columns = dict[str, list[Any]]


class WrongNumberOfOutputs(ValueError):
    """Its name is `wire.WRONG_NUMBER`."""


class PyfuncRuntime:
    """A loaded model that takes columns and gives one output per row, plain enough for JSON and msgpack."""

    def __init__(self, folder: Path, inputs: Sequence[InputColumn]) -> None:
        self._folder = folder
        self._model = mlflow.pyfunc.load_model(str(folder), suppress_warnings=True)
        self._types = {column.name: column.type for column in inputs}
        self._takes_rows = _takes_rows(self._model)

    def predict(self, columns: Columns, rows: int, params: dict[str, Any] | None = None) -> list[Any]:
        """One output per row. Raises whatever the model raises, and WrongNumberOfOutputs."""
        given = _rows(columns, rows) if self._takes_rows else series.table(columns, self._types)
        outputs = plain(self._predicted(given, params))
        if not isinstance(outputs, list) or len(outputs) != rows:
            raise WrongNumberOfOutputs("the model must give one output per row")
        return outputs

    def _predicted(self, frame: pd.DataFrame | list[dict[str, Any]], params: dict[str, Any] | None) -> Any:
        """Columns were checked against the signature by the gateway, and null is more welcome here than in pyfunc's
        own check (an optional whole number may be null), so that check is left out unless it has params to read."""
        unchecked = getattr(self._model, "_predict_fn", None)
        if params or not self._types or unchecked is None:
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


def _takes_rows(model: Any) -> bool:
    """Whether the model's function says by its type hints that it takes a list of objects.

    mlflow.pyfunc would give it the first column of a table and no more.
    """
    signature = model.metadata.signature
    if signature is None or not getattr(signature, "_is_signature_from_type_hint", False):
        return False
    told = signature.inputs.to_dict() if signature.inputs is not None else []
    return len(told) == 1 and told[0].get("type") in ("map", "object")


def _rows(columns: Columns, rows: int) -> list[dict[str, Any]]:
    return [{name: values[k] for name, values in columns.items()} for k in range(rows)]
