"""Why a rule did not hold: which part of it, which facts with their values, and what would satisfy it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tenure.errors import InvalidInput
from tenure.manage import expressions, kinds
from tenure.manage.cel import Asked
from tenure.manage.expressions import Node, conjuncts

MOST_NAMED = 5
MOST_TEXT = 200
_PLACE = re.compile(r"\{([^{}]*)\}")


def check_explanation(text: str) -> None:
    """Raise InvalidInput when an explanation names, in braces, something that is no fact."""
    for name in _PLACE.findall(text):
        try:
            tree = expressions.read(name)
            kinds.Checker(name).kind(tree, {})
        except InvalidInput as problem:
            raise InvalidInput(f"`{{{name}}}` must name a fact. {problem.message}") from None
        if any(part.what not in ("name", "field") for part in expressions.walk(tree)):
            raise InvalidInput(f"`{{{name}}}` must name one fact, such as {{baseline.roc_auc}}.")


def explanation(text: str, facts: Mapping[str, Any]) -> str:
    """An explanation with the facts that it names in braces filled in."""
    return _PLACE.sub(lambda found: told(value_at(facts, found[1].strip())), text)


def read_by_failing(expression: str, asked: Asked, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that the failing parts of an expression read, each with its value.

    Of a list that is walked, only the items of which the part is not true are told, by name where they have one.
    """
    found: dict[str, Any] = {}
    for part in conjuncts(expressions.read(expression)):
        if not asked.ask(expression[part.start : part.end]).held:
            found.update(_facts_of(part, expression, asked, facts))
    return found


def lacking(expression: str, facts: Mapping[str, Any]) -> list[str]:
    """The facts that an expression reads and that are not known: missing, None, or so in some item of a list."""
    read = kinds.check(expressions.read(expression), expression)
    return [path for path in read if not _is_known(facts, path.replace("[]", ".[]").split("."))]


def value_at(facts: Any, path: str) -> Any:
    """The value of a fact such as `baseline.roc_auc`; None when it is not there."""
    value = facts
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def told(value: Any) -> str:
    """A value as a sentence has it.

    >>> [told(value) for value in (None, True, 0.5, ["US"], "x")]
    ['not known', 'true', '0.5', "'US'", "'x'"]
    """
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        named = ", ".join(told(item) for item in value[:MOST_NAMED])
        more = f" and {len(value) - MOST_NAMED} more" if len(value) > MOST_NAMED else ""
        return f"{named}{more}" if value else "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {told(inner)}" for name, inner in list(value.items())[:MOST_NAMED])
    return repr(value)[:MOST_TEXT]


def _facts_of(part: Node, expression: str, asked: Asked, facts: Mapping[str, Any]) -> dict[str, Any]:
    walked = part.kids[0] if part.what == "loop" and part.name == "all" else None
    items = _value_of(walked, facts) if walked is not None else None
    if walked is None or not isinstance(items, list) or not items:
        return {_path(node): _value_of(node, facts) for node in _looks(part) if _value_of(node, facts) is not Ellipsis}
    body = part.kids[1]
    said = expression[body.start : body.end]
    failing = [item for item in items if not asked.also(part.variable, item).ask(said).held]
    return {_path(walked): [_shortened(item, body, part.variable) for item in failing]}


def _shortened(item: Any, body: Node, variable: str) -> Any:
    """An item of a list with its name and what the expression looks at."""
    if not isinstance(item, Mapping):
        return item
    looked = {node.name for node in expressions.walk(body) if node.what == "field" and node.kids[0].name == variable}
    named = [name for name in ("name", "attribute", "model") if name in item]
    return {name: item.get(name) for name in dict.fromkeys([*named[:1], *sorted(looked)])}


def _looks(part: Node) -> list[Node]:
    """The longest paths of plain facts in a part: `approval.state`, not `approval` too."""
    if part.what in ("name", "field") and _path(part):
        return [part]
    return [look for kid in part.kids for look in _looks(kid)]


def _path(node: Node) -> str:
    if node.what == "name":
        return node.name
    if node.what == "field" and (owner := _path(node.kids[0])):
        return f"{owner}.{node.name}"
    return ""


def _value_of(node: Node, facts: Mapping[str, Any]) -> Any:
    """The value of a path of facts; Ellipsis for the element of a loop, which is no fact of its own."""
    path = _path(node)
    if not path or path.split(".")[0] not in kinds.facts():
        return Ellipsis
    return value_at(facts, path)


def _is_known(value: Any, path: list[str]) -> bool:
    if value is None:
        return False
    if not path:
        return True
    first, *rest = path
    if first == "[]":
        items = list(value.values()) if isinstance(value, Mapping) else value
        return all(_is_known(item, rest) for item in items)
    return isinstance(value, Mapping) and _is_known(value.get(first), rest)
