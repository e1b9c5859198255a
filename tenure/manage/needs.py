"""What of the facts an expression looks at, so that the engine is handed nothing else.

It copies a list with all that the items hold at every look: at 30 features with all their fields a look takes 0.12 ms,
with the few fields that a rule reads a quarter of that. Whether all of a list or any of it is so does not change when
equal items stand in it once, and by those few fields most features are equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import msgspec

from tenure.errors import InvalidInput
from tenure.manage import expressions
from tenure.manage.expressions import Node
from tenure.records.digests import PLAIN

Need: TypeAlias = "dict[str, Need]"
"""The fields that are looked at, each with what of it; under ITEM what of each item, with NUMBER beside it where it
counts how many are equal, and WHOLE where it is all."""
ITEM, NUMBER, WHOLE = "[]", "#", "*"
JUDGING = ("all", "exists", "exists_one")
"""Loops that answer true or false. The others answer with the items themselves, whoever looks at those."""


class Needed(NamedTuple):
    """`key`: the same for every expression that looks at the same."""

    need: Need
    key: bytes


@lru_cache(maxsize=1024)
def of(expression: str) -> Needed:
    """What an expression looks at. One that cannot be read looks at nothing: nobody asks it.

    >>> of("size(tags) > 0 && features.all(f, f.kind == 'text')").need
    {'tags': {'[]': {}, '#': {}}, 'features': {'[]': {'kind': {'*': {}}}}}
    """
    need: Need = {}
    with suppress(InvalidInput):
        _use(expressions.read(expression), {}, need)
    return Needed(need, msgspec.json.encode(need, order="deterministic"))


def there(value: Any) -> Any:
    """Facts without those that are None, or a list with such an item: a look at one of them is an error then, and the
    rule does not hold."""
    if isinstance(value, dict):  # not Mapping: to ask that of thousands of values takes longer than the engine does
        kept = {}
        for name, inner in value.items():
            if inner is None:
                continue
            if type(inner) in PLAIN:
                kept[name] = inner
            elif not (isinstance(inner, list) and None in inner):
                kept[name] = there(inner)
        return kept
    if isinstance(value, list | tuple):
        return [item if type(item) in PLAIN else there(item) for item in value]
    return value


def part(value: Any, need: Need) -> Any:
    """The same of what is needed alone: of a list that is not counted, each of its different items once. A mapping
    that is walked or counted keeps all its names.

    >>> features = [{"kind": "text", "name": "a"}, {"kind": "text", "name": "b"}]
    >>> part({"features": features, "tier": "low"}, {"features": {"[]": {"kind": {"*": {}}}}})
    {'features': [{'kind': 'text'}]}
    """
    if WHOLE not in need and isinstance(value, dict) and ITEM not in need:
        kept = {}
        for name, inside in need.items():
            inner = value.get(name)
            if inner is None:
                continue
            if type(inner) in PLAIN:
                kept[name] = inner
            elif not (isinstance(inner, list) and None in inner):
                kept[name] = part(inner, inside)
        return kept
    if WHOLE not in need and isinstance(value, list | tuple) and ITEM in need:
        items = [item if type(item) in PLAIN else part(item, need[ITEM]) for item in value]
        return items if NUMBER in need else list({repr(item): item for item in items}.values())
    return there(value)


def _use(node: Node, scope: Mapping[str, Need | None], found: Need) -> None:
    """Note what a part looks at. `scope`: what loops call their items, with the place where it is noted what of them is
    looked at; None for items of what is no fact."""
    place = _place(node, scope, found)
    if place is not None:
        place[WHOLE] = {}
    elif node.what == "loop":
        item = None
        over = _place(node.kids[0], scope, found) if node.name in JUDGING else None
        if over is None:
            _use(node.kids[0], scope, found)
        else:
            item = over.setdefault(ITEM, {})
            if node.name == "exists_one":
                over[NUMBER] = {}
        _use(node.kids[1], {**scope, node.variable: item}, found)
    elif node.what == "call" and node.name == "size" and (counted := _place(node.kids[0], scope, found)) is not None:
        counted.setdefault(ITEM, {})
        counted[NUMBER] = {}
    else:
        for kid in node.kids:
            _use(kid, scope, found)


def _place(node: Node, scope: Mapping[str, Need | None], found: Need) -> Need | None:
    """Where it is noted what of a path of facts is looked at, such as `card.missing`; None for any other part."""
    if node.what == "name":
        return scope[node.name] if node.name in scope else found.setdefault(node.name, {})
    if node.what == "field":
        owner = _place(node.kids[0], scope, found)
        return None if owner is None else owner.setdefault(node.name, {})
    return None
