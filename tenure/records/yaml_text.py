"""What people write as YAML: read with the line of what does not fit, and written again."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import yaml

from tenure.errors import InvalidInput
from tenure.records.digests import told

LONGEST = 512 * 1024
BREAKS = re.compile("[\x85\u2028\u2029]")  # YAML takes them for line breaks, so they are written as escapes
STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def mapping(text: str, *, named: str, such_as: str) -> dict[str, Any]:
    """The keys of a text, which messages call `named`. Raises InvalidInput, with the line where YAML cannot go on."""
    if len(text) > LONGEST:
        raise InvalidInput(f"{named} may have {LONGEST // 1024} KiB. Got {len(text) // 1024} KiB.")
    try:
        declared = yaml.load(text, Loader=_Unaliased)  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else None
        raise InvalidInput(f"{named} must be YAML. It cannot be read: {problem.problem}.", where=where) from None
    except (yaml.YAMLError, ValueError, RecursionError) as problem:
        raise InvalidInput(f"{named} must be YAML. It cannot be read: {problem}") from None
    if not isinstance(declared, dict):
        got = "nothing" if declared is None else type(declared).__name__
        raise InvalidInput(f"{named} must hold keys such as {such_as}. Got {got}.")
    return declared


def placed(text: str, path: str | None) -> str | None:
    """A path such as `features.dep_delay.kind` with the line of the text it stands in, when there is one.

    >>> placed("model: m\\nowner: 3\\n", "owner")
    'owner (line 2)'
    """
    if not path:
        return path
    line = _line(yaml.compose(text, Loader=yaml.SafeLoader), [key or int(at) for key, at in STEP.findall(path)])
    return f"{path} (line {line})" if line else path


def written(record: msgspec.Struct) -> str:
    """A record as YAML: what was declared, in the order of its fields, without what stands at its default."""
    text = _dumped(record, allow_unicode=True)
    return text if not BREAKS.search(text) else _dumped(record, allow_unicode=False)


class _Blocks(yaml.SafeDumper):
    """A line for every key of the record; a part that holds no further part stands on its line."""

    def represent(self, data: Any) -> None:
        node: Any = self.represent_data(data)
        node.flow_style = False
        self.serialize(node)


def _dumped(record: msgspec.Struct, *, allow_unicode: bool) -> str:
    return str(
        yaml.dump(
            _plain(told(record)),
            Dumper=_Blocks,
            default_flow_style=None,
            sort_keys=False,
            width=100,
            allow_unicode=allow_unicode,
        )
    )


class _Unaliased(yaml.SafeLoader):
    """Aliases let a few lines stand for gigabytes; what people declare needs none."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not taken; write the value out", problem_mark=mark)
        return super().compose_node(parent, index)


def _line(node: Any, steps: list[str | int]) -> int | None:
    """The line, from 1, of the key or item that the steps lead to; of the nearest one when the last is missing."""
    line = None
    for step in steps:
        found = _inside(node, step)
        if found is None:
            break
        line, node = found
    return line


def _inside(node: Any, step: str | int) -> tuple[int, Any] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark.line + 1, node.value[step]
    return None


def _plain(value: Any) -> Any:
    """Numbers as people write them: 60, not 60.0."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value
