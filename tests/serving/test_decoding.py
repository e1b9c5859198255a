"""Requests as they come: every way to be wrong has its own sentence, and none repeats the data."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure.errors import InvalidInput, TenureError, TooLarge
from tenure.records.base import Instant
from tenure.records.routing import InputColumn
from tenure.serving.columns import Inputs
from tenure.serving.decoding import Asked, Columns, Request
from tenure.serving.protocols import mlflow

NOW = Instant(1_750_000_000_000_000)
INPUTS = Inputs(
    [
        InputColumn(name="carrier", type="string"),
        InputColumn(name="distance", type="double"),
        InputColumn(name="hour", type="long"),
        InputColumn(name="gate", type="integer", required=False),
        InputColumn(name="night", type="boolean", required=False),
        InputColumn(name="at", type="datetime", required=False),
    ]
)
FREE = Inputs([])
ROW = {"carrier": "UA", "distance": 1400.5, "hour": 17}
TAKEN = {"carrier": ["UA"], "distance": [1400.5], "hour": [17], "gate": [None], "night": [None], "at": [None]}


def parse(body: bytes, max_rows: int = 10) -> Asked:
    return mlflow.from_json(Request({}, body, NOW, max_rows))


def columns(body: Any, inputs: Inputs = INPUTS, max_rows: int = 100) -> Columns:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return inputs.columns_of(parse(content, max_rows))


def refusal(body: Any, inputs: Inputs = INPUTS) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        columns(body, inputs)
    return caught.value


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_records": [ROW]},
        {"dataframe_split": {"columns": list(ROW), "data": [list(ROW.values())]}},
        {"dataframe_split": {"index": [7], "columns": ["hour", "carrier", "distance"], "data": [[17, "UA", 1400.5]]}},
        {"instances": [ROW]},
        {"instances": [["UA", 1400.5, 17, None, None, None]]},
        {"inputs": {name: [value] for name, value in ROW.items()}},
        {"inputs": [ROW], "params": {}},
    ],
)
def test_the_same_row_in_any_form_is_the_same_columns(body: dict[str, Any]) -> None:
    assert columns(body) == TAKEN


def test_numbers_are_taken_where_they_mean_the_same() -> None:
    taken = columns({"dataframe_records": [ROW | {"distance": 1400, "hour": 17.0, "gate": 3.0, "night": True}]})
    assert taken["distance"] == [1400.0]
    assert type(taken["distance"][0]) is float
    assert type(taken["hour"][0]) is int
    assert taken["gate"] == [3]
    assert taken["night"] == [True]


def test_a_column_that_may_be_missing_may_be_null_in_some_rows() -> None:
    taken = columns({"dataframe_records": [ROW | {"gate": 3.0}, ROW, ROW | {"gate": None}]})
    assert taken["gate"] == [3, None, None]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hour": 1.5}, "'hour' must hold whole numbers. Got one with a fraction in row 1"),
        ({"hour": "17"}, "'hour' must hold whole numbers. Got text in row 1"),
        ({"hour": True}, "'hour' must hold whole numbers. Got true or false in row 1"),
        ({"hour": 2**63}, "'hour' must hold whole numbers of 64 bits"),
        ({"hour": None}, "'hour' must have a value in every row (long). Got null in row 1"),
        ({"distance": "far"}, "'distance' must hold numbers. Got text in row 1"),
        ({"distance": [1]}, "'distance' must hold numbers. Got a list in row 1"),
        ({"distance": 10**400}, "'distance' must hold numbers up to 1.8e308"),
        ({"carrier": 7}, "'carrier' must hold text. Got a whole number in row 1"),
        ({"gate": 2**31}, "'gate' must hold whole numbers of 32 bits"),
        ({"night": 1}, "'night' must hold true or false or null. Got a whole number in row 1"),
        ({"at": "yesterday"}, "'at' must hold ISO 8601 dates"),
        ({"at": "0001-01-01"}, "'at' must hold ISO 8601 dates between 1678 and 2262"),
        ({"carier": "UA"}, "Not known: 'carier'. Did you mean 'carrier'?"),
    ],
)
def test_what_is_wrong_is_named_by_column_and_row(change: dict[str, Any], said: str) -> None:
    assert said in refusal({"dataframe_records": [ROW | {"gate": 1, "night": True}, ROW | change]}).message


def test_every_wrong_column_is_named_at_once() -> None:
    told = refusal({"dataframe_records": [{"carrier": 1, "distance": "far", "hour": 1.5}]})
    assert all(name in told.message for name in ROW)
    assert told.where == "dataframe_records[0].carrier"


def test_missing_and_unknown_columns_are_named_together() -> None:
    told = refusal({"dataframe_split": {"columns": ["carrier", "distance", "minute"], "data": [["UA", 1, 2]]}})
    assert "Missing: 'hour'." in told.message
    assert "Not known: 'minute'." in told.message


def test_no_message_repeats_a_value() -> None:
    for name in ("distance", "hour", "night", "at", "gate"):
        assert "hunter2" not in refusal({"dataframe_records": [ROW | {name: "hunter2"}]}).message
    assert "hunter2" not in refusal({"dataframe_records": [ROW], "event_time": "hunter2"}).message
    assert "hunter2" not in refusal({"dataframe_records": [ROW, ROW], "reference": ["hunter2", "hunter2"]}).message


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "must be JSON"),
        (b"{", "must be JSON"),
        (b'{"inputs": {"a": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"dataframe_records": [{"carrier": "\xff"}]}', "must be UTF-8"),
        (b'{"dataframe_records": [{"distance": NaN}]}', "NaN and Infinity are not JSON: send null"),
        (b'{"dataframe_records": [{"distance": -Infinity}]}', "NaN and Infinity are not JSON: send null"),
        (b'{"dataframe_records": [{"distance": 1e999}]}', "Number out of range"),
        (b"[]", "not shaped as it must be"),
        ({}, "exactly one of dataframe_split, dataframe_records, instances, inputs. Got none"),
        ({"instances": [], "inputs": {}}, "Got instances and inputs"),
        ({"dataframe_records": [ROW], "inputs": None}, "not shaped as it must be"),
        ({"dataframe_records": []}, "at least one row"),
        ({"inputs": {}}, "at least one row"),
        ({"dataframe_split": {"columns": list(ROW), "data": []}}, "at least one row"),
        ({"dataframe_records": [ROW], "rows": 1}, "unknown field"),
        ({"dataframe_records": [ROW, 1]}, "Expected `object`"),
        (
            {"instances": [ROW, [1]]},
            "Rows must be objects with the columns' names, or lists in the columns' order. Got a list and an object.",
        ),
        ({"instances": [1, 2]}, "Got a whole number."),
        ({"inputs": {"carrier": "UA"}}, "Column 'carrier' must be a list"),
        ({"inputs": {"carrier": ["UA"], "hour": [1, 2]}}, "'carrier' has 1, 'hour' 2"),
        ({"dataframe_split": {"columns": ["hour", "hour"], "data": [[1, 2]]}}, "Named more often: 'hour'"),
        ({"dataframe_split": {"columns": ["hour", "carrier"], "data": [[1, "a"], [1]]}}, "Row 1 has 1"),
        ({"dataframe_records": [{}]}, "Missing: 'carrier', 'distance', 'hour'"),
        ({"dataframe_records": [ROW, {"carrier": "UA", "distance": 1}]}, "Row 1 has not"),
        ({"dataframe_records": [ROW], "event_time": "soon"}, "must be ISO 8601"),
        ({"dataframe_records": [ROW], "event_time": 1_700_000_000}, "looks like seconds or milliseconds"),
        ({"dataframe_records": [ROW], "event_time": 10**18}, "between the years"),
        ({"dataframe_records": [ROW], "event_time": "9999-12-31T23:59:59-12:00"}, "between the years"),
        ({"dataframe_records": [ROW], "event_time": ["2013-02-01", "2013-02-01"]}, "one per row: 1. Got 2"),
        ({"dataframe_records": [ROW], "event_time": 1.5}, "got `float` - at `$.event_time`"),
        ({"dataframe_records": [ROW, ROW], "reference": "a"}, "one text per row: 2. Got 1"),
        ({"dataframe_records": [ROW, ROW], "reference": ["a", "a"]}, "Row 1 repeats an earlier one"),
        ({"dataframe_records": [ROW], "reference": [""]}, "1 to 512 characters. Got 0"),
        ({"dataframe_records": [ROW], "reference": ["a" * 513]}, "Got 513"),
    ],
)
def test_a_wrong_request_is_told_what_must_be(body: Any, said: str) -> None:
    assert said in refusal(body).message


def test_too_many_rows_are_too_large() -> None:
    with pytest.raises(TooLarge, match="at most 3 rows"):
        columns({"dataframe_records": [ROW] * 4}, max_rows=3)


def test_event_times_and_references_belong_to_their_rows() -> None:
    asked = parse(
        json.dumps(
            {
                "dataframe_records": [ROW, ROW],
                "event_time": ["2013-02-01T05:00:00Z", 1_359_694_800_000_001],
                "reference": ["a", "b"],
            }
        ).encode()
    )
    assert asked.event_at == [1_359_694_800_000_000, 1_359_694_800_000_001]
    assert asked.reference == ["a", "b"]


def test_a_version_without_signature_takes_plain_columns_alike_in_every_row() -> None:
    assert columns({"dataframe_records": [{"x": 1}, {"x": None}]}, FREE) == {"x": [1, None]}
    assert columns({"instances": [[1, "a"]]}, FREE) == {"0": [1], "1": ["a"]}
    assert "Every row must have" in refusal({"dataframe_records": [{"x": 1}, {"y": 1}]}, FREE).message
    assert "same columns" in refusal({"dataframe_records": [{"x": 1}, {"x": 1, "y": 1}]}, FREE).message
    assert "plain values" in refusal({"dataframe_records": [{"x": [1]}]}, FREE).message
    assert "at least one column" in refusal({"dataframe_records": [{}]}, FREE).message
    assert "64 bits" in refusal({"dataframe_records": [{"x": 2**64}]}, FREE).message


names = st.sampled_from([*(column.name for column in INPUTS.columns), "x"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.text(max_size=3), inner, max_size=6),
    max_leaves=12,
)
rows = st.dictionaries(names, values, max_size=7)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "dataframe_records": st.lists(rows, max_size=3) | values,
        "dataframe_split": st.fixed_dictionaries(
            {"data": st.lists(st.lists(values, max_size=4), max_size=3)}, optional={"columns": st.lists(names)}
        ),
        "instances": st.lists(rows | st.lists(values), max_size=3),
        "inputs": st.dictionaries(names, values) | values,
        "event_time": values,
        "reference": values,
        "params": values,
    },
)


EXAMPLES = [pytest.param(80, id="some"), pytest.param(3000, id="many", marks=pytest.mark.slow)]


@pytest.mark.parametrize("examples", EXAMPLES)
def test_any_json_is_taken_or_refused_and_what_is_taken_can_be_journaled(examples: int) -> None:
    @settings(max_examples=examples, deadline=None)
    @given(body=bodies | values, inputs=st.sampled_from([INPUTS, FREE]))
    def holds(body: Any, inputs: Inputs) -> None:
        try:
            asked = parse(json.dumps(body).encode(), max_rows=2)
            taken = inputs.columns_of(asked)
        except TenureError:
            return
        assert {len(held) for held in taken.values()} == {asked.rows}
        assert len(asked.event_at) == asked.rows
        msgspec.msgpack.encode(taken)
        msgspec.json.encode(taken)

    holds()


@pytest.mark.parametrize("examples", EXAMPLES)
def test_any_bytes_are_taken_or_refused(examples: int) -> None:
    @settings(max_examples=examples, deadline=None)
    @given(st.binary(max_size=60) | bodies.map(lambda body: json.dumps(body).encode()[:-1]))
    def holds(content: bytes) -> None:
        with contextlib.suppress(TenureError):
            columns(content)

    holds()
