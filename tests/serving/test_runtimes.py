"""Columns as tables, and outputs as plain values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tenure.serving.runtimes.outputs import plain
from tenure.serving.runtimes.series import ARRAYS, table

TYPES = {
    "word": "string", "number": "double", "count": "long", "small": "integer", "yes": "boolean", "at": "datetime",
    "single": "float",
}  # fmt: skip
COLUMNS: dict[str, list[Any]] = {
    "word": ["a", None],
    "number": [1.5, None],
    "count": [1, 2],
    "yes": [True, False],
    "single": [0.5, 0.25],
    "small": [3, 4],
    "at": ["2013-02-01T05:00:00+01:00", None],
}


def test_a_table_keeps_the_order_and_gives_each_column_its_type() -> None:
    made = table(COLUMNS, TYPES)
    assert list(made) == list(COLUMNS)
    kinds = {name: str(dtype) for name, dtype in made.dtypes.items()}
    assert kinds == {
        "word": "object", "number": "float64", "count": "int64", "yes": "bool", "single": "float32", "small": "int32",
        "at": "datetime64[ns]",
    }  # fmt: skip
    assert made["at"][0] == pd.Timestamp(datetime(2013, 2, 1, 4, tzinfo=UTC)).tz_localize(None)
    assert made["word"][0] == "a"
    assert made.iloc[1].isna().tolist() == [True, True, False, False, False, False, True]


def test_whole_numbers_with_nulls_become_floats() -> None:
    made = table({"count": [1, None]}, TYPES)
    assert str(made.dtypes["count"]) == "float64"
    assert np.isnan(made["count"][1])


def test_columns_without_a_type_are_as_pandas_reads_them() -> None:
    assert table({"x": [1, 2], "y": ["a", "b"]}, {})["x"].sum() == 3


@pytest.mark.parametrize("kind", sorted(ARRAYS))
def test_every_type_takes_a_column_of_nulls(kind: str) -> None:
    assert table({"x": [None, None]}, {"x": kind})["x"].isna().all()


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        (np.array([1, 2]), [1, 2]),
        (np.array([[0.5, 0.5]]), [[0.5, 0.5]]),
        (np.array(["late"], dtype=object), ["late"]),
        (np.array(["2013-02-01"], dtype="datetime64[s]"), ["2013-02-01 00:00:00"]),
        (pd.Series([True, False]), [True, False]),
        (pd.DataFrame({"a": [1], "b": ["x"]}), [{"a": 1, "b": "x"}]),
        ([np.float64(0.5), (1, None)], [0.5, [1, None]]),
        ({"a": np.int64(1)}, {"a": 1}),
        (pd.NA, None),
    ],
)
def test_outputs_become_plain_values(outputs: Any, expected: Any) -> None:
    assert plain(outputs) == expected
