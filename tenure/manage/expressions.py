"""What a policy may say: a part of CEL, read into a tree before the engine sees it.

The engine tells which names an expression uses and nothing more, so it is read here too: what facts it looks at, of
which kind each part is, and how many steps it can take at most. What this reader does not know, a policy cannot say.
`kinds` holds the tree against the facts; `steps` bounds the work: 500 × 500 × 500 steps took the engine 72 s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from tenure.errors import InvalidInput

MAX_LENGTH = 2000
MAX_DEPTH = 40  # the engine's parser recurses: thousands of parentheses end the process
MAX_LOOPS = 2
MOST_STEPS = 250_000  # at most 0.2 s in the engine
LOOPS = ("all", "exists", "exists_one", "filter", "map")
FUNCTIONS = {"size": 1, "has": 1, "double": 1, "int": 1, "string": 1}
METHODS = {"size": 0, "contains": 1, "startsWith": 1, "endsWith": 1, "matches": 1}
COPYING = ("filter", "map")
COPY_STEPS = 4  # the engine copies the list that it makes once for each item: 240 features took it 160 ms
MATCH_STEPS = 200  # a pattern is compiled at every look
MAX_PATTERN = 100
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
    r"|(?P<text>'(?:[^'\\\n]|\\['\"\\nt])*'|\"(?:[^\"\\\n]|\\['\"\\nt])*\")"
    r"|(?P<name>[A-Za-z_][A-Za-z_0-9]*)"
    r"|(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%!<>?:.,()\[\]]))"
)
_WORDS = {"true": "bool", "false": "bool", "null": "null"}
_LEVELS = (("||",), ("&&",), ("==", "!=", "<=", ">=", "<", ">", "in"), ("+", "-"), ("*", "/", "%"))


class Node(NamedTuple):
    """A part of an expression.

    `what`: literal, list, name, field, index, call, loop, not, minus, choice or an operator.

    `name`: of a name, field, function or loop; of a loop, `variable` is what its body calls the element.
    """

    what: str
    start: int
    end: int
    kids: tuple[Node, ...] = ()
    name: str = ""
    variable: str = ""


@lru_cache(maxsize=1024)
def read(expression: str) -> Node:
    """An expression as a tree. Raises InvalidInput saying where it cannot be read, or that it is too large."""
    if len(expression) > MAX_LENGTH:
        raise InvalidInput(f"An expression may have at most {MAX_LENGTH} characters. Got {len(expression)}.")
    reader = _Reader(expression)
    tree = reader.choice(0)
    if reader.kind != "end":
        raise reader.trouble("the expression to end")
    if loops(tree) > MAX_LOOPS:
        raise InvalidInput(
            f"Loops (all, exists, filter …) may lie at most {MAX_LOOPS} deep in each other. Got {loops(tree)}: each "
            "further one multiplies the time that it takes."
        )
    return tree


def loops(node: Node) -> int:
    """How deep loops lie in each other."""
    if node.what == "loop":
        inner = max(loops(kid) for kid in node.kids[1:])
        return max(loops(node.kids[0]), inner + 1)
    return max((loops(kid) for kid in node.kids), default=0)


def steps(node: Node, longest: int) -> int:
    """At most how many steps an evaluation takes, when no list of the facts is longer than `longest`.

    >>> steps(read("size(card.missing) == 0"), 1000)
    5
    >>> steps(read("features.all(f, features.all(g, f.name == g.name))"), 1000)
    6003002
    """
    if node.what == "loop":
        length = max(_longest_written(node.kids[0]), longest)
        copies = COPY_STEPS * length * length if node.name in COPYING else 0
        body = sum(steps(kid, longest) for kid in node.kids[1:])
        return 1 + steps(node.kids[0], longest) + length * (body + 1) + copies
    own = MATCH_STEPS if node.what == "call" and node.name == "matches" else 1
    return own + sum(steps(kid, longest) for kid in node.kids)


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it."""
    yield node
    for kid in node.kids:
        yield from walk(kid)


def conjuncts(node: Node) -> list[Node]:
    """The parts that must all hold: what `&&` joins at the top."""
    return [part for kid in node.kids for part in conjuncts(kid)] if node.what == "&&" else [node]


def _longest_written(node: Node) -> int:
    return max((len(part.kids) for part in walk(node) if part.what == "list"), default=0)


class _Reader:
    """One token at a time, by recursive descent; `depth` is counted so that no expression exhausts the stack."""

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self.at = 0
        self.advance()

    def advance(self) -> None:
        self.ended = self.at
        if not self.expression[self.at :].strip():
            self.kind, self.text, self.start = "end", "", len(self.expression)
            return
        found = _TOKEN.match(self.expression, self.at)
        if found is None:
            self.kind, self.text, self.start = "?", self.expression[self.at :].strip()[:1], self.at
            raise self.trouble("a name, a number, a text or a sign")
        self.kind = str(found.lastgroup)
        self.text, self.start, self.at = found[self.kind], found.start(self.kind), found.end()

    def trouble(self, wanted: str) -> InvalidInput:
        got = repr(self.text) if self.text else "its end"
        return InvalidInput(
            f"The expression cannot be read at character {self.start + 1}: it must have {wanted} there. Got {got}."
        )

    def take(self, sign: str) -> None:
        if self.kind != "sign" or self.text != sign:
            raise self.trouble(repr(sign))
        self.advance()

    def is_sign(self, *signs: str) -> bool:
        return (self.kind == "sign" and self.text in signs) or (self.kind == "name" and self.text == "in" in signs)

    def choice(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise InvalidInput(f"An expression may be nested at most {MAX_DEPTH} levels deep. This one is deeper.")
        start = self.start
        asked = self.level(0, depth)
        if not self.is_sign("?"):
            return asked
        self.advance()
        yes = self.level(0, depth)
        self.take(":")
        no = self.choice(depth + 1)
        return Node("choice", start, self.ended, (asked, yes, no))

    def level(self, number: int, depth: int) -> Node:
        if number == len(_LEVELS):
            return self.unary(depth)
        start = self.start
        left = self.level(number + 1, depth)
        while self.is_sign(*_LEVELS[number]):
            sign = self.text
            self.advance()
            right = self.level(number + 1, depth)
            left = Node(sign, start, self.ended, (left, right))
        return left

    def unary(self, depth: int) -> Node:
        start = self.start
        for sign, what in (("!", "not"), ("-", "minus")):
            if self.is_sign(sign):
                self.advance()
                if depth > MAX_DEPTH:
                    raise InvalidInput(f"An expression may be nested at most {MAX_DEPTH} levels deep.")
                return Node(what, start, self.ended, (self.unary(depth + 1),))._replace(end=self.ended)
        return self.member(depth)

    def member(self, depth: int) -> Node:
        start = self.start
        node = self.primary(depth)
        while self.is_sign(".", "["):
            if self.text == "[":
                self.advance()
                index = self.choice(depth + 1)
                self.take("]")
                node = Node("index", start, self.ended, (node, index))
                continue
            self.advance()
            name = self.word()
            if not self.is_sign("("):
                node = Node("field", start, self.ended, (node,), name)
            elif name in LOOPS:
                node = self.loop(node, name, start, depth)
            else:
                node = self.call(name, (node,), METHODS, start, depth)
        return node

    def loop(self, over: Node, name: str, start: int, depth: int) -> Node:
        self.take("(")
        variable = self.word()
        self.take(",")
        body = [self.choice(depth + 1)]
        self.take(")")
        if not _may_be_walked(over):
            raise InvalidInput(
                f"`.{name}(…)` must be asked of a fact, of a list that is written out, or of one that filter or map "
                "made. Got another expression before it."
            )
        return Node("loop", start, self.ended, (over, *body), name, variable)

    def call(self, name: str, first: tuple[Node, ...], known: dict[str, int], start: int, depth: int) -> Node:
        if name not in known:
            listed = ", ".join(sorted({*FUNCTIONS, *METHODS, *LOOPS}))
            raise InvalidInput(f"{name!r} is no function that a policy may use. Known: {listed}.")
        self.take("(")
        given: list[Node] = []
        while not self.is_sign(")"):
            given.append(self.choice(depth + 1))
            if not self.is_sign(")"):
                self.take(",")
        self.take(")")
        if len(given) != known[name]:
            raise InvalidInput(f"{name!r} takes {known[name]} value(s) in its brackets. Got {len(given)}.")
        node = Node("call", start, self.ended, (*first, *given), name)
        if name == "matches":
            self.check_pattern(given[0])
        return node

    def check_pattern(self, node: Node) -> None:
        pattern = self.expression[node.start : node.end]
        if node.what != "literal" or len(pattern) > MAX_PATTERN or "{" in pattern:
            raise InvalidInput(
                f"A pattern of `matches` must be written out, with at most {MAX_PATTERN} characters and no counted "
                f"repetitions, which can take long. Got {pattern[:MAX_PATTERN]}."
            )

    def primary(self, depth: int) -> Node:
        start, kind, text = self.start, self.kind, self.text
        if kind in ("number", "text"):
            self.advance()
            what = "text" if kind == "text" else "int" if text.isdigit() else "double"
            return Node("literal", start, self.ended, (), what)
        if kind == "name" and text != "in":
            self.advance()
            if text in _WORDS:
                return Node("literal", start, self.ended, (), _WORDS[text])
            if self.is_sign("("):
                return self.call(text, (), FUNCTIONS, start, depth)
            return Node("name", start, self.ended, (), text)
        if self.is_sign("("):
            self.advance()
            inside = self.choice(depth + 1)
            self.take(")")
            return inside._replace(start=start, end=self.ended)
        if self.is_sign("["):
            return self.written_list(start, depth)
        raise self.trouble("a value")

    def written_list(self, start: int, depth: int) -> Node:
        self.advance()
        items: list[Node] = []
        while not self.is_sign("]"):
            items.append(self.choice(depth + 1))
            if not self.is_sign("]"):
                self.take(",")
        self.take("]")
        return Node("list", start, self.ended, tuple(items))

    def word(self) -> str:
        if self.kind != "name":
            raise self.trouble("a name")
        text = self.text
        self.advance()
        return text


def _may_be_walked(node: Node) -> bool:
    if node.what == "loop":
        return node.name in ("filter", "map")
    if node.what == "field":
        return _may_be_walked(node.kids[0]) or node.kids[0].what == "index"
    return node.what in ("name", "list")
