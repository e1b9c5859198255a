"""What a person wrote, read as a record; a problem is told with its path, an unknown key with what was meant."""

from __future__ import annotations

import difflib
import re
import types
from datetime import date, datetime
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from tenure.errors import InvalidInput

Parsed = TypeVar("Parsed", bound=msgspec.Struct)
MAX_DEPTH = 32


def parse(raw: bytes | dict[str, Any], kind: type[Parsed], *, named: str) -> Parsed:
    """JSON bytes or a mapping (such as YAML gave) as a record of `kind`; `named` is what the message calls it.

    Raises InvalidInput with the path of the first problem, such as `features.dep_delay.availble`.
    """
    value = _decoded(raw, named)
    try:
        return msgspec.convert(_plain(value, 0, named), kind)
    except msgspec.ValidationError as problem:
        path, message = _locate(_plain(value, 0, named), kind, "") or ("", _without_path(str(problem)))
        raise InvalidInput(f"{named} cannot be read: {message}", where=path or None) from None


def suggestion(word: str, known: list[str]) -> str:
    """What was probably meant, as the end of a sentence; else what is known.

    >>> suggestion("purpos", ["purpose", "owner"])
    "Did you mean 'purpose'?"
    """
    near = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(sorted(known)) or 'none'}."


def _decoded(raw: bytes | dict[str, Any], named: str) -> dict[str, Any]:
    if isinstance(raw, dict):
        return raw
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise InvalidInput(f"{named} must be JSON. It cannot be read: {problem}.") from None
    if not isinstance(value, dict):
        raise InvalidInput(f"{named} must be an object with keys. Got {_called(value)}.")
    return value


def _plain(value: Any, depth: int, named: str) -> Any:
    """A value with the dates that YAML makes of `2027-06-30` as the text they were."""
    if depth > MAX_DEPTH:
        raise InvalidInput(f"{named} must not be nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, dict):
        return {key: _plain(item, depth + 1, named) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, depth + 1, named) for item in value]
    return value.isoformat() if isinstance(value, date | datetime) else value


def _locate(value: Any, kind: Any, path: str) -> tuple[str, str] | None:
    """The path and the message of the first part of `value` that does not fit `kind`; None when it fits.

    msgspec says `$.features[...]` for every key of a mapping; a person needs to know which.
    """
    problem = _misfit(value, kind)
    if problem is None:
        return None
    struct, of_keys, of_items = _inside(kind)
    if struct is not None and isinstance(value, dict):
        return _locate_in_struct(value, struct, path) or (path, problem)
    parts: list[tuple[str, Any, Any]] = []
    if of_keys is not None and isinstance(value, dict):
        parts = [(f"{path}.{key}".lstrip("."), item, of_keys) for key, item in value.items()]
    if of_items is not None and isinstance(value, list):
        parts = [(f"{path}[{index}]", item, of_items) for index, item in enumerate(value)]
    found = (_locate(item, inner, where) for where, item, inner in parts)
    return next((problem for problem in found if problem), (path, problem))


def _locate_in_struct(value: dict[Any, Any], struct: Any, path: str) -> tuple[str, str] | None:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    if struct.__struct_config__.forbid_unknown_fields:
        for key in value:
            if key not in fields:
                return f"{path}.{key}".lstrip(
                    "."
                ), f"the key {key!r} is not known. {suggestion(str(key), list(fields))}"
    for name, field in fields.items():
        if name in value:
            problem = _locate(value[name], field.type, f"{path}.{name}".lstrip("."))
            if problem:
                return problem
        elif field.required:
            return f"{path}.{name}".lstrip("."), f"the key {name!r} is required and missing."
    return None


def _inside(kind: Any) -> tuple[Any, Any, Any]:
    """What a type holds: a struct, or the type of its mapping's values, or the type of its items."""
    if get_origin(kind) is Annotated:
        return _inside(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        held = [_inside(part) for part in get_args(kind)]
        return next((part for part in held if any(inner is not None for inner in part)), (None, None, None))
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind, None, None
    if get_origin(kind) is dict:
        return None, get_args(kind)[1], None
    if get_origin(kind) is list:
        return None, None, get_args(kind)[0]
    return None, None, None


def _misfit(value: Any, kind: Any) -> str | None:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as problem:
        words = _words(kind)
        if words and isinstance(value, str):
            return f"{value[:60]!r} is none of the words that may stand here. {_nearest(value, words)}"
        return _without_path(str(problem))
    return None


def _words(kind: Any) -> list[str]:
    """The texts that a type of fixed words allows; none for another type."""
    if get_origin(kind) is Literal:
        return [word for word in get_args(kind) if isinstance(word, str)]
    if get_origin(kind) in (Union, types.UnionType):
        parts = [part for part in get_args(kind) if part is not type(None)]
        return _words(parts[0]) if len(parts) == 1 else []
    return []


def _nearest(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}."


def _without_path(message: str) -> str:
    plain = re.sub(r" - at `[^`]*`$", "", message).replace("`", "'")
    plain = re.sub(r"^Expected '(\w+) \| null', got '(\w+)'$", r"expected \1, got \2", plain)
    return plain[:1].lower() + plain[1:] + "."


def _called(value: Any) -> str:
    names = {list: "a list", str: "text", int: "a number", float: "a number", bool: "true or false"}
    return "nothing" if value is None else names.get(type(value), type(value).__name__)
