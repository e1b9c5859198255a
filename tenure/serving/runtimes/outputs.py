"""What models answer, as values that JSON and msgpack know."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


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
