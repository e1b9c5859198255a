"""The messages of the Open Inference Protocol over gRPC, built from their field numbers.

The table below is what the published protocol fixes: names, numbers and types. Classes are made from it when this is
imported, in a pool of our own, so that a client library in the same process may bring the same names along.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "inference"
SERVICE = "inference.GRPCInferenceService"

TENSOR_METADATA = "name:1:string datatype:2:string shape:3:int64*"
REQUEST_TENSOR = (
    "name:1:string datatype:2:string shape:3:int64* parameters:4:InferParameter% contents:5:InferTensorContents"
)
MESSAGES = {
    "ServerLiveRequest": "",
    "ServerLiveResponse": "live:1:bool",
    "ServerReadyRequest": "",
    "ServerReadyResponse": "ready:1:bool",
    "ModelReadyRequest": "name:1:string version:2:string",
    "ModelReadyResponse": "ready:1:bool",
    "ServerMetadataRequest": "",
    "ServerMetadataResponse": "name:1:string version:2:string extensions:3:string*",
    "ModelMetadataRequest": "name:1:string version:2:string",
    "ModelMetadataResponse": "name:1:string versions:2:string* platform:3:string inputs:4:.TensorMetadata* "
    "outputs:5:.TensorMetadata* properties:6:string%",
    "ModelMetadataResponse.TensorMetadata": TENSOR_METADATA,
    "InferParameter": "bool_param:1:bool? int64_param:2:int64? string_param:3:string? double_param:4:double? "
    "uint64_param:5:uint64?",
    "InferTensorContents": "bool_contents:1:bool* int_contents:2:int32* int64_contents:3:int64* "
    "uint_contents:4:uint32* uint64_contents:5:uint64* fp32_contents:6:float* "
    "fp64_contents:7:double* bytes_contents:8:bytes*",
    "ModelInferRequest": "model_name:1:string model_version:2:string id:3:string parameters:4:InferParameter% "
    "inputs:5:.InferInputTensor* outputs:6:.InferRequestedOutputTensor* raw_input_contents:7:bytes*",
    "ModelInferRequest.InferInputTensor": REQUEST_TENSOR,
    "ModelInferRequest.InferRequestedOutputTensor": "name:1:string parameters:2:InferParameter%",
    "ModelInferResponse": "model_name:1:string model_version:2:string id:3:string parameters:4:InferParameter% "
    "outputs:5:.InferOutputTensor* raw_output_contents:6:bytes*",
    "ModelInferResponse.InferOutputTensor": REQUEST_TENSOR,
    "ModelRepositoryParameter": "bool_param:1:bool? int64_param:2:int64? string_param:3:string? bytes_param:4:bytes?",
    "RepositoryIndexRequest": "repository_name:1:string ready:2:bool",
    "RepositoryIndexResponse": "models:1:.ModelIndex*",
    "RepositoryIndexResponse.ModelIndex": "name:1:string version:2:string state:3:string reason:4:string",
    "RepositoryModelLoadRequest": "repository_name:1:string model_name:2:string parameters:3:ModelRepositoryParameter%",
    "RepositoryModelLoadResponse": "",
    "RepositoryModelUnloadRequest": "repository_name:1:string model_name:2:string "
    "parameters:3:ModelRepositoryParameter%",
    "RepositoryModelUnloadResponse": "",
}
"""Fields as `name:number:type`, then `*` for many, `%` for a map from text, `?` for one of the message's choice. A type
with a dot before it is one of the message's own."""
CHOICE = "parameter_choice"

_Field = descriptor_pb2.FieldDescriptorProto


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="tenure/open_inference.proto", package=PACKAGE, syntax="proto3")
    made: dict[str, Any] = {}
    for path, fields in MESSAGES.items():
        outer, _, inner = path.rpartition(".")
        message = made[outer].nested_type.add(name=inner) if outer else file.message_type.add(name=path)
        made[path] = message
        for field in fields.split():
            _add(message, path, field)
    return file


def _add(message: Any, path: str, field: str) -> None:
    """A field of a message, from how the table says it."""
    name, number, kind = field.split(":")
    kind, mark = (kind[:-1], kind[-1]) if kind[-1] in "*%?" else (kind, "")
    added = message.field.add(name=name, number=int(number), label=_Field.LABEL_OPTIONAL)
    if mark == "%":
        entry = message.nested_type.add(name=f"{name.title()}Entry")
        entry.options.map_entry = True
        _add(entry, path, "key:1:string")
        _add(entry, path, f"value:2:{kind}")
        kind = f".{entry.name}"
    if mark in ("*", "%"):
        added.label = _Field.LABEL_REPEATED
    if mark == "?":
        if not message.oneof_decl:
            message.oneof_decl.add(name=CHOICE)
        added.oneof_index = 0
    own = getattr(_Field, f"TYPE_{kind.upper()}", None)
    added.type = _Field.TYPE_MESSAGE if own is None else own
    if own is None:
        added.type_name = f".{PACKAGE}.{path}{kind}" if kind[0] == "." else f".{PACKAGE}.{kind}"


_pool = descriptor_pool.DescriptorPool()
_pool.Add(_file())


def message(name: str) -> Any:
    """The class of a message."""
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
