"""The model's file as people write it, YAML (`yaml_text.py`)."""

from __future__ import annotations

from typing import Any

from tenure.errors import InvalidInput
from tenure.records import parsing, yaml_text
from tenure.records.model_files import BOTH_WIDTHS, ModelFile


def mapping(text: str) -> dict[str, Any]:
    """The keys of a file. Raises InvalidInput, with the line where YAML cannot go on, or of a width given twice."""
    declared = yaml_text.mapping(text, named="The model's file", such_as="model, purpose and owner")
    monitors = declared.get("monitors")
    if isinstance(monitors, dict) and monitors.get("window_hours") is not None and "window_days" in monitors:
        # here, since the record cannot tell a width of 7 days that was written from one that was not
        raise InvalidInput(f"{BOTH_WIDTHS}.", where=yaml_text.placed(text, "monitors.window_hours"))
    return declared


def read(text: str) -> ModelFile:
    """A file. Raises InvalidInput with the path of what does not fit, the line it stands in, and what was meant."""
    declared = mapping(text)
    try:
        return parsing.parse(declared, ModelFile, named="The model's file")
    except InvalidInput as problem:
        raise InvalidInput(problem.message, where=yaml_text.placed(text, problem.where)) from None
