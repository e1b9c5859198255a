"""What is decoded straight into a version's types is what reading with more patience comes to."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure.errors import InvalidInput, TooLarge
from tenure.records.base import Instant
from tenure.records.routing import InputColumn
from tenure.serving.columns import Inputs
from tenure.serving.decoding import Asked, Request
from tenure.serving.protocols import mlflow
from tenure.serving.typed import reader_of

COLUMNS = [
    InputColumn(name="distance", type="double"),
    InputColumn(name="tail number", type="string", required=False),
    InputColumn(name="hour", type="integer"),
    InputColumn(name="id", type="long", required=False),
    InputColumn(name="late", type="boolean"),
    InputColumn(name="wind", type="float", required=False),
]
NAMES = [column.name for column in COLUMNS]
GOOD: dict[str, Any] = {"distance": 12, "tail number": "N1", "hour": 5, "id": 2**40, "late": True, "wind": 1.5}
INPUTS = Inputs(COLUMNS)
PATIENT = Inputs(COLUMNS)
PATIENT.typed = None
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False), st.text()
)
ODD = st.dictionaries(st.sampled_from([*NAMES, "other"]), VALUES)


def read(body: bytes, inputs: Inputs) -> Asked:
    return mlflow.from_json(Request({}, body, Instant(10**15), 1000, inputs))


def outcome(body: bytes, inputs: Inputs) -> tuple[Any, ...]:
    """The columns and what stands beside them, or how they are refused."""
    try:
        asked = read(body, inputs)
        columns = inputs.columns_of(asked)
    except (InvalidInput, TooLarge) as refusal:
        return type(refusal), refusal.message, refusal.where
    return repr(columns), asked.form, asked.rows, asked.event_at, asked.reference, asked.params


@given(st.lists(st.tuples(ODD, st.booleans()), max_size=4))
def test_objects_come_to_the_same_columns_or_the_same_refusal(changes: list[tuple[dict[str, Any], bool]]) -> None:
    rows = [GOOD | changed if whole else changed for changed, whole in changes]
    body = json.dumps({"dataframe_records": rows}).encode()
    assert outcome(body, INPUTS) == outcome(body, PATIENT)


@given(st.lists(st.lists(VALUES, min_size=6, max_size=6), max_size=3), st.permutations(NAMES), st.booleans())
def test_lists_come_to_the_same_columns_or_the_same_refusal(
    rows: list[list[Any]], order: list[str], good: bool
) -> None:
    rows = [*rows, list(GOOD.values())] if good else rows
    for names in (NAMES, order):
        body = json.dumps({"dataframe_split": {"columns": names, "data": rows}}).encode()
        assert outcome(body, INPUTS) == outcome(body, PATIENT)


@given(st.binary(max_size=60))
def test_any_bytes_come_to_the_same(noise: bytes) -> None:
    assert outcome(noise, INPUTS) == outcome(noise, PATIENT)


def test_what_fits_is_read_in_one_go_with_what_stands_beside_it() -> None:
    body = json.dumps(
        {"dataframe_records": [GOOD, GOOD], "reference": ["a", "b"], "event_time": 10**15, "params": {"t": 1}}
    ).encode()
    asked = read(body, INPUTS)
    assert asked.checked is INPUTS
    assert INPUTS.columns_of(asked) is asked.table
    assert outcome(body, INPUTS) == outcome(body, PATIENT)


def test_another_versions_columns_are_checked_for_themselves() -> None:
    asked = read(json.dumps({"dataframe_records": [GOOD]}).encode(), INPUTS)
    other = Inputs([msgspec.structs.replace(COLUMNS[0], type="string")])
    with pytest.raises(InvalidInput, match="Not known"):
        other.columns_of(asked)


@pytest.mark.parametrize(
    "columns",
    [
        [],
        [InputColumn(name="day", type="datetime")],
        [InputColumn(name="a", type="double"), InputColumn(name="a", type="double")],
        [InputColumn(name="a", type="binary")],
    ],
)
def test_a_signature_that_cannot_be_typed_is_read_with_patience(columns: list[InputColumn]) -> None:
    assert reader_of(tuple(columns)) is None
