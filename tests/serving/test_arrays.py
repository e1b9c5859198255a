"""Columns as arrays are checked as the same columns are as lists, and say the same when they are wrong."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tenure.errors import InvalidInput
from tenure.monitor import tables
from tenure.records.frames import PredictionFrame
from tenure.records.routing import InputColumn
from tenure.serving import arrays
from tenure.serving.columns import Inputs, joined, packed, packed_values
from tenure.serving.decoding import Asked, Matrix
from tenure.serving.journal import framed
from tenure.serving.scoring import scores_of

KINDS = ("double", "float", "long", "integer", "boolean", "string", "datetime")
NUMERIC = KINDS[:4]
TWO = Inputs([InputColumn(name="a", type="double"), InputColumn(name="b", type="double")])


def taken(kind: str, values: Any, required: bool) -> Any:
    inputs = Inputs([InputColumn(name="x", type=kind, required=required)])
    return inputs.columns_of(Asked("inputs", {"x": values}, len(values), [], None, None))["x"]


def plain(values: Any) -> list[Any]:
    """As Python's own, NaN as None."""
    found = values if type(values) is list else values.tolist()
    return [None if isinstance(value, float) and math.isnan(value) else value for value in found]


def outcome(kind: str, values: Any, required: bool) -> Any:
    """What is taken, or where it is wrong; an infinity is for arrays alone, since JSON has none."""
    try:
        return plain(taken(kind, values, required))
    except InvalidInput as problem:
        return problem.where


numbers = (
    st.lists(st.sampled_from([0.0, 1.5, -2.0, 3e9, 1e300, 2.0**63, float("nan")]), min_size=1, max_size=4).map(np.array)
    | st.lists(st.sampled_from([0, 1, -5, 2**31, -(2**63), 2**63 - 1]), min_size=1, max_size=4).map(
        lambda held: np.array(held, np.int64)
    )
    | st.lists(st.sampled_from([0, 2**64 - 1]), min_size=1, max_size=3).map(lambda held: np.array(held, np.uint64))
    | st.lists(st.booleans(), min_size=1, max_size=3).map(lambda held: np.array(held, np.bool_))
)


@settings(max_examples=300, deadline=None)
@given(kind=st.sampled_from(KINDS), values=numbers, required=st.booleans())
def test_an_array_is_taken_as_its_list_is(kind: str, values: Any, required: bool) -> None:
    assume(kind in NUMERIC or values.dtype.kind != "f")  # NaN among them is named before or after what else is wrong
    as_array, as_list = outcome(kind, values, required), outcome(kind, plain(values), required)
    if kind == "float" and isinstance(as_list, list):
        as_list = plain(np.array(as_list, np.float32))
    assert as_array == as_list


def together_and_apart(value: float) -> tuple[Asked, Asked]:
    block = np.array([[1.0, 2.0], [3.0, value]])
    as_one = Asked("inputs", Matrix("x", list(block), block), 2, [], None, None)
    return as_one, Asked("inputs", {"a": block[0], "b": block[1]}, 2, [], None, None)


def test_columns_that_are_looked_at_together_are_taken_as_one_by_one() -> None:
    one, other = (TWO.columns_of(asked) for asked in together_and_apart(4.0))
    assert {name: plain(held) for name, held in one.items()} == {"a": [1.0, 2.0], "b": [3.0, 4.0]}
    assert all(np.array_equal(one[name], other[name]) for name in other)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_wrong_among_many_is_named_as_among_one(wrong: float) -> None:
    said = []
    for asked in together_and_apart(wrong):
        with pytest.raises(InvalidInput) as caught:
            TWO.columns_of(asked)
        said.append(caught.value.message)
    assert said[0] == said[1]


def test_infinity_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"finite numbers\. Got an infinite one in row 1"):
        taken("double", np.array([0, np.inf]), False)


def test_packed_columns_are_unpacked_as_they_were() -> None:
    columns = {"a": np.array([1.0, 2.0]), "b": ["x", None], "c": np.array([[1, 2], [3, 4]], np.int32)}
    again = arrays.unpacked(packed(columns))
    assert again["b"] == ["x", None]
    assert np.array_equal(again["a"], columns["a"])
    assert np.array_equal(again["c"], columns["c"])


def test_requests_that_wait_together_are_joined_whatever_they_are() -> None:
    some, other = np.array([1.0]), np.array([2.0])
    assert joined([{"x": some}, {"x": other}])["x"].tolist() == [1.0, 2.0]
    assert joined([{"x": some}, {"x": [3.0, None]}])["x"] == [1.0, 3.0, None]
    assert joined([{"x": [1]}, {"x": [2]}])["x"] == [1, 2]


def frame(rows: int, columns: dict[str, Any], outputs: Any) -> PredictionFrame:
    return PredictionFrame(
        prediction_id="p",
        at=1,
        endpoint="e",
        release_id="r",
        model="m",
        version=1,
        role="champion",
        rows=rows,
        event_at=[1] * rows,
        reference=None,
        columns=packed(columns),
        output=packed_values(outputs),
        score=scores_of(outputs),
        latency_us=1,
    )


def test_packed_frames_become_the_table_that_lists_become() -> None:
    as_arrays = frame(
        2,
        {"a": np.array([1.5, np.nan]), "b": np.array([1, 2], np.int32), "c": np.array([True, False]), "d": ["x", None]},
        np.array([[0.9, 0.1], [0.2, 0.8]]),
    )
    as_lists = frame(
        2,
        {"a": [1.5, None], "b": [1, 2], "c": [True, False], "d": ["x", None]},
        [[0.9, 0.1], [0.2, 0.8]],
    )
    assert tables.of_predictions([as_arrays]).equals(tables.of_predictions([as_lists]))
    mixed = tables.of_predictions([as_arrays, as_lists, frame(1, {}, [0.5])])
    assert mixed.column("f_a").to_pylist() == [1.5, None, 1.5, None, None]
    assert mixed.column("score").to_pylist() == [0.1, 0.8, 0.1, 0.8, 0.5]
    assert framed(as_arrays)


@pytest.mark.parametrize(
    ("outputs", "scores"),
    [
        (np.array([0.5, np.nan]), [0.5, None]),
        (np.array([[0.5, 0.25]]), [0.25]),
        (np.array([[0.5, 0.25, 0.25]]), [None]),
        ([0.5, "late"], [0.5, None]),
    ],
)
def test_scores_of_arrays_are_those_of_lists(outputs: Any, scores: list[float | None]) -> None:
    table = tables.of_shadows([frame(len(outputs), {}, outputs)])
    assert table.column("score").to_pylist() == scores
