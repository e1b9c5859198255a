"""What one declaration changes of another, for people: a line for each path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def lines(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What was added, removed and changed between two mappings of plain data.

    >>> lines({"a": {"b": 1}}, {"a": {"b": 2}, "c": [{"d": "x"}]})
    ['a.b: 1 → 2', "c[0].d: 'x' added"]
    """
    old, new = _leaves(before, "") if before else {}, _leaves(after, "")
    told = []
    for path in [*new, *(path for path in old if path not in new)]:
        if path not in old:
            if new[path] is not None:  # what is left out is no news
                told.append(f"{path}: {new[path]!r} added")
        elif path not in new:
            told.append(f"{path}: {old[path]!r} removed")
        elif old[path] != new[path]:
            told.append(f"{path}: {old[path]!r} → {new[path]!r}")
    return told


def tells_of(line: str, path: str) -> bool:
    """Whether a line is about what stands at a path, or lies in it or around it.

    >>> [tells_of("use.quota.rows_per_day: 5 removed", path) for path in ("use.quota", "use", "use.quot")]
    [True, True, False]
    >>> tells_of("use.quota: None → 5", "use.quota.rows_per_day")
    True
    """
    told, ends = line.partition(": ")[0], (".", "[")
    return (
        told == path
        or told.startswith(tuple(path + end for end in ends))
        or path.startswith(tuple(told + end for end in ends))
    )


def _leaves(value: Any, path: str) -> dict[str, Any]:
    if isinstance(value, Mapping) and value:
        parts = [(f"{path}.{key}".lstrip("."), item) for key, item in value.items()]
    elif isinstance(value, list | tuple) and any(isinstance(item, dict) for item in value):
        parts = [(f"{path}[{index}]", item) for index, item in enumerate(value)]
    else:
        return {path: value}
    return {leaf: found for inner, item in parts for leaf, found in _leaves(item, inner).items()}
