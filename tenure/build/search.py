"""The search language: `metrics.auc > 0.7 AND params.model = 'forest'`, parsed into comparisons.

    filter     = comparison *("AND" comparison)
    comparison = left operator value | left "IS" ["NOT"] "NULL"
    left       = [entity "."] key        the key in backticks or double quotes when it has special characters
    value      = number | 'text' | "text" | "(" text *("," text) ")"

There is no OR, no NOT and no grouping. What may be searched by is a `Grammar`, one for each noun.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, NoReturn

from tenure.errors import InvalidInput
from tenure.records.search import Comparison, Entity, Ordering, Value

Kind = Literal["number", "text", "list", "id"]
"""How an attribute compares: `number`; `text` (= != LIKE ILIKE); `list` (as text, and IN and NOT IN);
`id` (= != IN NOT IN)."""

NUMBERS = frozenset({"=", "!=", "<", "<=", ">", ">="})
TEXTS = frozenset({"=", "!=", "LIKE", "ILIKE"})
LISTS = frozenset({"IN", "NOT IN"})
NULLS = frozenset({"IS NULL", "IS NOT NULL"})
OPERATORS_OF: dict[Kind, frozenset[str]] = {
    "number": NUMBERS,
    "text": TEXTS,
    "list": TEXTS | LISTS,
    "id": frozenset({"=", "!="}) | LISTS,
}
INT64 = 2**63
LONGEST_FILTER = 200_000
LONGEST_TEXT = 10_000
LONGEST_SHOWN = 100
MOST_COMPARISONS = 100
MOST_ENTRIES = 10_000

TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:[^']|'')*')
    | (?P<double>"[^"]*")
    | (?P<tick>`[^`]*`)
    | (?P<operator><=|>=|!=|=|<|>)
    | (?P<mark>[(),])
    | (?P<word>[^\s=<>!,()'"`]+)
    )""",
    re.VERBOSE,
)
NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")


class Unreadable(InvalidInput):
    """A filter or an order that cannot be read. `place`: the character where, counted from 0, if there is one."""

    def __init__(self, message: str, *, where: str, place: int | None) -> None:
        super().__init__(message, where=where)
        self.place = place


@dataclass(frozen=True)
class Grammar:
    """What a noun may be searched and ordered by.

    `entities`: how an entity may be written, and which one it is. `attributes`: how an attribute may be written, its
    name and kind. `orders`: the entities and attributes that results may be ordered by; None means all of them.
    `keyed`: operators of a param or tag. `number_as_text`: number attributes that may also be written in quotes.
    """

    entities: Mapping[str, Entity]
    attributes: Mapping[str, tuple[str, Kind]]
    orders: frozenset[str] | None = None
    keyed: frozenset[str] = TEXTS | NULLS
    dataset_keys: frozenset[str] = field(default=frozenset({"name", "digest", "context"}))
    number_as_text: frozenset[str] = frozenset()


class Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


def parse(text: str | None, grammar: Grammar) -> list[Comparison]:
    """A filter as comparisons that must all hold. Raises InvalidInput with the place of what cannot be read."""
    if text is None or not text.strip():
        return []
    return _Parser(text, grammar, "filter").comparisons()


def parse_order(items: Sequence[str] | None, grammar: Grammar) -> list[Ordering]:
    """`["metrics.auc DESC", "start_time"]` as orderings. Raises InvalidInput; a key named twice is one."""
    orderings = [_Parser(item, grammar, "order_by").ordering() for item in items or []]
    named = [(one.entity, one.key) for one in orderings]
    if len(set(named)) < len(named):
        raise InvalidInput("`order_by` contains duplicate fields. Name each field once.", where="order_by")
    return orderings


class _Parser:
    def __init__(self, text: str, grammar: Grammar, where: str) -> None:
        self.text = text
        self.grammar = grammar
        self.where = where
        self.tokens = self._tokens()
        self.at = 0
        self.entries = 0

    def comparisons(self) -> list[Comparison]:
        found = [self._comparison()]
        while self.at < len(self.tokens):
            token = self._next()
            if token.kind != "word" or token.text.upper() != "AND":
                self._refuse("comparisons are joined by AND; there is no OR, no NOT and no grouping", token)
            found.append(self._comparison())
            if len(found) > MOST_COMPARISONS:
                self._refuse(f"it must have at most {MOST_COMPARISONS} comparisons", token)
        return found

    def ordering(self) -> Ordering:
        entity, key = self._left()
        if entity == "dataset":
            self._refuse("results cannot be ordered by a dataset", self.tokens[0])
        ascending = True
        if self.at < len(self.tokens):
            token = self._next()
            if token.kind != "word" or token.text.upper() not in ("ASC", "DESC"):
                self._refuse("after the key only ASC or DESC may stand", token)
            ascending = token.text.upper() == "ASC"
        if self.at < len(self.tokens):
            self._refuse("nothing may follow the direction", self.tokens[self.at])
        if self.grammar.orders is not None and not {entity, key} & self.grammar.orders:
            allowed = ", ".join(sorted(self.grammar.orders))
            raise InvalidInput(
                f"Invalid attribute key {key!r} specified for order_by. Results may be ordered by: {allowed}.",
                where="order_by",
            )
        return Ordering(entity=entity, key=key, ascending=ascending)

    # --- the parts of a comparison ---

    def _comparison(self) -> Comparison:
        start = self.at
        entity, key = self._left()
        operator = self._operator()
        allowed = self._operators_for(entity, key)
        if operator not in allowed:
            why = f"Invalid comparison operator {operator}: {entity} {key!r} compares by {', '.join(sorted(allowed))}"
            if operator in NULLS & self.grammar.keyed:
                why += f"; IS NULL / IS NOT NULL is only supported for {self._keyed()}"
            self._refuse(why, self.tokens[start])
        if operator in NULLS:
            return Comparison(entity=entity, key=key, op=operator)
        return Comparison(entity=entity, key=key, op=operator, value=self._value(entity, key, operator))

    def _left(self) -> tuple[Entity, str]:
        token = self._next()
        if token.kind in ("double", "tick"):
            return self._attribute(token.text[1:-1], token)
        if token.kind != "word":
            self._refuse("a comparison starts with what is compared, such as metrics.auc", token)
        prefix, dot, key = token.text.partition(".")
        if not dot:
            return self._attribute(token.text, token)
        entity = self.grammar.entities.get(prefix)
        if entity is None:
            self._refuse(f"Invalid entity type {prefix!r}. Valid values are {sorted(self.grammar.entities)}", token)
        if not key:
            key = self._quoted_key(token)
        if entity == "attribute":
            return self._attribute(key, token)
        if entity == "dataset" and key not in self.grammar.dataset_keys:
            self._refuse(f"Invalid dataset key {key!r}. Valid values are {sorted(self.grammar.dataset_keys)}", token)
        return entity, key

    def _quoted_key(self, before: Token) -> str:
        """The key right after `entity.`, in backticks or double quotes."""
        token = self._next()
        if token.kind not in ("double", "tick") or token.start != before.end or len(token.text) == 2:
            self._refuse("after the dot a key must stand, in backticks or double quotes when it is special", token)
        return token.text[1:-1]

    def _attribute(self, written: str, token: Token) -> tuple[Entity, str]:
        known = self.grammar.attributes.get(written)
        if known is None:
            valid = sorted(self.grammar.attributes)
            what = "attribute" if self.where == "filter" else "order by"
            self._refuse(f"Invalid {what} key {written!r} specified. Valid values are {valid}", token)
        return "attribute", known[0]

    def _kind(self, key: str) -> Kind:
        return next(kind for name, kind in self.grammar.attributes.values() if name == key)

    def _operators_for(self, entity: Entity, key: str) -> frozenset[str]:
        if entity == "metric":
            return NUMBERS
        if entity == "attribute":
            return OPERATORS_OF[self._kind(key)]
        if entity == "dataset":
            return TEXTS | LISTS
        return self.grammar.keyed

    def _keyed(self) -> str:
        return " and ".join(f"{one}s" for one in ("tag", "param") if one in self.grammar.entities.values())

    def _operator(self) -> str:
        token = self._next()
        if token.kind == "operator":
            return token.text
        words = {"LIKE": (), "ILIKE": (), "IN": (), "NOT": ("IN",), "IS": ("NULL", "NOT")}
        first = token.text.upper()
        if token.kind != "word" or first not in words:
            self._refuse("an operator must stand here", token)
        taken = [first]
        follow = words[first]
        while follow:
            token = self._next()
            word = token.text.upper()
            if token.kind != "word" or word not in follow:
                self._refuse(f"after {' '.join(taken)} must stand {' or '.join(follow)}", token)
            taken.append(word)
            follow = ("NULL",) if word == "NOT" else ()
        return " ".join(taken)

    def _value(self, entity: Entity, key: str, operator: str) -> Value:
        if operator in LISTS:
            return self._list()
        token = self._next()
        if entity == "metric" or (entity == "attribute" and self._kind(key) == "number"):
            if token.kind == "text" and key in self.grammar.number_as_text:
                token = Token("word", token.text[1:-1], token.start, token.end)
            if token.kind != "word" or not NUMBER.fullmatch(token.text):
                self._refuse(f"{entity} {key!r} compares with a number, without quotes", token)
            return _number(token.text)
        return self._string(token, f"{entity} {key!r}")

    def _list(self) -> list[str]:
        if self._next().text != "(":
            self._refuse("after IN must stand a list of quoted texts in parentheses", self.tokens[self.at - 1])
        values: list[str] = []
        while True:
            token = self._next()
            if values and token.text == ")" and token.kind == "mark":  # Python writes a list of one as ('a',)
                return values
            values.append(self._string(token, "an entry of a list"))
            token = self._next()
            if token.text == ")" and token.kind == "mark":
                return values
            self.entries += 1
            if self.entries >= MOST_ENTRIES:  # of all lists: a database binds no more than 32,766 values at once
                self._refuse(f"its lists must have at most {MOST_ENTRIES} entries together", token)
            if token.text != "," or token.kind != "mark":
                self._refuse("entries of a list are separated by commas", token)

    def _string(self, token: Token, what: str) -> str:
        if len(token.text) > LONGEST_TEXT:
            self._refuse(f"a text must be at most {LONGEST_TEXT} characters long", token)
        if token.kind == "text":
            return token.text[1:-1].replace("''", "'")
        if token.kind != "double":
            self._refuse(f"{what} compares with a text in quotes", token)
        return token.text[1:-1]

    # --- tokens ---

    def _tokens(self) -> list[Token]:
        if len(self.text) > LONGEST_FILTER:
            self._refuse(f"it must be at most {LONGEST_FILTER} characters long", None)
        found, at, end = [], 0, len(self.text.rstrip())
        while at < end:
            match = TOKEN.match(self.text, at)
            if match is None:
                self._refuse("a quote is not closed, or a character is not known", None)
            kind = str(match.lastgroup)
            found.append(Token(kind, match[kind], match.start(kind), match.end(kind)))
            at = match.end()
        return found

    def _next(self) -> Token:
        if self.at >= len(self.tokens):
            self._refuse("it ends too early", None)
        self.at += 1
        return self.tokens[self.at - 1]

    def _refuse(self, why: str, token: Token | None) -> NoReturn:
        what = "filter string" if self.where == "filter" else f"order_by clause {self.text[:LONGEST_SHOWN]!r}"
        place = f" at character {token.start + 1}" if token else ""
        raise Unreadable(
            f"Invalid {what}{place}: {why}. Example: metrics.auc > 0.7 AND params.model = 'forest'",
            where=self.where,
            place=token.start if token else None,
        )


def _number(text: str) -> int | float:
    """A number as written; one beyond 64 bits as a float, which every database can compare."""
    if re.fullmatch(r"[+-]?\d+", text) and len(text) < 25:
        value = int(text)
        if -INT64 <= value < INT64:
            return value
    return float(text)
