"""Tensors, whatever comes: taken or refused, never more than what was sent, and never another kind of failure."""

from __future__ import annotations

import json
import struct
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure.errors import TenureError
from tenure.records.base import Instant
from tenure.records.routing import InputColumn
from tenure.serving.columns import Inputs, packed
from tenure.serving.decoding import Answer, Asked, Request
from tenure.serving.protocols import tensors, v2

NOW = Instant(1_750_000_000_000_000)
INPUTS = Inputs(
    [
        InputColumn(name="a", type="double"),
        InputColumn(name="b", type="long", required=False),
        InputColumn(name="c", type="string", required=False),
        InputColumn(name="d", type="boolean", required=False),
    ]
)
NUMBERS = Inputs([InputColumn(name="a", type="double"), InputColumn(name="b", type="float")])
FREE = Inputs([])
EXAMPLES = [pytest.param(150, id="some"), pytest.param(5000, id="many", marks=pytest.mark.slow)]


def decoded(body: bytes, length: str | None = None, inputs: Inputs = INPUTS) -> Asked:
    headers = {} if length is None else {v2.LENGTH: length}
    return v2.decode(Request(headers, body, NOW, 3, inputs))


shapes = st.lists(st.integers(-1, 4) | st.sampled_from([2**31, 2**40, 2**63, 2**70]), max_size=3)
plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
data = st.lists(plain, max_size=6) | st.lists(st.lists(plain, max_size=3), max_size=3) | plain
parameters = st.fixed_dictionaries(
    {}, optional={"binary_data_size": st.integers(-1, 70) | plain, "binary_data": plain, "event_time": plain}
)
tensor = st.fixed_dictionaries(
    {"name": st.sampled_from("abcdx"), "shape": shapes, "datatype": st.sampled_from([*tensors.DATATYPES, "BF16", ""])},
    optional={"data": data, "parameters": parameters},
)
requests = st.fixed_dictionaries(
    {"inputs": st.lists(tensor, max_size=4)},
    optional={
        "id": plain,
        "parameters": parameters,
        "outputs": st.lists(st.fixed_dictionaries({"name": st.text(max_size=3)}, optional={"parameters": parameters})),
    },
)


@pytest.mark.parametrize("examples", EXAMPLES)
def test_any_request_is_taken_or_refused_and_what_is_taken_can_be_journaled(examples: int) -> None:
    @settings(max_examples=examples, deadline=None)
    @given(
        body=requests.map(lambda one: json.dumps(one).encode()) | st.binary(max_size=80),
        tail=st.binary(max_size=70),
        length=st.none() | st.integers(0, 300).map(str) | st.text(max_size=5),
        right=st.booleans(),
        inputs=st.sampled_from([INPUTS, NUMBERS, FREE]),
    )
    def holds(body: bytes, tail: bytes, length: str | None, right: bool, inputs: Inputs) -> None:
        try:
            asked = decoded(body + tail, str(len(body)) if right else length, inputs)
            columns = inputs.columns_of(asked)
        except TenureError:
            return
        assert {len(held) for held in columns.values()} == {asked.rows}
        msgspec.msgpack.encode(packed(columns))

    holds()


@pytest.mark.parametrize("examples", EXAMPLES)
def test_well_formed_bytes_arrive_as_they_were(examples: int) -> None:
    """What NumPy would say of them, for every datatype, in every alignment."""

    @settings(max_examples=examples, deadline=None)
    @given(
        datatype=st.sampled_from(sorted(tensors.DTYPES)),
        rows=st.integers(1, 3),
        width=st.integers(1, 3),
        seed=st.data(),
    )
    def holds(datatype: str, rows: int, width: int, seed: st.DataObject) -> None:
        kind = np.dtype(tensors.DTYPES[datatype])
        raw = bytes(
            seed.draw(
                st.lists(
                    st.integers(0, 1), min_size=kind.itemsize * rows * width, max_size=kind.itemsize * rows * width
                )
            )
        )
        given_tensor = {
            "name": "x",
            "shape": [rows, width],
            "datatype": datatype,
            "parameters": {"binary_data_size": len(raw)},
        }
        head = json.dumps({"inputs": [given_tensor]}).encode()
        asked = decoded(head + raw, str(len(head)))
        expected = np.frombuffer(raw, kind).reshape(rows, width)
        assert np.array_equal(np.array(asked.table.columns).T, expected)

    holds()


OUTPUTS: list[tuple[list[Any], str, list[int], list[Any]]] = [
    ([0.5, None, 2], "FP64", [3], [0.5, None, 2]),
    ([1, 2], "INT64", [2], [1, 2]),
    ([2**63, 2], "FP64", [2], [2**63, 2]),
    ([True, False], "BOOL", [2], [True, False]),
    ([True, None], "FP64", [2], [True, None]),
    (["late", None], "BYTES", [2], ["late", None]),
    ([[0.1, 0.9], [0.2, 0.8]], "FP64", [2, 2], [0.1, 0.9, 0.2, 0.8]),
    ([[1], [2, 3]], "BYTES", [2], ["[1]", "[2,3]"]),
    ([[[1]], [[2]]], "BYTES", [2], ["[[1]]", "[[2]]"]),
    ([{"a": 1}, {"b": 1}], "BYTES", [2], ['{"a":1}', '{"b":1}']),
    ([1, "a"], "BYTES", [2], ["1", '"a"']),
    ([None, None], "FP64", [2], [None, None]),
    ([[], []], "BYTES", [2], ["[]", "[]"]),
    ([{}, {}], "BYTES", [2], ["{}", "{}"]),
]


@pytest.mark.parametrize(("outputs", "datatype", "shape", "values"), OUTPUTS)
def test_whatever_a_model_says_is_a_tensor(outputs: list[Any], datatype: str, shape: list[int], values: Any) -> None:
    (told,) = tensors.outputs_of(outputs)
    assert (told.datatype, told.shape, tensors.to_list(told)) == (datatype, shape, values)
    assert tensors.to_bytes(told)


def test_a_frame_is_a_tensor_for_each_column() -> None:
    told = tensors.outputs_of([{"label": "late", "score": 0.5}, {"label": "on time", "score": None}])
    assert [(one.name, one.datatype, one.values) for one in told] == [
        ("label", "BYTES", ["late", "on time"]),
        ("score", "FP64", [0.5, None]),
    ]
    assert tensors.to_bytes(told[0]) == b"\x04\0\0\0late\x07\0\0\0on time"
    assert tensors.to_bytes(told[1])[:8] == struct.pack("<d", 0.5)


@pytest.mark.parametrize("kind", ["<f8", "<f4", "<i8", "<i4", "|b1"])
def test_outputs_that_are_arrays_leave_as_they_are(kind: str) -> None:
    values = np.array([[0, 1], [1, 0]], kind)
    asked = Asked("inputs", None, 2, [], None, None, v2.Wants("7", True, None))
    _, body = v2.encode(asked, Answer("sums", 3, "p", values))
    assert body.endswith(values.tobytes())
    asked.wants.binary = False
    told = json.loads(v2.encode(asked, Answer("sums", 3, "p", values))[1])["outputs"][0]
    assert (told["shape"], told["data"]) == ([2, 2], values.ravel().tolist())
