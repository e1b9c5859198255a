"""A frame of the journal as CloudEvents 1.0 in HTTP's binary mode: headers say what it is, the body holds the values.

The attributes are those of KServe's payload logger, so that what reads its events reads these. A body holds tensors as
the Open Inference Protocol writes them in JSON; what is missing is null there.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from tenure.records.base import iso
from tenure.records.exports import Export, Exported
from tenure.records.frames import Frame, Packed, PredictionFrame, RefusalFrame
from tenure.serving.arrays import array_of
from tenure.serving.protocols.tensors import Tensor, outputs_of, tensor_of, to_list
from tenure.serving.routing import place_of

TYPE = "org.kubeflow.serving.inference."
SALT = "export"  # not the journal's own, so that a share of a sample is a share of it
AS_IT_IS = "!#$&'()*+,-./:;<=>?@[\\]^_`{|}~"
"""What CloudEvents leaves of printable ASCII, beside letters and digits; the rest is percent-encoded."""
PLAIN = re.compile(r"[!#$&-~]*")


class Event(NamedTuple):
    """What is sent, byte for byte at every attempt. `message_id` is the prediction's."""

    message_id: str
    headers: list[tuple[str, str]]
    body: bytes


def events_of(frame: Frame, export: Export) -> list[Event]:
    """What an export tells of a frame: nothing of outcomes, of shadows, and of requests outside of its share.

    A request that was not admitted is told as an answer with an `error`, since the journal holds no values of it.
    """
    match frame:
        case PredictionFrame(role="shadow"):
            return []
        case PredictionFrame() if frame.rows and _chosen(frame.prediction_id, export):
            return [_of_prediction(frame, what, export) for what in export.what]
        case RefusalFrame() if "response" in export.what and _chosen(frame.refusal_id, export):
            return [_of_refusal(frame, export)]
    return []


def _chosen(identifier: str, export: Export) -> bool:
    return place_of(SALT, identifier) < export.share


def _of_prediction(frame: PredictionFrame, what: Exported, export: Export) -> Event:
    told: dict[str, Any] = {"id": frame.prediction_id}
    if what == "request":
        told["inputs"] = [_json(tensor_of(name, _held(values))) for name, values in frame.columns.items()]
    else:
        told |= {"model_name": frame.model, "model_version": str(frame.version)}
        told["outputs"] = [_json(one) for one in outputs_of(_held(frame.output))]
    metadata = {
        "model": frame.model,
        "version": frame.version,
        "release": frame.release_id,
        "rows": frame.rows,
        "latency_us": frame.latency_us,
        "propensity": frame.propensity,
        "sampling_fraction": frame.sampled,
        "share": export.share,
    }
    return _event(frame.prediction_id, what, frame, frame.role, metadata, told)


def _of_refusal(frame: RefusalFrame, export: Export) -> Event:
    told = {"id": frame.refusal_id, "error": {"reason": frame.reason, "columns": frame.where}}
    metadata = {"model": frame.model, "revision": frame.revision, "rows": frame.rows, "share": export.share}
    return _event(frame.refusal_id, "response", frame, "refused", metadata, told)


def _event(
    identifier: str,
    what: Exported,
    frame: PredictionFrame | RefusalFrame,
    role: str,
    metadata: dict[str, Any],
    told: dict[str, Any],
) -> Event:
    attributes = {
        "specversion": "1.0",
        "id": identifier,
        "type": TYPE + what,
        "source": f"/endpoints/{frame.endpoint}#{what}",  # id and source together name one event
        "time": iso(frame.at),
        "inferenceservicename": frame.endpoint,
        "namespace": "default",
        "component": "predictor",
        "endpoint": role,
        "metadata": msgspec.json.encode(metadata).decode(),
    }
    headers = [(f"ce-{name}", encoded(value)) for name, value in attributes.items()]
    return Event(identifier, headers, msgspec.json.encode(told))


def encoded(value: str) -> str:
    """A value as a header may hold it.

    >>> encoded('{"rows": 1}')
    '{%22rows%22:%201}'
    """
    return value if PLAIN.fullmatch(value) else quote(value, safe=AS_IT_IS)


def _held(values: list[Any] | Packed) -> Any:
    return array_of(values) if isinstance(values, Packed) else values


def _json(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape, "data": to_list(tensor)}
