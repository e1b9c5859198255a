"""The same rows in any protocol are the same columns, the same answer, the same journal and the same shadow."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from typing import Any

import grpc
import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenure.monitor import tables
from tenure.records.frames import PredictionFrame
from tenure.serving.protocols import grpc_messages
from tests.serving.conftest import Gateway, wait_until

A, B = [1.5, -2.25], [0.1, 1e300]
SUMS = [a + b for a, b in zip(A, B, strict=True)]
Ask = Callable[[Gateway], tuple[str, list[float]]]


def _mlflow(gateway: Gateway, kind: str, body: bytes) -> tuple[str, list[float]]:
    url = f"{gateway.url}/endpoints/mirrored/invocations"
    answer = httpx.post(url, content=body, headers={"content-type": kind}, timeout=30).raise_for_status()
    return answer.headers["tenure-prediction-id"], answer.json()["predictions"]


def by_records(gateway: Gateway) -> tuple[str, list[float]]:
    rows = [{"a": a, "b": b} for a, b in zip(A, B, strict=True)]
    return _mlflow(gateway, "application/json", json.dumps({"dataframe_records": rows}).encode())


def by_csv(gateway: Gateway) -> tuple[str, list[float]]:
    lines = [f"{a!r},{b!r}\n" for a, b in zip(A, B, strict=True)]
    return _mlflow(gateway, "text/csv", "".join(["a,b\n", *lines]).encode())


def by_parquet(gateway: Gateway) -> tuple[str, list[float]]:
    sink = io.BytesIO()
    pq.write_table(pa.table({"a": A, "b": B}), sink)
    return _mlflow(gateway, "application/vnd.apache.parquet", sink.getvalue())


def by_tensors(gateway: Gateway) -> tuple[str, list[float]]:
    inputs = [{"name": name, "shape": [2], "datatype": "FP64", "data": held} for name, held in (("b", B), ("a", A))]
    answer = httpx.post(f"{gateway.url}/v2/models/mirrored/infer", json={"inputs": inputs}).raise_for_status().json()
    return answer["id"], answer["outputs"][0]["data"]


def by_bytes(gateway: Gateway) -> tuple[str, list[float]]:
    raw = struct.pack("<4d", A[0], B[0], A[1], B[1])
    tensor = {"name": "x", "shape": [2, 2], "datatype": "FP64", "parameters": {"binary_data_size": 32}}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    answer = httpx.post(
        f"{gateway.url}/v2/models/mirrored/infer",
        content=head + raw,
        headers={"inference-header-content-length": str(len(head))},
    ).raise_for_status()
    return answer.headers["tenure-prediction-id"], list(struct.unpack("<2d", answer.content[-16:]))


def by_call(gateway: Gateway) -> tuple[str, list[float]]:
    request = grpc_messages.message("ModelInferRequest")(
        model_name="mirrored",
        inputs=[{"name": name, "datatype": "FP64", "shape": [2, 1]} for name in "ab"],
        raw_input_contents=[struct.pack("<2d", *A), struct.pack("<2d", *B)],
    )
    with grpc.insecure_channel(f"127.0.0.1:{gateway.settings.grpc_port}") as channel:
        infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        said = infer(request.SerializeToString(), timeout=30)
    answer = grpc_messages.message("ModelInferResponse").FromString(said)
    return answer.id, list(struct.unpack("<2d", answer.raw_output_contents[0]))


@pytest.mark.parametrize("ask", [by_records, by_csv, by_parquet, by_tensors, by_bytes, by_call])
def test_the_same_rows_in_any_protocol(spoken: Gateway, ask: Ask) -> None:
    prediction_id, answer = ask(spoken)
    assert answer == SUMS

    def frames() -> list[PredictionFrame]:
        found = [frame for frame in spoken.frames() if isinstance(frame, PredictionFrame)]
        return [frame for frame in found if frame.prediction_id == prediction_id]

    wait_until(lambda: len(frames()) == 2, "champion and shadow are in the journal")
    champion, shadow = sorted(frames(), key=lambda frame: frame.role)
    assert (champion.role, champion.version, shadow.role, shadow.version) == ("champion", 5, "shadow", 6)
    told: dict[str, Any] = tables.of_predictions([champion]).to_pydict()
    assert (told["f_a"], told["f_b"], told["score"]) == (A, B, SUMS)
    assert (shadow.columns, shadow.score) == ({}, SUMS)
