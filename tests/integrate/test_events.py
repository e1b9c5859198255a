"""Frames of the journal as CloudEvents: what the headers say, what the body holds, and what is not told."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import msgspec
import numpy as np

from tenure.integrate.events import events_of
from tenure.records.base import Instant, new_id
from tenure.records.exports import Export
from tenure.records.frames import OutcomeFrame, Packed, RefusalFrame

from ..monitor.year import ENDPOINT, frame

AT = Instant(1_700_000_000_000_000)
BOTH = Export(
    endpoint=ENDPOINT, url="https://a.example/", what=["request", "response"], share=1.0, signed=False, set_at=0
)


def tensor(name: str, datatype: str, data: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [len(data)], "data": data}


def test_a_prediction_is_a_request_and_a_response_of_one_id() -> None:
    made = frame(AT, columns={"n": [1, 2], "x": [1.5, None], "carrier": ["UA", None]}, score=[0.25, 0.5])
    request, response = events_of(made, BOTH)
    assert dict(request.headers) | {"ce-metadata": ""} == {
        "ce-specversion": "1.0",
        "ce-id": made.prediction_id,
        "ce-type": "org.kubeflow.serving.inference.request",
        "ce-source": f"/endpoints/{ENDPOINT}#request",
        "ce-time": "2023-11-14T22:13:20Z",
        "ce-inferenceservicename": ENDPOINT,
        "ce-namespace": "default",
        "ce-component": "predictor",
        "ce-endpoint": "champion",
        "ce-metadata": "",
    }
    assert json.loads(request.body) == {
        "id": made.prediction_id,
        "inputs": [
            tensor("n", "INT64", [1, 2]),
            tensor("x", "FP64", [1.5, None]),
            tensor("carrier", "BYTES", ["UA", None]),
        ],
    }
    told = dict(response.headers)
    assert (told["ce-id"], told["ce-type"]) == (made.prediction_id, "org.kubeflow.serving.inference.response")
    assert json.loads(response.body) == {
        "id": made.prediction_id,
        "model_name": "flights",
        "model_version": "1",
        "outputs": [tensor("predictions", "FP64", [0.25, 0.5])],
    }
    metadata = json.loads(unquote(told["ce-metadata"]))
    assert (metadata["version"], metadata["rows"], metadata["share"]) == (1, 2, 1.0)
    assert (metadata["propensity"], metadata["sampling_fraction"]) == (1.0, 1.0)


def test_numbers_that_came_as_bytes_leave_as_numbers() -> None:
    packed = Packed("<f4", np.array([1.5, np.nan], "<f4").tobytes())
    made = msgspec.structs.replace(frame(AT, score=[0.1, 0.2]), columns={"x": packed})
    made = msgspec.structs.replace(made, output=Packed("<f8", np.array([[0.1, 0.9], [0.2, 0.8]]).tobytes(), 2))
    request, response = (json.loads(one.body) for one in events_of(made, BOTH))
    assert request["inputs"] == [tensor("x", "FP32", [1.5, None])]
    assert response["outputs"] == [
        {"name": "predictions", "datatype": "FP64", "shape": [2, 2], "data": [0.1, 0.9, 0.2, 0.8]}
    ]


def test_what_a_header_may_not_hold_is_percent_encoded() -> None:
    made = msgspec.structs.replace(frame(AT), model='of "Zoë" 100 %\r\nx: y')
    told = dict(events_of(made, BOTH)[0].headers)["ce-metadata"]
    assert told.isascii()
    assert not set(told) & set(' "\r\n')
    assert json.loads(unquote(told))["model"] == 'of "Zoë" 100 %\r\nx: y'


def test_a_refusal_is_a_response_with_its_reason_and_no_values() -> None:
    refused = RefusalFrame(
        refusal_id="r-1", at=AT, endpoint=ENDPOINT, model="flights", revision=2, reason="range", rows=1, where=["age"]
    )
    [told] = events_of(refused, BOTH)
    assert json.loads(told.body) == {"id": "r-1", "error": {"reason": "range", "columns": ["age"]}}
    assert dict(told.headers)["ce-endpoint"] == "refused"
    assert events_of(refused, msgspec.structs.replace(BOTH, what=["request"])) == []


def test_shadows_and_outcomes_are_not_told() -> None:
    assert events_of(frame(AT, role="shadow"), BOTH) == []
    told = OutcomeFrame(at=AT, endpoint=ENDPOINT, key=["a:0"], value=[1.0], event_at=[AT])
    assert events_of(told, BOTH) == []


def test_a_share_takes_request_and_response_together_and_the_same_ones_again() -> None:
    fifth = msgspec.structs.replace(BOTH, share=0.2)
    made = [msgspec.structs.replace(frame(AT), prediction_id=new_id(Instant(AT + n))) for n in range(2000)]
    counts = [len(events_of(one, fifth)) for one in made]
    assert set(counts) == {0, 2}
    assert 300 < counts.count(2) < 500
    assert counts == [len(events_of(one, fifth)) for one in made]
