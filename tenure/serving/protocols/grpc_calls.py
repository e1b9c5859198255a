"""The Open Inference Protocol over gRPC, on a port of its own in the gateway's process and its event loop.

It reads and tells in its own form; what lies between is `serving/scoring.py`, as for HTTP. A call has no Host that a
web page could forge, since browsers speak no gRPC, so it counts as one for this server by its name.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from tenure.errors import CannotStart, InvalidInput, NotAllowed, TenureError
from tenure.records.admission import HEADERS as NAMED
from tenure.records.people import Permission
from tenure.serving.answers import status_of
from tenure.serving.decoding import Answer, Asked, Request
from tenure.serving.protocols import catalogue, grpc_messages, tensors, v2
from tenure.serving.protocols.tensors import Tensor
from tenure.serving.scoring import ROUTING_KEY, Scoring
from tenure.settings import Settings

log = logging.getLogger("tenure.gateway")

CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.FAILED_PRECONDITION,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    415: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}
LOOKED_AT = ("authorization", ROUTING_KEY, *NAMED.values())
CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
"""Where values of a datatype stand when they are not raw; FP16 is always raw."""

Context = Any
"""A call's context; grpcio comes without types."""
Handler = Callable[[Any, Context], Awaitable[Any]]


class Calls:
    """A listening server of calls."""

    def __init__(self, server: Any) -> None:
        self._server = server

    async def stop(self, grace_s: float) -> None:
        """Take no more calls, and finish those that have begun."""
        await self._server.stop(grace_s)


async def listen(scoring: Scoring, settings: Settings) -> Calls:
    """Answer calls at the port of the settings. Raises CannotStart when it is taken."""
    limit = scoring.max_bytes
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", limit), ("grpc.max_send_message_length", -1)])
    service = Service(scoring, own_host(settings))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(grpc_messages.SERVICE, service.handlers()),))
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        server.add_insecure_port(f"{host}:{settings.grpc_port}")
    except RuntimeError:
        raise CannotStart(
            f"The gateway cannot listen at {host}:{settings.grpc_port} for gRPC. Another program may; choose another "
            "--grpc-port."
        ) from None
    await server.start()
    return Calls(server)


def own_host(settings: Settings) -> str:
    """What a Host header for the gateway may always say."""
    return f"127.0.0.1:{settings.gateway_port}"


class Service:
    """The calls there are. `host`: what stands for the Host header that a call does not have."""

    def __init__(self, scoring: Scoring, host: str) -> None:
        self._scoring = scoring
        self._host = host

    def handlers(self) -> dict[str, Any]:
        calls: dict[str, Handler] = {
            "ServerLive": self.server_live,
            "ServerReady": self.server_ready,
            "ModelReady": self.model_ready,
            "ServerMetadata": self.server_metadata,
            "ModelMetadata": self.model_metadata,
            "ModelInfer": self.model_infer,
            "RepositoryIndex": self.repository_index,
            "RepositoryModelLoad": self.repository_model_load,
            "RepositoryModelUnload": self.repository_model_unload,
        }
        return {
            name: grpc.unary_unary_rpc_method_handler(
                _guarded(handler),
                request_deserializer=grpc_messages.message(f"{name}Request").FromString,
                response_serializer=grpc_messages.message(f"{name}Response").SerializeToString,
            )
            for name, handler in calls.items()
        }

    async def server_live(self, _call: Any, _context: Context) -> Any:
        return _told("ServerLive", live=True)

    async def server_ready(self, _call: Any, _context: Context) -> Any:
        return _told("ServerReady", ready=not catalogue.not_ready(self._scoring))

    async def server_metadata(self, _call: Any, _context: Context) -> Any:
        return _told("ServerMetadata", **catalogue.server())

    async def model_ready(self, call: Any, context: Context) -> Any:
        self._scoring.asking(self._headers(context), call.name, Permission.SCORE, Permission.READ)
        return _told("ModelReady", ready=catalogue.is_ready(self._scoring.arms.endpoint(call.name), call.version))

    async def model_metadata(self, call: Any, context: Context) -> Any:
        self._scoring.asking(self._headers(context), call.name, Permission.SCORE, Permission.READ)
        return _told(
            "ModelMetadata",
            **catalogue.model(self._scoring.arms.endpoint(call.name), call.version, self._scoring.asked_for),
        )

    async def model_infer(self, call: Any, context: Context) -> Any:
        figures = self._scoring.figures
        figures.in_flight += 1
        try:
            return await self._infer(call, context, time.perf_counter_ns())
        except Exception as problem:
            self._scoring.count_refusal(call.model_name, problem)
            raise
        finally:
            figures.in_flight -= 1

    async def _infer(self, call: Any, context: Context, started: int) -> Any:
        scoring, name = self._scoring, call.model_name
        headers = self._headers(context)
        principal = scoring.asking(headers, name, Permission.SCORE)
        endpoint = scoring.arms.endpoint(name)
        request = scoring.request(endpoint, headers, b"")
        asked = decode(call, request)
        scored = await scoring.score(endpoint, asked, request, principal, call.model_version)
        told = encode(asked, scored.answer)
        await scoring.keep(scored, request, principal, started)
        context.set_trailing_metadata((("tenure-prediction-id", scored.answer.prediction_id),))
        scoring.count(scored, started, call.ByteSize(), told.ByteSize())
        context.add_done_callback(lambda _: scoring.shadows.mirror(scored))
        return told

    async def repository_index(self, call: Any, context: Context) -> Any:
        principal = self._scoring.known(self._headers(context))
        return _told("RepositoryIndex", models=catalogue.index(self._scoring, principal, only_ready=call.ready))

    async def repository_model_load(self, call: Any, context: Context) -> Any:
        self._scoring.asking(self._headers(context), call.model_name, Permission.MANAGE)
        if call.parameters:
            raise InvalidInput(catalogue.LOADING, where="parameters")
        catalogue.check_ready(self._scoring.arms.endpoint(call.model_name), "")
        return _told("RepositoryModelLoad")

    async def repository_model_unload(self, call: Any, context: Context) -> Any:
        self._scoring.asking(self._headers(context), call.model_name, Permission.MANAGE)
        raise NotAllowed(catalogue.UNLOADING)

    def _headers(self, context: Context) -> dict[str, str]:
        """What is looked at of a call's metadata, as headers."""
        given = {key: value for key, value in context.invocation_metadata() or () if key in LOOKED_AT}
        return {"host": self._host, **given}


def _guarded(handler: Handler) -> Handler:
    """A handler whose errors become codes of gRPC; what we did not foresee is logged and hidden."""

    async def guarded(call: Any, context: Context) -> Any:
        try:
            return await handler(call, context)
        except TenureError as error:
            where = f" ({error.where})" if error.where else ""
            code = CODES.get(status_of(error), grpc.StatusCode.INTERNAL)
            await context.abort(code, f"{error.message}{where}")
        except Exception:
            log.exception("unforeseen failure of a call")
            await context.abort(grpc.StatusCode.INTERNAL, "The gateway failed at this. The reason is in its log.")

    return guarded


def _told(name: str, /, **fields: Any) -> Any:
    return grpc_messages.message(f"{name}Response")(**fields)


def decode(call: Any, request: Request) -> Asked:
    """A call's tensors as rows. Raises InvalidInput or TooLarge."""
    raw = list(call.raw_input_contents)
    if raw and len(raw) != len(call.inputs):
        raise InvalidInput(
            f"raw_input_contents must have one entry for each input: {len(call.inputs)}. Got {len(raw)}.",
            where="raw_input_contents",
        )
    found = []
    for place, given in enumerate(call.inputs):
        where, shape = f"inputs[{place}]", list(given.shape)
        tensors.check_datatype(given.datatype, where)
        rows, width = tensors.extent(shape, request.max_rows, where)
        if raw:
            if given.HasField("contents"):
                raise InvalidInput("A tensor has either contents or raw_input_contents. Got both.", where=where)
            values = tensors.from_bytes(memoryview(raw[place]), given.datatype, rows * width, where)
        else:
            values = _typed(given, rows * width, where)
        found.append(Tensor(given.name, given.datatype, shape, values))
    parameters = {name: _parameter(held) for name, held in call.parameters.items()}
    outputs = [v2.WantedOutput(output.name) for output in call.outputs] or None
    return v2.asked_of(found, parameters, v2.Wants(call.id or None, bool(raw), outputs), request)


def _typed(given: Any, count: int, where: str) -> Any:
    """Values that stand in the message one by one."""
    field = CONTENTS.get(given.datatype)
    if field is None:
        raise InvalidInput(f"{given.datatype} must be raw: send raw_input_contents.", where=where)
    values = getattr(given.contents, field)
    if len(values) != count:
        raise InvalidInput(
            f"{field} must have as many values as the shape says: {count}. Got {len(values)}.", where=where
        )
    if given.datatype == "BYTES":
        return [tensors.text(element, place, where) for place, element in enumerate(values)]
    return tensors.array(list(values), given.datatype, where)


def _parameter(held: Any) -> Any:
    chosen = held.WhichOneof(grpc_messages.CHOICE)
    return getattr(held, chosen) if chosen else None


def encode(asked: Asked, answer: Answer) -> Any:
    """An answer in the form that was asked: raw to raw, typed to typed."""
    told = _told("ModelInfer", model_name=answer.endpoint, model_version=str(answer.version))
    told.id = asked.wants.id or answer.prediction_id
    for tensor, binary in v2.wanted(tensors.outputs_of(answer.outputs), asked.wants):
        output = told.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        if binary:
            told.raw_output_contents.append(tensors.to_bytes(tensor))
        else:
            getattr(output.contents, CONTENTS[tensor.datatype]).extend(_values(tensor))
    return told


def _values(tensor: Tensor) -> list[Any]:
    """Values for a message, which has no word for what is missing: NaN for a number, nothing for a text."""
    values = tensors.to_list(tensor)
    if tensor.datatype == "BYTES":
        return [(value or "").encode() for value in values]
    return [float("nan") if value is None else value for value in values]
