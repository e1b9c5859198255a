"""A condition on a request as nested look-ups: asked of its facts, in about a microsecond.

An answer is true, false, or None when a fact that it needs is not there; joined as CEL joins them. Only true counts.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from tenure.records.admission import Condition

Facts = Mapping[str, Any]
Asked = Callable[[Facts], bool | None]
COMPARED = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def look_up(condition: Condition) -> Asked:
    """A condition ready to be asked. Facts that are not there are None.

    >>> early = look_up(Condition(op="<", fact="hour", values=[5]))
    >>> early({"hour": 4}), early({"hour": 5}), early({"hour": None})
    (True, False, None)
    """
    match condition.op:
        case "and":
            return _joined([look_up(part) for part in condition.parts], decides=False)
        case "or":
            return _joined([look_up(part) for part in condition.parts], decides=True)
        case "not":
            return _turned(look_up(condition.parts[0]))
        case "has":
            fact = condition.fact
            return lambda facts: facts[fact] is not None
        case "in":
            return _among(condition.fact, frozenset(condition.values))
    return _compared(condition.fact, COMPARED[condition.op], condition.values[0])


def _joined(parts: list[Asked], *, decides: bool) -> Asked:
    """`and` ends at the first false, `or` at the first true; without one, a part without an answer leaves none."""

    def asked(facts: Facts) -> bool | None:
        answer: bool | None = not decides
        for part in parts:
            one = part(facts)
            if one is decides:
                return decides
            if one is None:
                answer = None
        return answer

    return asked


def _turned(part: Asked) -> Asked:
    def asked(facts: Facts) -> bool | None:
        answer = part(facts)
        return None if answer is None else not answer

    return asked


def _among(fact: str, values: frozenset[str | int]) -> Asked:
    def asked(facts: Facts) -> bool | None:
        found = facts[fact]
        return None if found is None else found in values

    return asked


def _compared(fact: str, compare: Callable[[Any, Any], Any], value: str | int) -> Asked:
    def asked(facts: Facts) -> bool | None:
        found = facts[fact]
        return None if found is None else compare(found, value)

    return asked
