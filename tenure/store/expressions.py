"""SQL expressions that people declare (`action`, `value`), evaluated for each row in a locked-down DuckDB.

An expression is one scalar expression over named columns. It is parsed before it runs, and only what is known to be
harmless passes: constants, columns, comparisons, `case`, casts, arithmetic and the functions below. The engine has no
access to files, extensions or settings, and little memory, so that what would slip through still finds nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np

from tenure.errors import InvalidInput

ENGINE = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "enable_external_access": "false",
    "python_enable_replacements": "false",
    "memory_limit": "256MB",
    "threads": "1",
    "lock_configuration": "true",
}
PARTS = {
    "CONSTANT",
    "COLUMN_REF",
    "COMPARISON",
    "CONJUNCTION",
    "CASE",
    "CAST",
    "OPERATOR",
    "BETWEEN",
    "FUNCTION",
    "TYPE",
}
# fmt: off
FUNCTIONS = frozenset({
    "+", "-", "*", "/", "//", "%", "**", "^", "||", "~~", "!~~", "~~*", "!~~*", "&", "|", "abs", "ceil", "ceiling",
    "floor", "round", "trunc", "sign", "sqrt", "cbrt", "exp", "ln", "log", "log2", "log10", "pow", "power",
    "greatest", "least", "coalesce", "ifnull", "nullif", "if", "isnan", "isinf", "isfinite", "mod", "lower", "upper",
    "trim", "ltrim", "rtrim", "length", "substr", "substring", "left", "right", "contains", "starts_with",
    "ends_with", "prefix", "suffix", "replace", "concat", "strip_accents", "date_part", "date_trunc", "date_diff",
    "year", "month", "day", "hour", "minute", "second", "dayofweek", "dayofyear", "week", "quarter", "epoch",
    "to_days", "to_hours", "to_minutes", "to_seconds", "make_date", "sin", "cos", "tan", "atan", "atan2", "radians",
    "degrees", "pi", "gamma", "lgamma",
})
# fmt: on
MAX_LENGTH = 4_000
_lock = threading.Lock()


def check(expression: str, where: str) -> frozenset[str]:
    """The columns that an expression names. Raises InvalidInput when it is not one harmless scalar expression.

    `where` says what declares it, such as `value`, for the message.
    """
    if not expression.strip() or len(expression) > MAX_LENGTH:
        raise _refused(expression, where, f"it must have between 1 and {MAX_LENGTH} characters")
    try:
        columns = _columns_of(expression)
    except _NotAllowed as reason:
        raise _refused(expression, where, str(reason)) from None
    return columns


def evaluate(expression: str, columns: Mapping[str, Any], kind: type[bool] | type[float], where: str) -> Any:
    """The expression's value for each row, as an array of bool (null is False) or of float (null is NaN).

    `columns`: Arrow or numpy arrays of one length by name. A column that is named in another case is found too.
    Raises InvalidInput naming the expression when it names an unknown column or fails on the rows.
    """
    import duckdb
    import pyarrow as pa

    named = {name: columns[_found(name, columns, expression, where)] for name in check(expression, where)}
    rows = len(next(iter(columns.values())))
    arrays = {name: pa.array(values, from_pandas=True) for name, values in named.items()}  # NaN is missing, not great
    table = pa.table({**arrays, "": pa.nulls(rows)})  # a constant has a value for each row, too
    with _lock:
        engine = _engine()
        engine.register("rows", table)
        try:
            answer = engine.execute(_cast(expression, "BOOLEAN" if kind is bool else "DOUBLE")).fetchnumpy()
        except duckdb.Error as problem:
            raise _refused(expression, where, _first_line(problem)) from None
        finally:
            engine.unregister("rows")
    return np.ma.filled(answer["outcome"], False if kind is bool else np.nan).astype(kind)


class _NotAllowed(Exception):
    """Why an expression is refused."""


def _query(expression: str) -> str:
    return f"SELECT (\n{expression}\n) AS outcome FROM rows"  # noqa: S608  it is parsed and checked before it runs


def _cast(expression: str, target: str) -> str:
    """The query that was checked, word for word, with its outcome as another type."""
    return f"SELECT CAST(outcome AS {target}) AS outcome FROM ({_query(expression)})"  # noqa: S608  as above


@lru_cache(maxsize=512)
def _columns_of(expression: str) -> frozenset[str]:
    with _lock:
        text = _engine().execute("SELECT json_serialize_sql(?)", [_query(expression)]).fetchall()[0][0]
    parsed = msgspec.json.decode(text)
    if parsed["error"]:
        raise _NotAllowed(str(parsed.get("error_message", "it cannot be parsed")))
    _check_shape(parsed["statements"])
    columns = set()
    for part in _parts(parsed["statements"][0]["node"]["select_list"]):
        _check_part(part)
        if part["class"] == "COLUMN_REF":
            columns.add(_name_of(part))
    return frozenset(columns)


def _check_shape(statements: list[dict[str, Any]]) -> None:
    """Nothing may stand around the expression: it is one value, from the rows, without any clause."""
    node = statements[0]["node"] if len(statements) == 1 else {}
    table = node.get("from_table") or {}
    plain = (
        node.get("type") == "SELECT_NODE"
        and len(node["select_list"]) == 1
        and node["select_list"][0].get("alias") == "outcome"
        and table.get("type") == "BASE_TABLE"
        and table.get("table_name") == "rows"
        and not any(
            node.get(clause) for clause in ("where_clause", "group_expressions", "having", "qualify", "modifiers")
        )
        and not node.get("cte_map", {}).get("map")
        and not node.get("sample")
    )
    if not plain:
        raise _NotAllowed("it must be one expression, without another statement or clause")


def _check_part(part: dict[str, Any]) -> None:
    kind = part["class"]
    if kind not in PARTS:
        raise _NotAllowed(f"it may not contain a {kind.lower().replace('_', ' ')}")
    if kind == "FUNCTION" and part["function_name"].lower() not in FUNCTIONS:
        raise _NotAllowed(f"the function {part['function_name']!r} may not be used here")
    if part["type"] in ("GROUPING_FUNCTION", "ARRAY_CONSTRUCTOR"):
        raise _NotAllowed("it may not contain a group or a list")


def _parts(node: Any) -> Iterator[dict[str, Any]]:
    """Every part of a parsed expression, at any depth."""
    if isinstance(node, dict):
        if "class" in node:
            yield node
        for inner in node.values():
            yield from _parts(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _parts(inner)


def _name_of(part: dict[str, Any]) -> str:
    names = part["column_names"]
    if len(names) != 1:
        raise _NotAllowed(f"{'.'.join(names)!r} must be a plain column name")
    return str(names[0])


def _found(name: str, columns: Mapping[str, Any], expression: str, where: str) -> str:
    """The column that a name means: itself, else the one that differs only in case."""
    if name in columns:
        return name
    alike = [column for column in columns if column.lower() == name.lower()]
    if len(alike) == 1:
        return alike[0]
    known = ", ".join(sorted(columns)[:30])
    raise _refused(expression, where, f"there is no column {name!r}; there are {known}")


def _first_line(problem: Exception) -> str:
    return str(problem).splitlines()[0]


def _refused(expression: str, where: str, reason: str) -> InvalidInput:
    shown = expression if len(expression) <= 200 else f"{expression[:200]}…"
    return InvalidInput(f"The expression {where!r} cannot be used: {reason}. Got: {shown}", where=where)


@lru_cache(maxsize=1)
def _engine() -> Any:
    import duckdb

    return duckdb.connect(":memory:", config=dict(ENGINE))
