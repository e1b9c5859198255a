from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from tenure.stats.columns import level_name, levels_of, numbers_of


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, "a", None, Decimal("2.5")], [1.0, math.nan, math.nan, 2.5]),
        (["1", "2"], [math.nan, math.nan]),
        ([[1, 2], {}], [math.nan, math.nan]),
        (np.array(["2020-01-01"], dtype="datetime64[s]"), [math.nan]),
        (np.ma.array([1, 2], mask=[False, True]), [1.0, math.nan]),
        (np.array([1, 2], dtype=np.uint8), [1.0, 2.0]),
        (pd.array([1, None], dtype="Int64").to_numpy(dtype=object), [1.0, math.nan]),
        ([], []),
    ],
)
def test_whatever_is_no_number_is_missing(values, expected):
    np.testing.assert_array_equal(numbers_of(values), expected)


def test_floats_are_not_copied():
    column = np.ones(3, dtype=np.float32)
    assert numbers_of(column) is column


def test_a_table_is_no_column():
    with pytest.raises(ValueError, match="one dimension"):
        numbers_of(np.ones((2, 2)))


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (np.bool_(True), "true"),
        (np.int32(4), "4"),
        (np.float64(4.0), "4"),
        (0.1, "0.1"),
        (-0.0, "0"),
        (math.inf, "inf"),
        (pd.NA, None),
        (pd.NaT, None),
        (np.datetime64("NaT"), None),
        ("NaN", "NaN"),
    ],
)
def test_levels_have_one_name_each(value, name):
    assert level_name(value) == name


def test_levels_of_every_kind_of_column_are_named():
    assert levels_of(np.array(["a", "b"])) == ["a", "b"]
    assert levels_of(pd.Series(["a", None]).to_numpy()) == ["a", None]
    assert levels_of(np.ma.array([1, 2], mask=[True, False])) == [None, "2"]
