"""The Open Inference Protocol over HTTP, byte by byte, without a client library."""

from __future__ import annotations

import json
import struct
from typing import Any

import httpx
import pytest

from tenure.records.frames import Packed, PredictionFrame
from tests.serving.conftest import Gateway

PAIR = {"name": "x", "shape": [2, 2], "datatype": "FP64"}
FLAT = {"inputs": [{**PAIR, "data": [1, 2, 3.5, 4]}]}


def infer(gateway: Gateway, body: Any, name: str = "sums", **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {key.replace("_", "-"): value for key, value in headers.items()}
    return httpx.post(f"{gateway.url}/v2/models/{name}/infer", content=content, headers=given, timeout=30)


def binary(tensors: list[dict[str, Any]], *raw: bytes, **rest: Any) -> tuple[bytes, str]:
    """A body with tensors after its JSON, and how long the JSON is."""
    sized = [
        {**tensor, "parameters": {"binary_data_size": len(part)}} for tensor, part in zip(tensors, raw, strict=True)
    ]
    head = json.dumps({"inputs": sized, **rest}).encode()
    return head + b"".join(raw), str(len(head))


def frame_of(gateway: Gateway, answer: httpx.Response) -> PredictionFrame:
    wanted = answer.headers["tenure-prediction-id"]
    return next(f for f in gateway.frames() if isinstance(f, PredictionFrame) and f.prediction_id == wanted)


@pytest.mark.parametrize(
    "inputs",
    [
        [{**PAIR, "data": [1, 2, 3.5, 4]}],
        [{**PAIR, "data": [[1, 2], [3.5, 4]]}],
        [
            {"name": "b", "shape": [2], "datatype": "INT64", "data": [2, 4]},
            {"name": "a", "shape": [2, 1], "datatype": "FP32", "data": [[1], [3.5]]},
        ],
    ],
)
def test_one_tensor_or_one_a_column_nested_or_flat(spoken: Gateway, inputs: list[Any]) -> None:
    answer = infer(spoken, {"id": "42", "inputs": inputs})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "model_name": "sums",
        "model_version": "3",
        "id": "42",
        "outputs": [{"name": "predictions", "datatype": "FP64", "shape": [2], "data": [3.0, 7.5]}],
    }
    frame = frame_of(spoken, answer)
    assert frame.columns == {"a": [1.0, 3.5], "b": [2.0, 4.0]}
    assert frame.score == [3.0, 7.5]


def test_without_an_id_the_answer_has_the_predictions(spoken: Gateway) -> None:
    answer = infer(spoken, FLAT)
    assert answer.json()["id"] == answer.headers["tenure-prediction-id"]


def test_tensors_in_bytes_come_and_leave_as_they_are(spoken: Gateway) -> None:
    """The reference client's default: everything in bytes, and no Content-Type."""
    raw = struct.pack("<4d", 1, 2, 3.5, 4)
    body, length = binary([PAIR], raw, parameters={"binary_data_output": True}, id="7")
    answer = infer(spoken, body, inference_header_content_length=length)
    assert answer.status_code == 200, answer.text
    head = int(answer.headers["inference-header-content-length"])
    assert json.loads(answer.content[:head]) == {
        "model_name": "sums",
        "model_version": "3",
        "id": "7",
        "outputs": [{"name": "predictions", "datatype": "FP64", "shape": [2], "parameters": {"binary_data_size": 16}}],
    }
    assert answer.content[head:] == struct.pack("<2d", 3, 7.5)
    frame = frame_of(spoken, answer)
    assert frame.columns == {
        "a": Packed(dtype="<f8", values=struct.pack("<2d", 1, 3.5)),
        "b": Packed(dtype="<f8", values=struct.pack("<2d", 2, 4)),
    }


def test_text_in_bytes_says_its_length_first(spoken: Gateway) -> None:
    words = b"".join(struct.pack("<I", len(word)) + word for word in (b"echo", b"echo"))
    tensors = [
        {"name": "what", "shape": [2, 1], "datatype": "BYTES"},
        {"name": "number", "shape": [2, 1], "datatype": "FP32"},
    ]
    body, length = binary(tensors, words, struct.pack("<2f", 1.5, float("nan")))
    answer = infer(spoken, body, "acts", inference_header_content_length=length)
    assert answer.status_code == 200, answer.text
    assert answer.json()["outputs"][0]["data"] == [1.5, None]  # NaN has no word in JSON


@pytest.mark.parametrize(
    ("datatype", "code"),
    [
        ("FP16", "e"),
        ("FP32", "f"),
        ("INT8", "b"),
        ("UINT8", "B"),
        ("INT16", "h"),
        ("UINT16", "H"),
        ("INT32", "i"),
        ("UINT32", "I"),
        ("INT64", "q"),
        ("UINT64", "Q"),
    ],
)
def test_every_datatype_of_numbers_is_read(spoken: Gateway, datatype: str, code: str) -> None:
    body, length = binary([{**PAIR, "datatype": datatype}], struct.pack(f"<4{code}", 1, 2, 3, 4))
    answer = infer(spoken, body, inference_header_content_length=length)
    assert answer.json()["outputs"][0]["data"] == [3.0, 7.0]


def test_a_body_of_one_raw_tensor_needs_no_json(spoken: Gateway) -> None:
    answer = infer(spoken, struct.pack("<4d", 1, 2, 3.5, 4), inference_header_content_length="0")
    head = int(answer.headers["inference-header-content-length"])
    assert answer.content[head:] == struct.pack("<2d", 3, 7.5)
    assert infer(spoken, b"1234567", inference_header_content_length="0").status_code == 400
    assert infer(spoken, b"12345678", "acts", inference_header_content_length="0").status_code == 400


def test_an_output_says_for_itself_whether_it_is_bytes(spoken: Gateway) -> None:
    plain = {"name": "predictions", "parameters": {"binary_data": False}}
    answer = infer(spoken, {**FLAT, "outputs": [plain], "parameters": {"binary_data_output": True}})
    assert answer.json()["outputs"][0]["data"] == [3.0, 7.5]
    raw = {"name": "predictions", "parameters": {"binary_data": True}}
    assert infer(spoken, {**FLAT, "outputs": [raw]}).content.endswith(struct.pack("<2d", 3, 7.5))


def test_event_time_and_reference_are_parameters(spoken: Gateway) -> None:
    parameters = {"event_time": "2013-02-01T05:00:00Z", "reference": ["a", "b"]}
    frame = frame_of(spoken, infer(spoken, {**FLAT, "parameters": parameters}))
    assert frame.event_at == [1_359_694_800_000_000] * 2
    assert frame.reference == ["a", "b"]


RAW = struct.pack("<4d", 1, 2, 3, 4)
TENSOR = {**PAIR, "parameters": {"binary_data_size": 32}}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({**FLAT, "outputs": [{"name": "nope"}]}, "must be among 'predictions'. Not known: 'nope'"),
        ({"inputs": []}, "at least one input tensor"),
        ({"inputs": [{**PAIR}]}, "must have `data`"),
        ({"inputs": [{**PAIR, "data": [1, 2, 3]}]}, "as many values as the shape says: 4. Got 3"),
        ({"inputs": [{**PAIR, "data": [[1, 2, 3], [4]]}]}, "2 values in every row"),
        ({"inputs": [{**PAIR, "data": [[1, 2], 3]}]}, "2 values in every row"),
        ({"inputs": [{**PAIR, "shape": [-2, -2], "data": [1, 2, 3, 4]}]}, "[rows] or [rows, columns]. Got [-2, -2]"),
        ({"inputs": [{**PAIR, "shape": [], "data": []}]}, "[rows] or [rows, columns]"),
        ({"inputs": [{**PAIR, "shape": [1, 2, 2], "data": [1, 2, 3, 4]}]}, "Got [1, 2, 2]"),
        ({"inputs": [{**PAIR, "shape": [0, 2], "data": []}]}, "at least one row"),
        ({"inputs": [{**PAIR, "shape": [2, 0], "data": []}]}, "at least one value"),
        ({"inputs": [{**PAIR, "shape": [2, 2**70], "data": [1]}]}, "as many values as the shape says"),
        ({"inputs": [{**PAIR, "data": ["hunter2", 2, 3, 4]}]}, "must be FP64. Got text"),
        ({"inputs": [{**PAIR, "datatype": "UINT8", "data": [1, 2, 3, 256]}]}, "UINT8 holds 0 to 255"),
        ({"inputs": [{**PAIR, "datatype": "FP16", "data": [1, 2, 3, 4]}]}, "FP16 has no form in JSON"),
        ({"inputs": [{**PAIR, "datatype": "FP8", "data": [1, 2, 3, 4]}]}, "must be one of BOOL"),
        ({"inputs": [{**PAIR, "data": [1, None, 3, 4]}]}, "'b' must have a value in every row"),
        ({"inputs": [{**PAIR, "shape": [4, 1], "data": [1, 2, 3, 4]}]}, "Missing: 'a', 'b'. Not known: 'x'"),
        ({"inputs": [{**PAIR, "shape": [1, 4], "data": [1, 2, 3, 4]}]}, "must be [rows, 2]"),
        ({"inputs": [FLAT["inputs"][0]] * 2}, "named once. Named more often: 'x'"),
        ({"inputs": [{**PAIR, "data": [1, 2, 3, 4]}, {"name": "b", "shape": [4], "datatype": "FP64", "data": [1] * 4}]},
         "every shape must be"),
        ({**FLAT, "parameters": {"binary_data_output": 1}}, "must be true or false"),
        ({**FLAT, "parameters": {"reference": 1}}, "parameters are not what they must be"),
        ({"inputs": [TENSOR]}, "where 0 are left"),
        ({"inputs": [{**TENSOR, "data": [1, 2, 3, 4]}]}, "Got both"),
        ({"inputs": [{**PAIR, "parameters": {"shared_memory_region": "x"}}]}, "not served here"),
        (b"{", "must be JSON"),
        (b'{"inputs": [{"name": "x", "shape": [2], "datatype": "FP64", "data": [NaN, 1]}]}', "send tensors as bytes"),
        (b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": ' + b"[" * 10_000, "nested too deeply"),
        (b"[]", "not shaped as it must be"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_and_no_value_is_repeated(spoken: Gateway, body: Any, said: str) -> None:
    before = len(spoken.frames())
    answer = infer(spoken, body)
    assert answer.status_code == 400, answer.text
    (told,) = answer.json().values()
    assert answer.json().keys() == {"error"}
    assert said in told
    assert "hunter2" not in told
    assert len(spoken.frames()) == before


@pytest.mark.parametrize(
    ("tensor", "raw", "said"),
    [
        (PAIR, RAW[:-1], "4 values of FP64 take 32 bytes. Got 31"),
        ({**PAIR, "shape": [2**40, 2]}, RAW, "at most 2000 rows"),
        ({**PAIR, "shape": [2, 2**62]}, RAW, "take"),
        ({**PAIR, "shape": [1, 2], "datatype": "BYTES"}, b"\xff\xff\xff\xff" + b"a" * 8, "longer than what was sent"),
        ({**PAIR, "shape": [1, 2], "datatype": "BYTES"}, b"\x01\0\0\0a", "take at least 8 bytes"),
        ({**PAIR, "shape": [1, 1], "datatype": "BYTES"}, b"\x01\0\0\0ab", "end at byte 5"),
        ({**PAIR, "shape": [1, 1], "datatype": "BYTES"}, b"\x01\0\0\0\xff", "must be text in UTF-8"),
        ({**PAIR, "datatype": "BOOL"}, b"\0\1\2\1", "a byte of 0 or 1"),
        (PAIR, struct.pack("<4d", 1, 2, float("inf"), 4), "'a' must hold finite numbers. Got an infinite one in row 1"),
        (PAIR, struct.pack("<4d", 1, 2, 3, float("nan")), "'b' must have a value in every row (double). Got NaN"),
    ],
)  # fmt: skip
def test_bytes_that_lie_are_refused(spoken: Gateway, tensor: dict[str, Any], raw: bytes, said: str) -> None:
    body, length = binary([tensor], raw)
    answer = infer(spoken, body, inference_header_content_length=length)
    assert answer.status_code in (400, 413), answer.text
    assert said in answer.json()["error"]


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "99999", "9" * 30, ""])
def test_a_wrong_length_of_the_json_is_refused(spoken: Gateway, length: str) -> None:
    answer = infer(spoken, FLAT, inference_header_content_length=length)
    assert answer.status_code == 400
    assert "Inference-Header-Content-Length" in answer.json()["error"]


def test_bytes_that_nobody_asked_for_are_refused(spoken: Gateway) -> None:
    body, length = binary([PAIR], RAW)
    answer = infer(spoken, body + b"x", inference_header_content_length=length)
    assert "take 32 bytes after the JSON. Got 33" in answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "status", "told"),
    [
        ("GET", "/v2", 200, {"name": "tenure", "extensions": ["binary_tensor_data", "model_repository"]}),
        ("GET", "/v2/", 200, {"name": "tenure"}),
        ("GET", "/v2/health/live", 200, {"live": True}),
        ("GET", "/v2/health/ready", 200, {"ready": True}),
        ("GET", "/v2/models/sums/ready", 200, {"name": "sums", "ready": True}),
        ("GET", "/v2/models/sums/versions/3/ready", 200, {"ready": True}),
        ("GET", "/v2/models/sums/versions/4/ready", 404, {}),
        ("GET", "/v2/models/empty/ready", 503, {}),
        ("GET", "/v2/models/nowhere", 404, {}),
        ("GET", "/v2/models/empty", 503, {}),
        ("GET", "/v2/models", 404, {}),
        ("GET", "/v2/models/", 404, {}),
        ("GET", "/v2x", 404, {}),
        ("GET", "/v2/models/sums/infer", 405, {}),
        ("POST", "/v2/models/sums", 405, {}),
        ("POST", "/v2/repository/models/sums/load", 200, {}),
        ("POST", "/v2/repository/models/empty/load", 503, {}),
        ("POST", "/v2/repository/models/sums/unload", 403, {}),
    ],
)
def test_every_address_answers_in_the_protocols_shape(
    spoken: Gateway, method: str, path: str, status: int, told: dict[str, Any]
) -> None:
    answer = httpx.request(method, spoken.url + path)
    assert answer.status_code == status, answer.text
    if status >= 400:
        assert answer.json().keys() == {"error"}
    else:
        assert answer.json().items() >= told.items()


def test_an_endpoint_tells_its_tensors(spoken: Gateway) -> None:
    told = httpx.get(f"{spoken.url}/v2/models/acts").json()
    assert told["versions"] == ["1"]
    assert told["inputs"] == [
        {"name": "what", "datatype": "BYTES", "shape": [-1, 1]},
        {"name": "number", "datatype": "FP64", "shape": [-1, 1]},
    ]
    assert told["outputs"] == [{"name": "predictions", "datatype": "FP64", "shape": [-1]}]


def test_the_index_lists_endpoints_with_their_versions(spoken: Gateway) -> None:
    told = httpx.post(f"{spoken.url}/v2/repository/index").json()
    assert [(one["name"], one["version"], one["state"]) for one in told] == [
        ("acts", "1", "READY"),
        ("empty", "", "UNAVAILABLE"),
        ("mirrored", "5", "READY"),
        ("sums", "3", "READY"),
    ]
    ready = httpx.post(f"{spoken.url}/v2/repository/index", json={"ready": True}).json()
    assert [one["name"] for one in ready] == ["acts", "mirrored", "sums"]


def test_a_version_is_asked_by_its_number(spoken: Gateway) -> None:
    url = f"{spoken.url}/v2/models/sums/versions"
    assert httpx.post(f"{url}/3/infer", json=FLAT).status_code == 200
    answer = httpx.post(f"{url}/2/infer", json=FLAT)
    assert answer.status_code == 404
    assert "Versions that do: 3" in answer.json()["error"]


def test_what_is_given_to_load_is_refused(spoken: Gateway) -> None:
    answer = httpx.post(f"{spoken.url}/v2/repository/models/sums/load", json={"parameters": {"config": "{}"}})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/models/sums/infer"),
        ("POST", "/v2/repository/models/sums/load"),
        ("POST", "/v2/repository/models/sums/unload"),
    ],
)
def test_who_may_not_is_refused_before_anything_is_read(spoken: Gateway, method: str, path: str) -> None:
    answer = httpx.request(method, spoken.url + path, content=b"{", headers={"cookie": "a=b"})
    assert answer.status_code == 403
    assert answer.json().keys() == {"error"}


def test_another_content_type_is_refused(spoken: Gateway) -> None:
    assert infer(spoken, FLAT, content_type="text/plain").status_code == 415
    assert infer(spoken, FLAT, content_type="application/json").status_code == 200
