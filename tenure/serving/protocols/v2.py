"""The Open Inference Protocol, version 2, over HTTP: requests and answers as JSON, with tensors in it or after it.

With the header `Inference-Header-Content-Length` the body is so many bytes of JSON, then the tensors that have a
`binary_data_size`, little-endian, in their order; 0 means one tensor and no JSON at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tenure.errors import InvalidInput, Unavailable, UnsupportedType
from tenure.serving.answers import JSON, Headers
from tenure.serving.decoding import Answer, Asked, Request, event_times, references
from tenure.serving.protocols import tensors
from tenure.serving.protocols.tensors import Tensor
from tenure.serving.saying import clipped, kind, listed
from tenure.serving.scoring import Read

LENGTH = "inference-header-content-length"
BINARY = [(b"content-type", b"application/octet-stream"), (b"x-content-type-options", b"nosniff")]
CONTENT_TYPES = ("", "application/json", "application/octet-stream")
"""A missing one is taken: the reference client sends none."""
ANOTHERS = frozenset(
    {"sequence_id", "sequence_start", "sequence_end", "priority", "timeout", "content_type", "headers"}
)
"""Parameters that clients send of their own accord, and that mean nothing to a model."""

NOT_HERE = ("shared_memory_region", "classification")


class InputTensor(msgspec.Struct):
    name: str
    shape: list[int]
    datatype: str
    data: list[Any] | None = None
    parameters: dict[str, Any] | None = None


class WantedOutput(msgspec.Struct):
    name: str
    parameters: dict[str, Any] | None = None


class InferRequest(msgspec.Struct):
    inputs: list[InputTensor]
    id: str | None = None
    outputs: list[WantedOutput] | None = None
    parameters: dict[str, Any] | None = None


class OutputTensor(msgspec.Struct, omit_defaults=True):
    name: str
    datatype: str
    shape: list[int]
    data: list[Any] | None = None
    parameters: dict[str, Any] | None = None


class InferResponse(msgspec.Struct):
    model_name: str
    model_version: str
    id: str
    outputs: list[OutputTensor]


class Wants(msgspec.Struct):
    """How the answer shall be: under which id, which outputs (all when None), and which of them in bytes."""

    id: str | None
    binary: bool
    outputs: list[WantedOutput] | None


_decoder = msgspec.json.Decoder(InferRequest)


def reader(headers: Mapping[str, str]) -> Read:
    """How a body is read. Raises UnsupportedType."""
    given = headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in CONTENT_TYPES:
        raise UnsupportedType(
            f"The Content-Type must be {' or '.join(CONTENT_TYPES[1:])}, or missing. Got {given[:60]}.",
            where="Content-Type",
        )
    return decode


def decode(request: Request) -> Asked:
    """Read a request. Raises InvalidInput or TooLarge."""
    length = request.headers.get(LENGTH)
    if length is None:
        return asked(_decoded(request.body), b"", request)
    json_bytes = _length(length, len(request.body))
    if json_bytes == 0:
        return _asked_raw(request)
    return asked(_decoded(request.body[:json_bytes]), memoryview(request.body)[json_bytes:], request)


def _length(given: str, most: int) -> int:
    if not (given.isascii() and given.isdecimal() and len(given) <= 15 and int(given) <= most):
        raise InvalidInput(
            f"Inference-Header-Content-Length must be how many bytes of the body are JSON, 0 to {most}.",
            where="Inference-Header-Content-Length",
        )
    return int(given)


def _decoded(body: bytes) -> InferRequest:
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as problem:
        raise InvalidInput(f"The request is not shaped as it must be: {clipped(str(problem), 300)}.") from None
    except RecursionError:
        raise InvalidInput("The request is nested too deeply. Send data flat, or nested by rows.") from None
    except UnicodeDecodeError as problem:
        raise InvalidInput(f"The request must be UTF-8. It is not at byte {problem.start}.") from None
    except ValueError as problem:
        hint = " NaN and Infinity are not JSON: send tensors as bytes." if b"NaN" in body or b"Inf" in body else ""
        raise InvalidInput(f"The request must be JSON: {clipped(str(problem), 300)}.{hint}") from None


def asked(infer: InferRequest, tail: bytes | memoryview, request: Request) -> Asked:
    """The rows of a decoded request, whose tensors in bytes stand in `tail`."""
    found, at = [], 0
    for place, given in enumerate(infer.inputs):
        where = f"inputs[{place}]"
        tensors.check_datatype(given.datatype, where)
        rows, width = tensors.extent(given.shape, request.max_rows, where)
        size = None
        if given.parameters:
            _check_supported(given.parameters, where)
            size = given.parameters.get("binary_data_size")
        if size is None:
            data = given.data
            if data is None:
                raise InvalidInput("A tensor must have `data`, or a `binary_data_size` and bytes.", where=where)
            values = tensors.from_json(data, given.datatype, rows * width, width, where)
        else:
            raw = _part(tail, at, size, given, where)
            at += len(raw)
            values = tensors.from_bytes(raw, given.datatype, rows * width, where)
        found.append(Tensor(given.name, given.datatype, given.shape, values))
    if at != len(tail):
        raise InvalidInput(f"The tensors take {at} bytes after the JSON. Got {len(tail)}.", where="body")
    parameters = infer.parameters or {}
    wants = Wants(infer.id, _flag(parameters, "binary_data_output", "parameters", False), infer.outputs)
    for place, output in enumerate(infer.outputs or ()):
        where = f"outputs[{place}]"
        _check_supported(output.parameters or {}, where)
        _flag(output.parameters or {}, "binary_data", f"{where}.parameters", wants.binary)
    return asked_of(found, parameters, wants, request)


def _check_supported(parameters: dict[str, Any], where: str) -> None:
    """Refuse what would change the meaning and is not done here. Raises InvalidInput."""
    for name in NOT_HERE:
        if name in parameters:
            raise InvalidInput(f"{name!r} is an extension that is not served here.", where=f"{where}.parameters")


def _part(tail: bytes | memoryview, at: int, size: Any, given: InputTensor, where: str) -> memoryview:
    """A tensor's bytes. The whole that was sent is looked at before."""
    if given.data is not None:
        raise InvalidInput("A tensor must have either `data` or a `binary_data_size`. Got both.", where=where)
    if type(size) is not int or not 0 <= size <= len(tail) - at:
        raise InvalidInput(
            f"`binary_data_size` must be a number of bytes that follow the JSON, where {len(tail) - at} are left.",
            where=f"{where}.parameters.binary_data_size",
        )
    return memoryview(tail)[at : at + size]


def asked_of(found: list[Tensor], parameters: dict[str, Any], wants: Wants, request: Request) -> Asked:
    """What is asked by tensors and parameters: `event_time` and `reference` are ours, others go to the model."""
    table, rows = tensors.table_of(found, request.max_rows)
    event_time, reference, params = _taken(parameters)
    return Asked(
        "inputs",
        table,
        rows,
        event_times(event_time, rows, request.now),
        references(reference, rows),
        params,
        wants,
    )


class _Ours(msgspec.Struct):
    event_time: str | int | list[str | int] | None = None
    reference: str | list[str] | None = None


def _taken(parameters: dict[str, Any]) -> tuple[Any, Any, dict[str, Any] | None]:
    if not parameters:
        return None, None, None
    try:
        ours = msgspec.convert(parameters, _Ours)
    except msgspec.ValidationError as problem:
        raise InvalidInput(f"The parameters are not what they must be: {problem}.", where="parameters") from None
    known = ANOTHERS | {"event_time", "reference", "binary_data_output"}
    params = {
        name: value
        for name, value in parameters.items()
        if name not in known and not name.startswith("triton_") and not isinstance(value, dict)
    }
    return ours.event_time, ours.reference, params or None


def _asked_raw(request: Request) -> Asked:
    if request.inputs is None:
        raise Unavailable("The endpoint cannot answer: it has no champion. Promote an approved version first.")
    tensor = tensors.raw_input(memoryview(request.body), request.inputs.columns, request.max_rows)
    return asked_of([tensor], {}, Wants(None, True, None), request)


def _flag(parameters: dict[str, Any], name: str, where: str, default: bool) -> bool:
    found = parameters.get(name, default)
    if type(found) is not bool:
        raise InvalidInput(f"`{name}` must be true or false. Got {kind(found)}.", where=f"{where}.{name}")
    return found


def encode(asked: Asked, answer: Answer) -> tuple[Headers, bytes]:
    """The answer's headers and body. In JSON, NaN and infinity are null. Raises InvalidInput for an unknown output."""
    wants: Wants = asked.wants
    told, tail = [], []
    for tensor, binary in wanted(tensors.outputs_of(answer.outputs), wants):
        if binary:
            raw = tensors.to_bytes(tensor)
            tail.append(raw)
            parameters = {"binary_data_size": len(raw)}
            told.append(OutputTensor(tensor.name, tensor.datatype, tensor.shape, None, parameters))
        else:
            told.append(OutputTensor(tensor.name, tensor.datatype, tensor.shape, tensors.to_list(tensor)))
    body = msgspec.json.encode(
        InferResponse(answer.endpoint, str(answer.version), wants.id or answer.prediction_id, told)
    )
    if not tail:
        return JSON, body
    return [*BINARY, (LENGTH.encode(), b"%d" % len(body))], b"".join((body, *tail))


def wanted(found: list[Tensor], wants: Wants) -> list[tuple[Tensor, bool]]:
    """The outputs that were asked for, in the order of asking, each with whether it shall be bytes."""
    if not wants.outputs:
        return [(tensor, wants.binary) for tensor in found]
    by_name = {tensor.name: tensor for tensor in found}
    unknown = [output.name for output in wants.outputs if output.name not in by_name]
    if unknown:
        raise InvalidInput(
            f"The outputs must be among {listed(by_name)}. Not known: {listed(unknown)}.", where="outputs"
        )
    return [
        (by_name[output.name], (output.parameters or {}).get("binary_data", wants.binary)) for output in wants.outputs
    ]


def error_body(
    _status: int, _code: str, message: str, where: str | None, _problems: Sequence[dict[str, str]] = ()
) -> bytes:
    """An error in this protocol's shape; the message tells of every column that is wrong."""
    return msgspec.json.encode({"error": f"{message} ({where})" if where else message})
