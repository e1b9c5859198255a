"""The Open Inference Protocol's side of an endpoint's OpenAPI document, with tensors typed by the signature."""

from __future__ import annotations

from typing import Any

from tenure.records.routing import InputColumn
from tenure.serving.protocols.tensors import DATATYPES, ONLY_OUTPUT, datatype_of, outputs_of

ERRORS = ("400", "401", "403", "404", "413", "415", "429", "500", "503")
COLUMN_DATATYPES = {
    "double": ["FP64", "FP32", "INT64", "INT32"],
    "float": ["FP32", "FP64", "INT32"],
    "long": ["INT64", "INT32"],
    "integer": ["INT32", "INT64"],
    "boolean": ["BOOL"],
}
VALUE_TYPE = {
    "double": {"type": "number"},
    "float": {"type": "number"},
    "long": {"type": "integer"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "datetime": {"type": "string", "format": "date-time"},
}
PREDICTION_ID = {
    "Tenure-Prediction-Id": {"schema": {"type": "string", "format": "uuid"}},
    "Tenure-Model-Version": {"schema": {"type": "integer"}},
}


def paths(endpoint: str, errors: dict[str, str], example: dict[str, Any], answer: Any) -> dict[str, Any]:
    """What stands below `/v2` for one endpoint. `errors`: what each status means."""
    refused = {status: _refusal(errors[status]) for status in ERRORS}
    looked = {status: refused[status] for status in ("401", "403", "404", "503")}
    return {
        f"/v2/models/{endpoint}/infer": {"post": _infer(endpoint, example, answer, refused)},
        f"/v2/models/{endpoint}": {"get": _get("describeTensors", "The endpoint's tensors", "V2Model", looked)},
        f"/v2/models/{endpoint}/ready": {"get": _get("isReady", "Whether the endpoint answers", "V2Ready", looked)},
    }


def schemas(columns: list[InputColumn]) -> dict[str, Any]:
    text, shape = {"type": "string"}, {"type": "array", "items": {"type": "integer"}}
    told = {"name": text, "datatype": {"enum": list(DATATYPES)}, "shape": shape}
    return {
        "V2Request": _request(columns),
        "V2Response": {
            "type": "object",
            "required": ["model_name", "model_version", "id", "outputs"],
            "properties": {
                "model_name": text,
                "model_version": text,
                "id": {**text, "description": "As it was given; else the prediction id."},
                "outputs": {"type": "array", "items": _object({**told, "data": {"type": "array"}})},
            },
        },
        "V2Model": {
            "type": "object",
            "required": ["name", "platform"],
            "properties": {
                "name": text,
                "platform": text,
                "versions": {"type": "array", "items": text},
                "inputs": {"type": "array", "items": _object(told)},
                "outputs": {"type": "array", "items": _object(told)},
                "properties": {"type": "object", "additionalProperties": text},
            },
        },
        "V2Ready": _object({"name": text, "ready": {"type": "boolean"}}),
        "V2Error": _object({"error": text}),
    }


def example(row: dict[str, Any], columns: list[InputColumn]) -> dict[str, Any]:
    """A request that works when it is pasted, with one tensor for each column of one row."""
    known = columns or [InputColumn(name=name, type="double") for name in row]
    return {
        "inputs": [
            {"name": column.name, "shape": [1, 1], "datatype": datatype_of(column), "data": [row[column.name]]}
            for column in known
            if row.get(column.name) is not None
        ]
    }


def example_answer(endpoint: str, version: int, answer: Any) -> dict[str, Any]:
    tensors = outputs_of([answer])
    return {
        "model_name": endpoint,
        "model_version": str(version),
        "id": "42",
        "outputs": [
            {"name": one.name or ONLY_OUTPUT, "datatype": one.datatype, "shape": one.shape, "data": one.values}
            for one in tensors
        ],
    }


def _infer(endpoint: str, example: dict[str, Any], answer: Any, refused: dict[str, Any]) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/V2Request"}
    length = {"name": "Inference-Header-Content-Length", "in": "header", "required": False}
    return {
        "operationId": "infer",
        "summary": f"Score at {endpoint} by the Open Inference Protocol",
        "parameters": [
            {
                **length,
                "schema": {"type": "integer", "minimum": 0},
                "description": "How many bytes of the body are JSON; the tensors with a `binary_data_size` follow.",
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": schema, "example": {"id": "42", **example}},
                "application/octet-stream": {"schema": {"description": "JSON, then tensors in bytes."}},
            },
        },
        "responses": {
            "200": {
                "description": "The outputs, in JSON or in bytes after it, as was asked.",
                "headers": PREDICTION_ID,
                "content": {
                    "application/json": {"schema": {"$ref": "#/components/schemas/V2Response"}, "example": answer},
                    "application/octet-stream": {"schema": {"description": "JSON, then tensors in bytes."}},
                },
            },
            **refused,
        },
    }


def _get(name: str, summary: str, schema: str, refused: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": {"description": summary, "content": content}, **refused},
    }


def _refusal(told: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/V2Error"}}}
    return {"description": told, "content": content}


def _request(columns: list[InputColumn]) -> dict[str, Any]:
    parameters = {
        "type": "object",
        "properties": {
            "event_time": {"description": "When it happened: ISO 8601 or microseconds. Default: now."},
            "reference": {"description": "Your own name of each row, to tell its outcome by."},
            "binary_data_output": {"type": "boolean", "description": "Answer in bytes after the JSON."},
        },
        "description": "Others are parameters of the model's own signature.",
    }
    outputs = {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "parameters": {"type": "object"}},
        },
        "description": "The outputs that are wanted; all when left out.",
    }
    inputs = {
        "type": "array",
        "minItems": 1,
        "items": {"anyOf": [*map(_tensor, columns), _matrix(columns)]},
        "description": "One tensor for each column, of shape [rows] or [rows, 1]; or one of shape [rows, "
        f"{len(columns) or 'columns'}] with a value for each column in the order of the signature.",
    }
    properties = {"id": {"type": "string"}, "inputs": inputs, "outputs": outputs, "parameters": parameters}
    return {"type": "object", "required": ["inputs"], "properties": properties}


def _tensor(column: InputColumn) -> dict[str, Any]:
    value: dict[str, Any] = dict(VALUE_TYPE.get(column.type, {"type": "string"}))
    if not column.required:
        value["type"] = [value["type"], "null"]
    return _shaped({"const": column.name}, COLUMN_DATATYPES.get(column.type, ["BYTES"]), value)


def _matrix(columns: list[InputColumn]) -> dict[str, Any]:
    kinds = {datatype_of(column) for column in columns}
    datatypes = sorted(kinds) if len(kinds) == 1 else list(DATATYPES)
    return _shaped({"type": "string"}, datatypes, {})


def _shaped(name: dict[str, Any], datatypes: list[str], value: dict[str, Any]) -> dict[str, Any]:
    size = {"type": "integer", "minimum": 1}
    return {
        "type": "object",
        "required": ["name", "shape", "datatype"],
        "properties": {
            "name": name,
            "datatype": {"enum": datatypes},
            "shape": {"type": "array", "items": size, "minItems": 1, "maxItems": 2},
            "data": {"type": "array", "items": {"anyOf": [value, {"type": "array", "items": value}]}},
            "parameters": {"type": "object", "properties": {"binary_data_size": {"type": "integer", "minimum": 0}}},
        },
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}
