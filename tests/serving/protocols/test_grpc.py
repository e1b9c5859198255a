"""The Open Inference Protocol over gRPC: its messages byte by byte, and calls as any client makes them."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import httpx
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tenure.access import Gate
from tenure.errors import NotSignedIn, TenureError
from tenure.records.base import Instant
from tenure.records.frames import Packed, PredictionFrame
from tenure.records.routing import InputColumn
from tenure.serving.columns import Inputs
from tenure.serving.decoding import Request
from tenure.serving.protocols import grpc_calls, grpc_messages, tensors
from tenure.settings import Settings
from tests.serving.conftest import Gateway, free_port

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def call(spoken: Gateway) -> Iterator[Call]:
    """Makes a call by its name and the fields of its request."""
    with grpc.insecure_channel(f"127.0.0.1:{spoken.settings.grpc_port}") as channel:

        def make(name: str, /, metadata: tuple[tuple[str, str], ...] = (), **fields: Any) -> Any:
            method = channel.unary_unary(
                f"/inference.GRPCInferenceService/{name}",
                request_serializer=lambda request: request.SerializeToString(),
                response_deserializer=grpc_messages.message(f"{name}Response").FromString,
            )
            return method(grpc_messages.message(f"{name}Request")(**fields), metadata=metadata, timeout=30)

        yield make


def typed(name: str, values: list[float], shape: list[int]) -> dict[str, Any]:
    return {"name": name, "datatype": "FP64", "shape": shape, "contents": {"fp64_contents": values}}


def raw(name: str, shape: list[int], datatype: str = "FP64") -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape}


def frame_of(gateway: Gateway, wanted: str) -> PredictionFrame:
    return next(f for f in gateway.frames() if isinstance(f, PredictionFrame) and f.prediction_id == wanted)


def test_messages_have_the_published_numbers() -> None:
    request = grpc_messages.message("ModelInferRequest")(
        model_name="m",
        model_version="3",
        id="7",
        parameters={"p": {"int64_param": 5}},
        inputs=[typed("x", [1.5], [1])],
        outputs=[{"name": "y"}],
        raw_input_contents=[b"z"],
    )
    assert request.SerializeToString(deterministic=True) == (
        b"\x0a\x01m\x12\x013\x1a\x017"
        b"\x22\x07\x0a\x01p\x12\x02\x10\x05"
        b"\x2a\x18\x0a\x01x\x12\x04FP64\x1a\x01\x01\x2a\x0a\x3a\x08" + struct.pack("<d", 1.5) +
        b"\x32\x03\x0a\x01y\x3a\x01z"
    )  # fmt: skip
    response = grpc_messages.message("ModelInferResponse")(model_name="m", raw_output_contents=[b"z"])
    assert response.SerializeToString() == b"\x0a\x01m\x32\x01z"


def test_typed_contents_are_answered_typed(spoken: Gateway, call: Call) -> None:
    answer = call("ModelInfer", model_name="sums", id="42", inputs=[typed("x", [1, 2, 3.5, 4], [2, 2])])
    assert (answer.model_name, answer.model_version, answer.id) == ("sums", "3", "42")
    (output,) = answer.outputs
    assert (output.name, output.datatype, list(output.shape)) == ("predictions", "FP64", [2])
    assert list(output.contents.fp64_contents) == [3.0, 7.5]
    assert not answer.raw_output_contents


def test_raw_contents_are_answered_raw_and_journaled_as_they_came(spoken: Gateway, call: Call) -> None:
    answer = call(
        "ModelInfer",
        model_name="sums",
        inputs=[raw("a", [2, 1]), raw("b", [2])],
        raw_input_contents=[struct.pack("<2d", 1, 3.5), struct.pack("<2d", 2, 4)],
        parameters={"event_time": {"string_param": "2013-02-01T05:00:00Z"}},
    )
    assert answer.raw_output_contents == [struct.pack("<2d", 3, 7.5)]
    frame = frame_of(spoken, answer.id)
    assert frame.columns["a"] == Packed(dtype="<f8", values=struct.pack("<2d", 1, 3.5))
    assert frame.event_at == [1_359_694_800_000_000] * 2
    assert frame.caller == "owner"


def test_text_is_bytes(call: Call) -> None:
    words = {"name": "what", "datatype": "BYTES", "shape": [1, 1], "contents": {"bytes_contents": [b"echo"]}}
    answer = call("ModelInfer", model_name="acts", inputs=[words, typed("number", [1.5], [1])])
    assert list(answer.outputs[0].contents.fp64_contents) == [1.5]


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        ({"model_name": "nowhere"}, "NOT_FOUND", "There is no endpoint 'nowhere'"),
        ({"model_name": "empty", "inputs": [typed("x", [1], [1])]}, "UNAVAILABLE", "no champion"),
        ({"model_name": "sums", "model_version": "9", "inputs": [typed("x", [1, 2], [1, 2])]}, "NOT_FOUND", "do: 3"),
        ({"model_name": "sums"}, "INVALID_ARGUMENT", "at least one input tensor"),
        ({"model_name": "sums", "inputs": [typed("x", [1], [1, 2])]}, "INVALID_ARGUMENT", "says: 2. Got 1"),
        ({"model_name": "sums", "inputs": [typed("x", [1], [-1, -1])]}, "INVALID_ARGUMENT", "Got [-1, -1]"),
        ({"model_name": "sums", "inputs": [typed("x", [1], [2**40, 2])]}, "RESOURCE_EXHAUSTED", "at most 2000 rows"),
        ({"model_name": "sums", "inputs": [typed("x", [1, float("inf")], [1, 2])]}, "INVALID_ARGUMENT", "finite"),
        ({"model_name": "sums", "inputs": [raw("x", [1, 2], "FP16")]}, "INVALID_ARGUMENT", "FP16 must be raw"),
        (
            {"model_name": "sums", "inputs": [raw("x", [1, 2])], "raw_input_contents": [b"a", b"b"]},
            "INVALID_ARGUMENT",
            "one entry for each input: 1. Got 2",
        ),
        (
            {"model_name": "sums", "inputs": [typed("x", [1, 2], [1, 2])], "raw_input_contents": [b"a" * 16]},
            "INVALID_ARGUMENT",
            "Got both",
        ),
        (
            {"model_name": "sums", "inputs": [typed("x", [1, 2], [1, 2])], "outputs": [{"name": "y"}]},
            "INVALID_ARGUMENT",
            "Not known: 'y'",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_has_its_code(call: Call, fields: dict[str, Any], code: str, said: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call("ModelInfer", **fields)
    assert caught.value.code().name == code
    assert said in caught.value.details()


def test_who_may_not_is_refused(call: Call) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call("ModelInfer", metadata=(("authorization", "Bearer refused"),), model_name="sums")
    assert caught.value.code().name == "PERMISSION_DENIED"


@pytest.mark.parametrize("required", [False, True])
def test_a_call_passes_the_gate_as_a_request_without_a_browser_does(required: bool) -> None:
    settings = Settings(port=7000)
    gate = Gate([settings.port, settings.gateway_port], required=required)
    host = grpc_calls.own_host(settings)
    assert gate.principal({"host": host}).kind == ("nobody" if required else "owner")
    with pytest.raises(NotSignedIn):
        gate.principal({"host": host, "authorization": "Bearer internal"})


plain = st.fixed_dictionaries(
    {
        "name": st.sampled_from("abx"),
        "datatype": st.sampled_from([*tensors.DATATYPES, "BF16", ""]),
        "shape": st.lists(st.integers(-1, 3) | st.sampled_from([2**40, 2**62]), max_size=3),
    },
    optional={
        "contents": st.fixed_dictionaries(
            {},
            optional={
                "bool_contents": st.lists(st.booleans(), max_size=4),
                "int_contents": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4),
                "uint_contents": st.lists(st.integers(0, 2**32 - 1), max_size=4),
                "int64_contents": st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4),
                "uint64_contents": st.lists(st.integers(0, 2**64 - 1), max_size=4),
                "fp32_contents": st.lists(st.floats(width=32), max_size=4),
                "fp64_contents": st.lists(st.floats(), max_size=4),
                "bytes_contents": st.lists(st.binary(max_size=4), max_size=4),
            },
        )
    },
)


@pytest.mark.parametrize("examples", [pytest.param(150, id="some"), pytest.param(5000, marks=pytest.mark.slow)])
def test_any_call_is_taken_or_refused(examples: int) -> None:
    inputs = Inputs([InputColumn(name="a", type="double"), InputColumn(name="b", type="long", required=False)])

    @hypothesis_settings(max_examples=examples, deadline=None)
    @given(given_inputs=st.lists(plain, max_size=3), raw=st.lists(st.binary(max_size=24), max_size=3))
    def holds(given_inputs: list[Any], raw: list[bytes]) -> None:
        request = grpc_messages.message("ModelInferRequest")(inputs=given_inputs, raw_input_contents=raw)
        try:
            asked = grpc_calls.decode(request, Request({}, b"", Instant(0), 3, inputs))
            columns = inputs.columns_of(asked)
        except TenureError:
            return
        assert {len(held) for held in columns.values()} == {asked.rows}

    holds()


def test_the_server_and_its_endpoints_are_told_as_over_http(spoken: Gateway, call: Call) -> None:
    assert call("ServerLive").live
    assert call("ServerReady").ready
    assert call("ModelReady", name="sums", version="3").ready
    assert not call("ModelReady", name="empty").ready
    assert list(call("ServerMetadata").extensions) == httpx.get(f"{spoken.url}/v2").json()["extensions"]
    told, same = call("ModelMetadata", name="acts"), httpx.get(f"{spoken.url}/v2/models/acts").json()
    assert [(one.name, one.datatype, list(one.shape)) for one in told.inputs] == [
        tuple(one.values()) for one in same["inputs"]
    ]
    assert [one.name for one in call("RepositoryIndex", ready=True).models] == ["acts", "mirrored", "sums"]
    assert call("RepositoryModelLoad", model_name="sums") is not None
    with pytest.raises(grpc.RpcError, match="Nothing is unloaded here"):
        call("RepositoryModelUnload", model_name="sums")


def test_a_gateway_without_the_extra_says_what_to_install(tmp_path: Any) -> None:
    """As it is for who has not installed it."""
    script = (
        "import asyncio, sys\n"
        "sys.modules['grpc'] = None\n"
        "from tenure.errors import CannotStart\n"
        "from tenure.serving import gateway\n"
        "from tenure.settings import Settings\n"
        "try: asyncio.run(gateway._listen_to_calls(None, Settings(grpc_port=1)))\n"
        "except CannotStart as problem: print(problem)\n"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "pip install 'tenure[grpc]'" in said


def test_a_port_that_is_taken_stops_the_start(spoken: Gateway, tmp_path: Any) -> None:
    taken = Gateway(tmp_path, free_port(), light=True, grpc_port=spoken.settings.gateway_port)
    with pytest.raises(pytest.fail.Exception, match="choose another --grpc-port"):
        taken.start()
