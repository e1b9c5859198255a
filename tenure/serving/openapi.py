"""What an endpoint takes and answers, as an OpenAPI 3.1 document made from the version's signature.

MLflow's protocol is described here, the Open Inference Protocol in `openapi_v2.py`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tenure.errors import TenureError
from tenure.records.base import Instant
from tenure.records.routing import InputColumn, Release
from tenure.serving import openapi_v2
from tenure.serving.columns import Inputs
from tenure.serving.decoding import Request
from tenure.serving.protocols import mlflow

MADE_UP: dict[str, Any] = {
    "double": 1.5,
    "float": 1.5,
    "long": 3,
    "integer": 3,
    "string": "text",
    "boolean": True,
    "datetime": "2026-01-31T08:30:00Z",
}
JSON_TYPE = {
    "double": {"type": "number", "format": "double"},
    "float": {"type": "number", "format": "float"},
    "long": {"type": "integer", "format": "int64"},
    "integer": {"type": "integer", "format": "int32"},
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "datetime": {"type": "string", "format": "date-time"},
}
ERRORS = {
    "400": "A column is missing, unknown, or holds what it must not; the message names column and row.",
    "401": "Who asks is not known: send a token.",
    "403": "Who asks may not score here.",
    "404": "There is no such endpoint.",
    "413": "The body or the number of rows is larger than may be.",
    "415": "The body is of a kind that is not read here.",
    "429": "Too many requests wait already. Try again after `Retry-After` seconds.",
    "500": "The model failed at this input.",
    "503": "Nothing can answer right now. Try again after `Retry-After` seconds.",
}


class Described(msgspec.Struct):
    """An endpoint as its pages tell of it. `tried`: the model itself gave `answer` to `row`."""

    endpoint: str
    model: str
    version: int
    url: str
    max_rows: int
    columns: list[InputColumn]
    row: dict[str, Any]
    answer: Any
    tried: bool


def describe(
    endpoint: str, release: Release, *, url: str, max_rows: int, example: dict[str, Any] | None, answer: Any
) -> Described:
    """An endpoint with one example row: the one the model was logged with when it can be sent, else one by type."""
    row = example if example and _can_be_sent(example, release.inputs) else None
    made_up = {column.name: MADE_UP.get(column.type) for column in release.inputs} or {"column": 1.5}
    return Described(
        endpoint=endpoint,
        model=release.model,
        version=release.version,
        url=f"{url}/endpoints/{endpoint}/invocations",
        max_rows=max_rows,
        columns=release.inputs,
        row=row or made_up,
        answer=answer if row else 0.5,
        tried=row is not None,
    )


def _can_be_sent(row: dict[str, Any], inputs: list[InputColumn]) -> bool:
    try:
        body = msgspec.json.encode({"dataframe_records": [row]})
        asked = mlflow.from_json(Request({}, body, Instant(0), 1))
        Inputs(inputs).columns_of(asked)
    except TenureError:
        return False
    return True


def body_of(described: Described) -> dict[str, Any]:
    """A request that works when it is pasted."""
    return {"dataframe_records": [described.row]}


def document(described: Described) -> dict[str, Any]:
    """The OpenAPI document of one endpoint."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": described.endpoint,
            "version": str(described.version),
            "description": f"Scores with version {described.version} of {described.model}. Every answer is journaled "
            "before it leaves; tell what really happened later, by prediction id or by your own reference.",
        },
        "servers": [{"url": described.url.removesuffix(f"/endpoints/{described.endpoint}/invocations")}],
        "paths": {
            f"/endpoints/{described.endpoint}/invocations": {"post": _operation(described)},
            **openapi_v2.paths(
                described.endpoint,
                ERRORS,
                openapi_v2.example(described.row, described.columns),
                openapi_v2.example_answer(described.endpoint, described.version, described.answer),
            ),
        },
        "components": {
            "schemas": {
                "Row": _row(described),
                "Request": _request(described),
                "Error": _error(),
                **openapi_v2.schemas(described.columns),
            }
        },
    }


def _operation(described: Described) -> dict[str, Any]:
    answers: dict[str, Any] = {"200": _answer(described)}
    shape = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    answers |= {status: {"description": told, "content": shape} for status, told in ERRORS.items()}
    return {
        "operationId": "score",
        "summary": f"Score up to {described.max_rows} rows",
        "parameters": [
            {
                "name": "Tenure-Routing-Key",
                "in": "header",
                "required": False,
                "schema": {"type": "string"},
                "description": "The same key is answered by the same version while a challenger takes a share.",
            },
            {
                "name": "Tenure-Idempotent",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "enum": ["true", "false"]},
                "description": "true: a row with the same `reference` and `event_time` is the same prediction, however "
                "often it is sent. Each row then has an id of its own, made from both.",
            },
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/Request"},
                    "example": body_of(described),
                },
                "text/csv": {"schema": {"type": "string", "description": "A line of columns, then one per row."}},
                "application/vnd.apache.parquet": {
                    "schema": {"description": "A file with the columns of the signature."}
                },
            },
        },
        "responses": answers,
    }


def _answer(described: Described) -> dict[str, Any]:
    return {
        "description": "One prediction per row, in the order of the rows.",
        "headers": {
            "Tenure-Prediction-Id": {
                "schema": {"type": "string", "format": "uuid"},
                "description": "Row k is `<id>:k`; a single row is the id alone, too.",
            },
            "Tenure-Model-Version": {"schema": {"type": "integer"}},
        },
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["predictions"],
                    "properties": {"predictions": {"type": "array", "items": {}}},
                },
                "example": {"predictions": [described.answer]},
            }
        },
    }


def _row(described: Described) -> dict[str, Any]:
    if not described.columns:
        return {"type": "object", "description": "The version has no signature: any plain columns are taken."}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [column.name for column in described.columns if column.required],
        "properties": {column.name: schema_of(column) for column in described.columns},
    }


def schema_of(column: InputColumn) -> dict[str, Any]:
    """A column's JSON schema; one that may be missing may be null too."""
    schema: dict[str, Any] = dict(JSON_TYPE.get(column.type, {}))
    if schema and not column.required:
        schema["type"] = [schema["type"], "null"]
    return schema


def _request(described: Described) -> dict[str, Any]:
    row = {"$ref": "#/components/schemas/Row"}
    rows = {"type": "array", "minItems": 1, "maxItems": described.max_rows}
    names = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
    split = {
        "type": "object",
        "required": ["data"],
        "properties": {"columns": names, "index": {"type": "array"}, "data": {**rows, "items": {"type": "array"}}},
    }
    instant = {"oneOf": [{"type": "string", "format": "date-time"}, {"type": "integer"}]}
    forms = {
        "dataframe_records": {**rows, "items": row},
        "dataframe_split": split,
        "instances": {**rows, "items": {"oneOf": [row, {"type": "array"}]}},
        "inputs": {"description": "A list of values for each column.", "type": ["object", "array"]},
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "oneOf": [{"required": [form]} for form in forms],
        "properties": {
            **forms,
            "params": {"type": ["object", "null"], "description": "Parameters of the model's own signature."},
            "event_time": {
                "description": "When it happened, for all rows or for each: ISO 8601 or microseconds. Default: now.",
                "oneOf": [*instant["oneOf"], {"type": "array", "items": instant}, {"type": "null"}],
            },
            "reference": {
                "description": "Your own name of each row, to tell its outcome by.",
                "oneOf": [
                    {"type": "string"},
                    {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
                    {"type": "null"},
                ],
            },
        },
    }


def _error() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "required": ["error", "error_code", "message"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {"code": text, "message": text, "where": text},
            },
            "error_code": {**text, "description": "MLflow's name of the kind of error."},
            "message": text,
        },
    }
