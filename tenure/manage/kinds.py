"""An expression held against the typed facts: which it reads, and whether every part is of a kind that fits.

A name that no fact has is refused with what was probably meant; so a rule cannot wait for years on a misspelt fact.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from tenure.errors import InvalidInput
from tenure.manage.expressions import Node
from tenure.records import parsing
from tenure.records.base import Record
from tenure.records.facts import Facts

TRUTHS = ("&&", "||")
ORDERS = ("<", "<=", ">", ">=")


class Kind(NamedTuple):
    """`name`: bool, int, double, text, null, any, list, map or record. `of`: of the items of a list or a map.

    `fields`: of a record, by name. `path`: which fact this is, such as `features[].semantic`; empty when it is none.
    """

    name: str
    of: Kind | None = None
    fields: dict[str, Kind] | None = None
    path: str = ""


BOOL, INT, DOUBLE, TEXT, ANY = Kind("bool"), Kind("int"), Kind("double"), Kind("text"), Kind("any")
NUMBERS = ("int", "double", "any")


@lru_cache(maxsize=4)
def facts(record: type[Record] = Facts) -> dict[str, Kind]:
    """Every fact by its name, each with its kind, from the record itself."""
    fields = _kind(msgspec.inspect.type_info(record), "").fields
    assert fields is not None
    return fields


def check(tree: Node, expression: str, record: type[Record] = Facts) -> list[str]:
    """The facts of a record that an expression reads, sorted.

    Raises InvalidInput when a part does not fit or the whole is neither true nor false.
    """
    checker = Checker(expression, record)
    kind = checker.kind(tree, {})
    if kind.name not in ("bool", "any"):
        raise InvalidInput(f"An expression must be true or false. This one is {_called(kind)}.")
    return sorted(checker.read)


class Checker:
    """Walks one expression; `read` gathers the facts that it looks at."""

    def __init__(self, expression: str, record: type[Record] = Facts) -> None:
        self.expression = expression
        self.facts = facts(record)
        self.read: set[str] = set()

    def kind(self, node: Node, scope: dict[str, Kind]) -> Kind:
        found = self._kind(node, scope)
        if found.path and found.name != "record":
            self.read.add(found.path)
        return found

    def said(self, node: Node) -> str:
        return f"`{self.expression[node.start : node.end].strip()}`"

    def refuse(self, node: Node, wanted: str, got: Kind) -> InvalidInput:
        return InvalidInput(f"{self.said(node)} must be {wanted}. It is {_called(got)}.")

    def _kind(self, node: Node, scope: dict[str, Kind]) -> Kind:  # noqa: PLR0911  one for each sort of node
        match node.what:
            case "literal":
                return Kind(node.name)
            case "name":
                return self.named(node, {**self.facts, **scope})
            case "field":
                return self.field(node, scope)
            case "index":
                return self.index(node, scope)
            case "list":
                kinds = [self.kind(item, scope) for item in node.kids]
                same = {kind.name for kind in kinds}
                return Kind("list", kinds[0]._replace(path="") if len(same) == 1 else ANY)
            case "loop":
                return self.loop(node, scope)
            case "call":
                return self.call(node, scope)
            case "choice":
                self.must(node.kids[0], scope, "true or false", "bool")
                yes, no = self.kind(node.kids[1], scope), self.kind(node.kids[2], scope)
                return yes._replace(path="") if yes.name == no.name else ANY
            case _:
                return self.operator(node, scope)

    def must(self, node: Node, scope: dict[str, Kind], wanted: str, *names: str) -> Kind:
        kind = self.kind(node, scope)
        if kind.name not in (*names, "any"):
            raise self.refuse(node, wanted, kind)
        return kind

    def named(self, node: Node, known: dict[str, Kind]) -> Kind:
        if node.name not in known:
            raise InvalidInput(f"There is no fact {node.name!r}. {parsing.suggestion(node.name, list(known))}")
        return known[node.name]

    def field(self, node: Node, scope: dict[str, Kind]) -> Kind:
        owner = self.kind(node.kids[0], scope)
        if owner.name == "any":
            return ANY
        if owner.name == "map" and owner.of:
            return owner.of._replace(path=f"{owner.path}.{node.name}")
        if owner.fields is None:
            hint = " Ask of each with `.all(one, …)` or `.exists(one, …)`." if owner.name == "list" else ""
            raise InvalidInput(f"{self.said(node.kids[0])} is {_called(owner)} and has no {node.name!r}.{hint}")
        if node.name not in owner.fields:
            known = parsing.suggestion(node.name, list(owner.fields))
            raise InvalidInput(f"{self.said(node.kids[0])} has no {node.name!r}. {known}")
        return owner.fields[node.name]

    def index(self, node: Node, scope: dict[str, Kind]) -> Kind:
        owner = self.must(node.kids[0], scope, "a list or a map", "list", "map")
        wanted = ("a text", "text") if owner.name == "map" else ("a whole number", "int")
        self.must(node.kids[1], scope, *wanted)
        return owner.of or ANY

    def loop(self, node: Node, scope: dict[str, Kind]) -> Kind:
        over = self.must(node.kids[0], scope, "a list", "list", "map")
        if node.variable in self.facts or node.variable in scope:
            raise InvalidInput(
                f"{node.variable!r} is the name of a fact already; call what `{node.name}` walks another."
            )
        element = TEXT if over.name == "map" else over.of or ANY
        inner = {**scope, node.variable: element}
        if node.name == "map":
            return Kind("list", self.kind(node.kids[1], inner)._replace(path=""))
        self.must(node.kids[1], inner, "true or false", "bool")
        return over._replace(path="") if node.name == "filter" else BOOL

    def call(self, node: Node, scope: dict[str, Kind]) -> Kind:
        first = node.kids[0]
        if node.name == "has":
            if first.what != "field":
                raise InvalidInput(
                    f"`has` must be asked of a field, such as `has(feature.semantic)`. Got {self.said(first)}."
                )
            self.kind(first, scope)
            return BOOL
        if node.name == "size":
            self.must(first, scope, "a list, a map or a text", "list", "map", "text")
            return INT
        if node.name == "string":
            self.kind(first, scope)
            return TEXT
        if node.name in ("double", "int"):
            self.must(first, scope, "a number or a text", "int", "double", "text")
            return DOUBLE if node.name == "double" else INT
        for part in node.kids:
            self.must(part, scope, "a text", "text")
        return BOOL

    def operator(self, node: Node, scope: dict[str, Kind]) -> Kind:
        if node.what in (*TRUTHS, "not"):
            for part in node.kids:
                self.must(part, scope, "true or false", "bool")
            return BOOL
        if node.what == "minus":
            return self.must(node.kids[0], scope, "a number", *NUMBERS)._replace(path="")
        left, right = self.kind(node.kids[0], scope), self.kind(node.kids[1], scope)
        if node.what == "in":
            if right.name not in ("list", "map", "any"):
                raise self.refuse(node.kids[1], "a list or a map", right)
            self.alike(node, left, TEXT if right.name == "map" else right.of or ANY)
            return BOOL
        if node.what in ("==", "!="):
            self.alike(node, left, right)
            return BOOL
        if node.what in ORDERS:
            for part, kind in zip(node.kids, (left, right), strict=True):
                if kind.name not in (*NUMBERS, "text"):
                    raise self.refuse(part, "a number or a text", kind)
            self.alike(node, left, right)
            return BOOL
        return self.arithmetic(node, left, right)

    def arithmetic(self, node: Node, left: Kind, right: Kind) -> Kind:
        for part, kind in zip(node.kids, (left, right), strict=True):
            if kind.name not in (*NUMBERS, *(("text",) if node.what == "+" else ())):
                raise self.refuse(part, "a number", kind)
        if "any" not in (left.name, right.name) and left.name != right.name:
            raise InvalidInput(
                f"{self.said(node)} mixes {_called(left)} and {_called(right)}, which the engine refuses. Write "
                "`double(…)` around the whole number, or 1.0 for 1."
            )
        return left._replace(path="")

    def alike(self, node: Node, left: Kind, right: Kind) -> None:
        names = {left.name, right.name}
        if len(names) > 1 and not names & {"any", "null"} and not names <= set(NUMBERS):
            raise InvalidInput(
                f"{self.said(node)} compares {_called(left)} with {_called(right)}, which are never alike."
            )


def _kind(told: Any, path: str) -> Kind:
    """The kind of a record's field as msgspec tells of it. What may also be missing is of the kind that it has else."""
    match told:
        case msgspec.inspect.StructType():
            inside = {
                field.encode_name: _kind(field.type, f"{path}.{field.encode_name}".lstrip(".")) for field in told.fields
            }
            return Kind("record", None, inside, path)
        case msgspec.inspect.ListType():
            return Kind("list", _kind(told.item_type, f"{path}[]"), None, path)
        case msgspec.inspect.DictType():
            return Kind("map", _kind(told.value_type, f"{path}[]"), None, path)
        case msgspec.inspect.UnionType():
            kinds = [one for one in told.types if not isinstance(one, msgspec.inspect.NoneType)]
            return _kind(kinds[0], path) if len(kinds) == 1 else Kind("any", path=path)
    names: dict[type, str] = {
        msgspec.inspect.BoolType: "bool",
        msgspec.inspect.IntType: "int",
        msgspec.inspect.FloatType: "double",
        msgspec.inspect.StrType: "text",
        msgspec.inspect.LiteralType: "text",
    }
    return Kind(names.get(type(told), "any"), path=path)


def _called(kind: Kind) -> str:
    names = {"bool": "true or false", "int": "a whole number", "double": "a number", "null": "nothing"}
    more = {"any": "anything", "record": "a group of facts"}
    return names.get(kind.name) or more.get(kind.name) or f"a {kind.name}"
