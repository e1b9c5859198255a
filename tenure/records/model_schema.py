"""The model's file as a JSON Schema (draft 2020-12), which editors complete and check it by."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from tenure.records.model_file_help import HELP
from tenure.records.model_files import ModelFile

PATH = "/api/v1/schemas/model-file.json"


def schema() -> dict[str, Any]:
    """The schema: every key with its type, limits, default and meaning; keys that are not known are refused.

    >>> schema()["$defs"]["Step"]["properties"]["signatures"]["maximum"]
    10
    """
    (root,), parts = msgspec.json.schema_components([ModelFile], ref_template="#/$defs/{name}")
    for name, part in parts.items():
        part["description"] = _line(part.get("description", ""))
        for key, told in part.get("properties", {}).items():
            part["properties"][key] = {"description": HELP[f"{name}.{key}"], **told}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A model's file",
        "description": "What people declare about a model. Apply it with `tenure apply model.yaml`.",
        **root,
        "$defs": parts,
    }


def _line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
