"""A value of a table as the text of its cell, short enough to be shown."""

from __future__ import annotations

import json
from typing import Any

LENGTH = 160
"""In characters: what a cell holds at most."""


def cell(value: Any) -> str:
    """The value as text, cut to `LENGTH`; nothing for None.

    >>> cell(0.1 + 0.2), cell(None), cell([1, "a"]), cell(b"abc")
    ('0.3', '', '[1, "a"]', '3 bytes')
    """
    text = "" if value is None else value if isinstance(value, str) else _plain(value)
    return text if len(text) <= LENGTH else f"{text[: LENGTH - 1]}…"


def _plain(value: Any) -> str:
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    try:
        return json.dumps(value, default=str, ensure_ascii=False)[: LENGTH + 1]
    except (ValueError, RecursionError):
        return str(type(value).__name__)
