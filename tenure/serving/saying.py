"""How errors about a request speak of its parts: by name and kind, shortened, and never by value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

PROBLEMS_SHOWN = 5


class Wrong(Exception):
    """Values of a column that are not what they must be: what must be, what was got, in which row."""

    def __init__(self, must: str, got: str, row: int) -> None:
        super().__init__(must)
        self.must, self.got, self.row = must, got, row


KINDS: dict[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    dict: "an object",
    list: "a list",
    type(None): "null",
}


def kind(value: Any) -> str:
    """What a JSON value is, in words."""
    return KINDS[type(value)]


def listed_kinds(values: Iterable[Any]) -> str:
    return " and ".join(sorted({kind(value) for value in values}))


def clipped(text: str, characters: int = 100) -> str:
    return text if len(text) <= characters else text[:characters] + "…"


def quoted(name: str) -> str:
    return repr(clipped(name))


def listed(names: Iterable[str]) -> str:
    names = list(names)
    shown = ", ".join(quoted(name) for name in names[:PROBLEMS_SHOWN])
    return shown if len(names) <= PROBLEMS_SHOWN else f"{shown} and {len(names) - PROBLEMS_SHOWN} more"
