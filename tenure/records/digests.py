"""One digest for what we make ourselves: the same value always gives the same text."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec


def digest_of(value: Any) -> str:
    """`sha256:` and the hex SHA-256 of a value's JSON with sorted keys. Fields at their defaults count like others.

    >>> digest_of({"b": 1, "a": 2}) == digest_of({"a": 2, "b": 1})
    True
    """
    return "sha256:" + hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()
