"""One digest for what we make ourselves: the same value always gives the same text."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

PLAIN = (str, int, float, bool, type(None), bytes)


def digest_of(value: Any) -> str:
    """`sha256:` and the hex SHA-256 of a value's JSON with sorted keys, without fields that stand at their defaults.

    So what was signed keeps its digest when a later release knows more fields.

    >>> digest_of({"b": 1, "a": 2}) == digest_of({"a": 2, "b": 1})
    True
    """
    return "sha256:" + hashlib.sha256(msgspec.json.encode(told(value), order="deterministic")).hexdigest()


def told(value: Any) -> Any:
    """A value as plain data: of records, at any depth, only the fields that differ from their defaults."""
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, msgspec.Struct):
        return {
            field.encode_name: told(held)
            for field in msgspec.structs.fields(value)
            if not _is_default(field, held := getattr(value, field.name))
        }
    if isinstance(value, dict):
        return {key: told(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [told(item) for item in value]
    return value


def _is_default(field: msgspec.structs.FieldInfo, value: object) -> bool:
    if field.default is not msgspec.NODEFAULT:
        return bool(value == field.default)
    return field.default_factory is not msgspec.NODEFAULT and bool(value == field.default_factory())
