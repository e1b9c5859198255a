"""One digest for what we make ourselves: the same value always gives the same text."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

import msgspec
from msgspec import NODEFAULT

PLAIN = frozenset({str, int, float, bool, type(None), bytes})
"""What holds nothing further. Most values are such, and a call for each of them would take longer than all the rest."""


def digest_of(value: Any) -> str:
    """`sha256:` and the hex SHA-256 of a value's JSON with sorted keys, without fields that stand at their defaults.

    So what was signed keeps its digest when a later release knows more fields.

    >>> digest_of({"b": 1, "a": 2}) == digest_of({"a": 2, "b": 1})
    True
    """
    return "sha256:" + hashlib.sha256(msgspec.json.encode(told(value), order="deterministic")).hexdigest()


def told(value: Any) -> Any:
    """A value as plain data: of records, at any depth, only the fields that differ from their defaults."""
    if isinstance(value, (list, tuple)):
        return [item if type(item) in PLAIN else told(item) for item in value]
    if isinstance(value, msgspec.Struct):
        return {
            encoded: held if type(held) in PLAIN else told(held)
            for (encoded, default), held in zip(_fields(type(value)), msgspec.structs.astuple(value), strict=True)
            if default is NODEFAULT or held != default
        }
    if isinstance(value, dict):
        return {key: item if type(item) in PLAIN else told(item) for key, item in value.items()}
    return value


@cache
def _fields(kind: type[msgspec.Struct]) -> list[tuple[str, Any]]:
    """Each field's name in JSON and its default; `NODEFAULT` where there is none."""
    return [
        (
            field.encode_name,
            field.default if field.default_factory is NODEFAULT else field.default_factory(),
        )
        for field in msgspec.structs.fields(kind)
    ]
