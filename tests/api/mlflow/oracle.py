"""The search language once more, from its description alone: plain Python over plain rows, without SQL or our parser.

`answer(noun, rows, filter, order_by)` gives the ids in order, or raises Refused.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


class Refused(Exception):
    """The filter or the order is not in the language."""


@dataclass
class Row:
    """One run, experiment, model or version, as it was stored. An attribute that is None is missing."""

    id: str
    attributes: dict[str, Any]
    metrics: dict[str, float] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    datasets: list[dict[str, str | None]] = field(default_factory=list)
    stage: str = "active"
    prompt: bool = False


@dataclass(frozen=True)
class Noun:
    """What may be asked of one kind of row. An attribute's kind is `number`, `text`, `list` or `id`."""

    entities: dict[str, str]
    attributes: dict[str, str]
    other_names: dict[str, str]
    keyed: frozenset[str]  # operators of params and tags
    orders: frozenset[str]  # attributes and entities
    ties: Callable[[Row], Any]  # where the order says nothing
    ties_alone: Callable[[Row], Any]  # where there is no order


NUMBERS = frozenset({"=", "!=", "<", "<=", ">", ">="})
TEXTS = frozenset({"=", "!=", "LIKE", "ILIKE"})
LISTS = frozenset({"IN", "NOT IN"})
NULLS = frozenset({"IS NULL", "IS NOT NULL"})
KINDS = {"number": NUMBERS, "text": TEXTS, "list": TEXTS | LISTS, "id": LISTS | {"=", "!="}}
ATTRIBUTE = dict.fromkeys(("attribute", "attributes"), "attributes")
TAG = dict.fromkeys(("tag", "tags"), "tags")


def newest(name: str, *then: Callable[[Row], Any]) -> Callable[[Row], Any]:
    return lambda row: (-row.attributes[name], *(one(row) for one in then))


def by_id(row: Row) -> Any:
    return int(row.id) if row.id.isdigit() else row.id


def version(row: Row) -> Any:
    return row.attributes["name"], -row.attributes["version_number"]


RUNS = Noun(
    entities={
        **ATTRIBUTE,
        **TAG,
        **dict.fromkeys(("attr", "run"), "attributes"),
        **dict.fromkeys(("metric", "metrics"), "metrics"),
        **dict.fromkeys(("param", "params", "parameter", "parameters"), "params"),
        **dict.fromkeys(("dataset", "datasets"), "datasets"),
    },
    attributes={
        "run_id": "list",
        **dict.fromkeys(("run_name", "user_id", "status", "artifact_uri"), "text"),
        **dict.fromkeys(("start_time", "end_time"), "number"),
    },
    other_names={
        **dict.fromkeys(("run name", "Run name", "Run Name"), "run_name"),
        **dict.fromkeys(("created", "Created"), "start_time"),
    },
    keyed=TEXTS | NULLS,
    orders=frozenset(
        {"metrics", "params", "tags", "run_id", "run_name", "user_id", "status", "artifact_uri"}
        | {"start_time", "end_time"}
    ),
    ties=newest("start_time", by_id),
    ties_alone=newest("start_time", by_id),
)
EXPERIMENTS = Noun(
    entities={**ATTRIBUTE, **TAG, "attr": "attributes"},
    attributes={
        "name": "text",
        "experiment_id": "id",
        **dict.fromkeys(("creation_time", "last_update_time"), "number"),
    },
    other_names={},
    keyed=TEXTS | NULLS,
    orders=frozenset({"name", "experiment_id", "creation_time", "last_update_time"}),
    ties=by_id,
    ties_alone=newest("creation_time", by_id),
)
REGISTERED_MODELS = Noun(
    entities={**ATTRIBUTE, **TAG},
    attributes={"name": "list", "last_updated_timestamp": "number"},
    other_names={"timestamp": "last_updated_timestamp"},
    keyed=TEXTS | NULLS,
    orders=frozenset({"name", "last_updated_timestamp"}),
    ties=lambda row: row.id,
    ties_alone=lambda row: row.id,
)
VERSIONS = Noun(
    entities={**ATTRIBUTE, **TAG},
    attributes={
        **dict.fromkeys(("name", "run_id"), "list"),
        "source_path": "text",
        **dict.fromkeys(("version_number", "creation_timestamp", "last_updated_timestamp"), "number"),
    },
    other_names={"version": "version_number"},
    keyed=TEXTS | NULLS,
    orders=frozenset({"name", "version_number", "creation_timestamp", "last_updated_timestamp"}),
    ties=version,
    ties_alone=newest("last_updated_timestamp", version),
)
LOGGED_MODELS = Noun(
    entities={one: one for one in ("metrics", "params", "tags", "attributes")},
    attributes={
        **dict.fromkeys(("name", "model_id", "model_type", "status", "source_run_id"), "list"),
        **dict.fromkeys(("creation_timestamp", "last_updated_timestamp"), "number"),
        "experiment_id": "id",
    },
    other_names={"creation_time": "creation_timestamp"},
    keyed=TEXTS | LISTS,
    orders=frozenset(
        {"metrics", "name", "model_id", "model_type", "status", "source_run_id"}
        | {"creation_timestamp", "last_updated_timestamp"}
    ),
    ties=newest("creation_timestamp", by_id),
    ties_alone=newest("creation_timestamp", by_id),
)


# --- reading ---

KEY = r"""(?:(?P<entity>[^\s.=<>!,()'"`]+)\.)?(?P<key>`[^`]*`|"[^"]*"|[^\s=<>!,()'"`]+)"""
WORDS = r"NOT\s+IN|IN|I?LIKE|IS\s+NOT\s+NULL|IS\s+NULL"
OPERATOR = rf"(?P<op><=|>=|!=|=|<|>|(?i:{WORDS})(?![^\s=<>!,()'\"`]))"
QUOTED = r"""(?:'(?:[^']|'')*'|"[^"]*")"""
VALUE = rf"""(?P<value>{QUOTED}|\(\s*{QUOTED}(?:\s*,\s*{QUOTED})*\s*(?:,\s*)?\)|[^\s=<>!,()'"`]+)?"""
COMPARISON = re.compile(rf"\s*{KEY}\s*{OPERATOR}\s*")
GIVEN = re.compile(VALUE)
AND = re.compile(r"""\s*(?i:AND)(?![^\s=<>!,()'"`])""")
ORDER = re.compile(rf"\s*{KEY}(?:\s*(?P<way>(?i:ASC|DESC)))?\s*")
DIGITS = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

Comparison = tuple[str, str, str, Any]


def read(text: str, noun: Noun) -> list[Comparison]:
    """The comparisons of a filter: entity, key, operator, value."""
    found, at = [], 0
    while text[at:].strip() or found:
        matched = COMPARISON.match(text, at)
        if matched is None:
            raise Refused(text)
        entity, key = _left(matched["entity"], matched["key"], noun)
        op = " ".join(matched["op"].upper().split())
        at = matched.end()
        value = None
        if not op.startswith("IS"):
            given = GIVEN.match(text, at)
            assert given is not None
            value, at = _value(given["value"] or "", op, "<" in operators(noun, entity, key), key), given.end()
        if op not in operators(noun, entity, key):
            raise Refused(f"{key} {op}")
        found.append((entity, key, op, value))
        if not text[at:].strip():
            break
        joined = AND.match(text, at)
        if joined is None:
            raise Refused(text[at:])
        at = joined.end()
    return found


def _left(entity: str | None, key: str, noun: Noun) -> tuple[str, str]:
    plain = key[1:-1] if key[0] in '`"' else key
    kind = noun.entities.get(entity) if entity else "attributes"
    if kind is None or not plain:
        raise Refused(f"{entity}.{key}")
    if kind == "attributes":
        plain = noun.other_names.get(plain, plain)
        if plain not in noun.attributes:
            raise Refused(plain)
    if kind == "datasets" and plain not in ("name", "digest", "context"):
        raise Refused(plain)
    return kind, plain


def operators(noun: Noun, entity: str, key: str) -> frozenset[str]:
    if entity == "attributes":
        return KINDS[noun.attributes[key]]
    return {"metrics": NUMBERS, "datasets": TEXTS | LISTS}.get(entity, noun.keyed)


def _value(written: str, op: str, is_number: bool, key: str) -> Any:
    if "IN" in op.split():
        if written[:1] != "(":
            raise Refused(written)
        return [_unquoted(one) for one in re.findall(QUOTED, written)]
    if is_number:
        if key == "version_number" and written[:1] == "'":
            written = written[1:-1]
        if not DIGITS.fullmatch(written):
            raise Refused(written)
        return float(written) if re.search(r"[.eE]", written) else int(written)
    if written[:1] not in ("'", '"') or not written:
        raise Refused(written)
    return _unquoted(written)


def _unquoted(written: str) -> str:
    return written[1:-1].replace("''", "'") if written[0] == "'" else written[1:-1]


# --- answering ---

COMPARE = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compare(have: Any, op: str, value: Any) -> bool:
    """How one value that is there compares."""
    if isinstance(have, float) and math.isnan(have):
        return op == "!="
    if op in ("IN", "NOT IN"):
        return (have in value) is (op == "IN")
    if op in ("LIKE", "ILIKE"):
        have, value = (have, value) if op == "LIKE" else (lowered(have), lowered(value))
        parts = (".*" if one == "%" else "." if one == "_" else re.escape(one) for one in value)
        return re.fullmatch("".join(parts), have, re.DOTALL) is not None
    return bool(COMPARE[op](have, value))


def lowered(text: str) -> str:
    """Only the letters of ASCII have a case here: the same in every database."""
    return "".join(one.lower() if one.isascii() else one for one in text)


def holds(row: Row, comparison: Comparison, noun: Noun) -> bool:
    entity, key, op, value = comparison
    if entity == "datasets":
        return any(one[key] is not None and compare(one[key], op, value) for one in row.datasets)
    have = getattr(row, entity).get(key)
    if op in ("IS NULL", "IS NOT NULL"):
        return (have is None) is (op == "IS NULL")
    return have is not None and compare(have, op, value)


PROMPT = "mlflow.prompt.is_prompt"


def _asks_for_models(comparison: Comparison) -> bool:
    """Whether a comparison is one of the two ways of saying: no prompts."""
    entity, key, op, value = comparison
    return (entity, key) == ("tags", PROMPT) and (op, str(value).lower()) in (("!=", "true"), ("=", "false"))


def answer(noun: Noun, rows: Sequence[Row], text: str, order_by: Sequence[str]) -> list[str]:
    """Ids of the rows for which every comparison holds, in order."""
    asked = read(text, noun)
    if noun in (REGISTERED_MODELS, VERSIONS):
        others = [one for one in asked if not _asks_for_models(one)]
        if len(others) < len(asked) or not any(one[:2] == ("tags", PROMPT) for one in others):
            rows = [row for row in rows if not row.prompt]
        asked = others
    found = [row for row in rows if all(holds(row, one, noun) for one in asked)]
    orders = [_order(one, noun) for one in order_by]
    if len({pair[:2] for pair in orders}) < len(orders):
        raise Refused("a key twice")
    found.sort(key=noun.ties if orders else noun.ties_alone)
    for entity, key, ascending in reversed(orders):
        _sort(found, entity, key, ascending)
    return [row.id for row in found]


def _order(text: str, noun: Noun) -> tuple[str, str, bool]:
    matched = ORDER.fullmatch(text)
    if matched is None:
        raise Refused(text)
    entity, key = _left(matched["entity"], matched["key"], noun)
    if not {entity, key if entity == "attributes" else entity} & noun.orders:
        raise Refused(text)
    return entity, key, (matched["way"] or "ASC").upper() == "ASC"


def _sort(rows: list[Row], entity: str, key: str, ascending: bool) -> None:
    """Values first, then NaN, then rows that lack it, whatever the direction; equal ones stay as they are."""

    def value(row: Row) -> Any:
        return int(row.id) if key == "experiment_id" else getattr(row, entity).get(key)

    def rank(row: Row) -> int:
        have = value(row)
        return 2 if have is None else 1 if isinstance(have, float) and math.isnan(have) else 0

    valued = [row for row in rows if rank(row) == 0]
    valued.sort(key=value, reverse=not ascending)  # stable in both directions
    rows[:] = [*valued, *(row for row in rows if rank(row) == 1), *(row for row in rows if rank(row) == 2)]
