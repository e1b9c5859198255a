"""What arrives: JSON bodies and query strings as typed requests, with the habits of protobuf's JSON.

Names come in snake_case or camelCase, not both; unknown fields are ignored and null means not sent; numbers may be
numeric strings; a body may be JSON that was encoded twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args
from urllib.parse import parse_qs

import msgspec

from tenure.build import limits
from tenure.errors import InvalidInput

PATH = re.compile(r"at `\$(?P<path>[^`]*)`")
MISSING = re.compile(r"missing required field `(?P<name>\w+)`")
STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
NUL = b"\\u0000"
UNMARKED = bytes(code for code in range(256) if not (chr(code).isascii() and chr(code).isupper()) and code != ord("\\"))
"""What a name in camelCase and an escaped NUL cannot do without is missing here."""


class Reader:
    """Reads requests of one type."""

    def __init__(self, request: type[msgspec.Struct]) -> None:
        self.request = request
        self._decoder = msgspec.json.Decoder(request, strict=False)
        self._names = _names(request)
        self._snake: dict[str, str] = {_camel(name): name for name in self._names if _camel(name) != name}
        marks = [f'"{re.escape(name)}"'.encode() for name in self._snake]
        self._marked = re.compile(b"|".join([*marks, re.escape(NUL)])).search
        self._lists = frozenset(field.name for field in msgspec.structs.fields(request) if _is_list(field.type))

    def body(self, body: bytes, path: Mapping[str, str]) -> Any:
        """A JSON body, with what the path says added to it."""
        # The pattern costs as much as all other reading, so it only runs where it could find something.
        if not path and body and not (body.translate(None, UNMARKED) and self._marked(body)):
            try:
                return self._decoder.decode(body)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                pass  # told below, or read with more patience
        return self._patiently(body, path)

    def query(self, query: bytes, path: Mapping[str, str]) -> Any:
        """A query string: repeated keys make lists."""
        try:
            given = parse_qs(query.decode("ascii"), keep_blank_values=True, max_num_fields=20_000, errors="strict")
        except (ValueError, UnicodeDecodeError):
            raise InvalidInput("The query string must be UTF-8, percent-encoded.") from None
        raw: dict[str, Any] = {}
        for name, values in given.items():
            plain = str(self._snake.get(name, name))
            if plain in raw:
                raise InvalidInput(f"The parameter '{plain}' was sent under two names. Send one.", where=plain)
            raw[plain] = values if plain in self._lists else values[-1]
        return self._converted(raw | dict(path))

    def _patiently(self, body: bytes, path: Mapping[str, str]) -> Any:
        try:
            raw = msgspec.json.decode(body) if body else {}
            if isinstance(raw, str):  # an old client encoded its body twice
                raw = msgspec.json.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise InvalidInput("The body must be JSON in UTF-8. Got something that cannot be read as JSON.") from None
        if not isinstance(raw, dict):
            raise InvalidInput(f"The body must be a JSON object. Got {limits.shown(type(raw).__name__)}.")
        return self._converted(self._plain(raw) | dict(path))

    def _plain(self, value: Any) -> Any:
        """The same value in snake_case and without nulls."""
        if isinstance(value, list):
            return [self._plain(item) for item in value]
        if not isinstance(value, dict):
            return value
        found: dict[str, Any] = {}
        for name, item in value.items():
            plain = self._snake.get(str(name), str(name))
            if plain in found or (plain != name and plain in value):
                raise InvalidInput(f"The field '{plain}' was sent as '{name}' too. Send one of them.", where=plain)
            if item is not None:
                found[plain] = self._plain(item)
        return found

    def _converted(self, raw: dict[str, Any]) -> Any:
        _refuse_nul(raw)
        try:
            return msgspec.convert(raw, self.request, strict=False)
        except msgspec.ValidationError as problem:
            raise _explained(str(problem), raw) from None


def _names(request: Any) -> set[str]:
    """Names of all fields of a request, at any depth."""
    found: set[str] = set()
    for field in msgspec.structs.fields(request):
        found.add(field.name)
        for inner in _structs(field.type):
            found |= _names(inner)
    return found


def _structs(kind: Any) -> list[Any]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [kind]
    return [struct for part in get_args(kind) for struct in _structs(part)]


def _is_list(kind: Any) -> bool:
    return getattr(kind, "__origin__", None) is list or any(_is_list(part) for part in get_args(kind))


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _refuse_nul(value: Any) -> None:
    """Refuse the one character that a database cannot store."""
    if isinstance(value, str) and "\x00" in value:
        raise InvalidInput("Invalid value: a text must not contain the NUL character.")
    if isinstance(value, dict):
        for name, item in value.items():
            _refuse_nul(name)
            _refuse_nul(item)
    elif isinstance(value, list):
        for item in value:
            _refuse_nul(item)


def _explained(problem: str, raw: dict[str, Any]) -> InvalidInput:
    """msgspec's refusal in the shape that MLflow's clients know."""
    found = PATH.search(problem)
    path = found["path"] if found else ""
    missing = MISSING.search(problem)
    if missing:
        return limits.missing(f"{path}.{missing['name']}".lstrip("."))
    value: Any = raw
    for name, place in STEP.findall(path):
        value = value.get(name) if name else value[int(place)]
    reason = problem.split(" - at ", maxsplit=1)[0]
    where = path.lstrip(".") or "body"
    return InvalidInput(f"Invalid value {limits.shown(value)} for parameter '{where}' supplied: {reason}.", where=where)
