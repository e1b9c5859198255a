"""How a column of each type of MLflow's signatures becomes one of pandas.

It is the same for scoring and for the rows of a retraining: what is trained on is made like what will be scored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd


def _double(values: list[Any]) -> pd.Series:
    return pd.Series(np.array(values, dtype=np.float64))


def _float(values: list[Any]) -> pd.Series:
    return pd.Series(np.array(values, dtype=np.float32))


def _whole(dtype: type[np.signedinteger[Any]]) -> Callable[[list[Any]], pd.Series]:
    """Whole numbers; with nulls among them they become floats, as pandas itself does when it reads such a column."""

    def series(values: list[Any]) -> pd.Series:
        return pd.Series(np.array(values, dtype=np.float64 if None in values else dtype))

    return series


def _boolean(values: list[Any]) -> pd.Series:
    return pd.Series(np.array(values, dtype=object if None in values else np.bool_))


def _string(values: list[Any]) -> pd.Series:
    return pd.Series(np.array(values, dtype=object), dtype=object)


def _datetime(values: list[Any]) -> pd.Series:
    return pd.Series(pd.to_datetime(pd.Series(values, dtype=object), utc=True, format="ISO8601").dt.tz_localize(None))


SERIES: dict[str, Callable[[list[Any]], pd.Series]] = {
    "double": _double,
    "float": _float,
    "long": _whole(np.int64),
    "integer": _whole(np.int32),
    "boolean": _boolean,
    "string": _string,
    "datetime": _datetime,
}
