"""The condition of `use.allow`: CEL over `request`, read once, held against its typed facts, and made into look-ups.

Only what can be looked up is taken: facts of the request held against values that are written out, joined by `&&`,
`||` and `!`. What the engine answers and what the look-ups answer is the same, which a property test holds.
"""

from __future__ import annotations

import re

from tenure.errors import InvalidInput
from tenure.manage import expressions, kinds
from tenure.manage.expressions import Node
from tenure.records.admission import Asking, Condition, purpose_word

JOINING = {"&&": "and", "||": "or"}
COMPARING = ("==", "!=", "<", "<=", ">", ">=")
TURNED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
ESCAPED = {"n": "\n", "t": "\t"}
LOOKED_UP = "Only facts of the request can be held against values that are written out, joined by `&&`, `||` and `!`."
INSTEAD = {
    "call": "Write the values out: `request.caller in ['app', 'web']`; `has(request.channel)` is the one function.",
    "loop": "Write the values out: `request.channel in ['app', 'web']`.",
    "choice": "Write `(a && b) || (!a && c)` for `a ? b : c`.",
    "literal": "Leave out what is always true or always false.",
}


def compiled(expression: str) -> Condition:
    """A condition as look-ups. Raises InvalidInput for what cannot be read, does not fit the facts or is more than
    can be looked up, with what to write instead.

    >>> compiled("5 <= request.hour")
    Condition(op='>=', fact='hour', values=[5], parts=[])
    """
    tree = expressions.read(expression)
    kinds.check(tree, expression, Asking)
    return _Reader(expression).condition(tree)


class _Reader:
    def __init__(self, expression: str) -> None:
        self.expression = expression

    def said(self, node: Node) -> str:
        return self.expression[node.start : node.end].strip()

    def refuse(self, node: Node, instead: str) -> InvalidInput:
        return InvalidInput(f"`{self.said(node)}` cannot be made a look-up. {LOOKED_UP} {instead}")

    def condition(self, node: Node) -> Condition:
        if node.what in JOINING:
            return Condition(op=JOINING[node.what], parts=[self.condition(part) for part in _parts(node)])  # type: ignore[arg-type]
        if node.what == "not":
            return Condition(op="not", parts=[self.condition(node.kids[0])])
        if node.what == "call" and node.name == "has":
            return Condition(op="has", fact=self.fact(node.kids[0]))
        if node.what in COMPARING:
            return self.comparison(node)
        if node.what == "in":
            return self.membership(node)
        raise self.refuse(node, INSTEAD.get(node.what, "Write `request.hour >= 5 && request.channel == 'app'`."))

    def comparison(self, node: Node) -> Condition:
        left, right = node.kids
        op, fact, value = (node.what, left, right) if left.what == "field" else (TURNED[node.what], right, left)
        return self.looked_up(op, fact, [value])

    def membership(self, node: Node) -> Condition:
        fact, values = node.kids
        if values.what != "list":
            raise self.refuse(node, "Write the list out: `request.channel in ['app', 'web']`.")
        return self.looked_up("in", fact, list(values.kids))

    def looked_up(self, op: str, fact: Node, written: list[Node]) -> Condition:
        name, values = self.fact(fact), [self.value(one) for one in written]
        for node, value in zip(written, values, strict=True):
            if name == "purpose" and value != purpose_word(str(value)):
                raise self.refuse(
                    node, f"A purpose is compared in small letters with dashes: {purpose_word(str(value))!r}."
                )
        return Condition(op=op, fact=name, values=values)  # type: ignore[arg-type]

    def fact(self, node: Node) -> str:
        if node.what != "field":
            raise self.refuse(node, "One side must be a fact, such as `request.hour`.")
        return node.name

    def value(self, node: Node) -> str | int:
        if node.what == "minus" and node.kids[0].what == "literal":
            value = self.value(node.kids[0])
            assert isinstance(value, int)
            return -value
        if node.what != "literal":
            raise self.refuse(node, "The other side must be a text or a whole number that is written out.")
        text = self.said(node).strip("() \t\r\n")
        if node.name == "text":
            return re.sub(r"\\(.)", lambda found: ESCAPED.get(found[1], found[1]), text[1:-1])
        if node.name == "int" and int(text) < 2**63:
            return int(text)
        instead = (
            "Ask `has(request.channel)`." if node.name == "null" else "Numbers of a request are whole and below 2⁶³."
        )
        raise self.refuse(node, instead)


def _parts(node: Node) -> list[Node]:
    """What one sign joins in a chain: `a && b && c` is three parts."""
    return [part for kid in node.kids for part in (_parts(kid) if kid.what == node.what else [kid])]
