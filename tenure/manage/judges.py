"""Whether one value of a model's file is looser than another: a judge for each sort of key. Pure.

A judge says why the second value is looser than the first, and nothing when it is not. What cannot be shown to be as
tight as before counts as looser.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tenure.errors import InvalidInput
from tenure.manage import expressions
from tenure.records.admission import purpose_word
from tenure.records.model_files import Step, span_us

Judge = Callable[[Any, Any], str]
"""Why the second value is looser than the first, in words; empty when it is not."""
GONE = "is taken off"


def plain(_before: Any, _after: Any) -> str:
    """It describes, routes or tunes: no rule."""
    return ""


def fixed(before: Any, after: Any) -> str:
    """Any other value may be looser."""
    return "" if before == after else f"{_changed(before, after)}, which cannot be shown to be as tight"


def kept(before: Any, after: Any) -> str:
    """It may be declared where nothing was, and then stands."""
    return "" if before in (None, []) else _gone_or(before, after, fixed)


def most(before: Any, after: Any) -> str:
    """A limit from above."""
    return "" if before is None else _gone_or(before, after, lambda old, new: _changed(old, new) if new > old else "")


def least(before: Any, after: Any) -> str:
    """A limit from below."""
    return "" if before is None else _gone_or(before, after, lambda old, new: _changed(old, new) if new < old else "")


def all_kept(before: Sequence[Any], after: Sequence[Any]) -> str:
    """A list of which each entry forbids, asks or watches."""
    gone = [str(one) for one in before if one not in after]
    return f"no longer holds {', '.join(gone)}" if gone else ""


def not_for(before: Sequence[str], after: Sequence[str]) -> str:
    """The same for purposes, which are compared as requests are."""
    named = {purpose_word(one) for one in after}
    return all_kept([one for one in before if purpose_word(one) not in named], [])


def allowed(before: Sequence[str], after: Sequence[str]) -> str:
    """A list of what is allowed, where none allows everything."""
    if not before:
        return ""
    more = [one for one in after if one not in before]
    return f"also allows {', '.join(more)}" if more else "" if after else f"is no longer limited to {', '.join(before)}"


def reaches(before: Sequence[str], after: Sequence[str]) -> str:
    """A list of where a ban holds, where none is everywhere."""
    gone = [one for one in before if one not in after]
    if not after or not (gone or not before):
        return ""
    return f"no longer reaches {', '.join(gone)}" if before else f"reaches {', '.join(after)} alone, and was everywhere"


def ordered(*tightest_first: Any) -> Judge:
    """One of a few words, each looser than those before it."""

    def judge(before: Any, after: Any) -> str:
        return _changed(before, after) if tightest_first.index(after) > tightest_first.index(before) else ""

    return judge


def available(before: str, after: str) -> str:
    """Only what is known at scoring may be used online, so every other word is a rule."""
    return "" if before == "at_scoring" else fixed(before, after)


def otherwise(before: str, after: str) -> str:
    """What a look-up does without a value: to refuse is the tightest, and the others do not compare."""
    return "" if after == "reject" else fixed(before, after)


def span(before: str, after: str) -> str:
    """A time in which nothing is said, such as `2d`."""
    return _changed(before, after) if span_us(after) > span_us(before) else ""


def within(before: tuple[float, float] | None, after: tuple[float, float] | None) -> str:
    """A range of values: one inside of the other is tighter."""

    def judge(old: tuple[float, float], new: tuple[float, float]) -> str:
        return _changed(old, new) if new[0] < old[0] or new[1] > old[1] else ""

    return "" if before is None else _gone_or(before, after, judge)


def condition(before: str | None, after: str | None) -> str:
    """A condition in CEL: one that asks all that was asked, and more, is tighter; another text cannot be compared."""
    if before is None or before == after:
        return ""
    if after is None:
        return GONE
    try:
        asked = set(_parts(before)) <= set(_parts(after))
    except InvalidInput:
        asked = False
    return "" if asked else fixed(before, after)


def steps(before: Sequence[Step], after: Sequence[Step]) -> str:
    """Who signs: every role with as many signatures, of the same people where they are named, chosen from as many.

    Of other people named nobody can say that they are as strict, and fewer leave less to choose from. Where a role has
    several steps, the first says who, and the most signatures count, as when people sign.
    """
    found = [_step(role, before, after) for role in dict.fromkeys(step.role for step in before)]
    return "; ".join(dict.fromkeys(one for one in found if one))


def _step(role: str, before: Sequence[Step], after: Sequence[Step]) -> str:
    old, new = ([step for step in many if step.role == role] for many in (before, after))
    if not new:
        return f"{role} signs no more"
    needed, then = (max(step.signatures for step in many) for many in (old, new))
    if then < needed:
        return f"{needed} signatures as {role} become {then}"
    if old[0].people and set(old[0].people) != set(new[0].people):
        others = ", ".join(new[0].people) or "everybody with the role"
        return f"{', '.join(old[0].people)} may sign as {role}, and then {others}"
    panel, chosen = old[0].of or 0, new[0].of or len(new[0].people)
    if panel > chosen:
        return f"the signatures as {role} are chosen from {chosen or 'any number'}, and were from {panel} at least"
    return ""


def _parts(expression: str) -> list[str]:
    """What a condition asks, part by part: what `&&` joins at its top, as it is written."""
    found = expressions.conjuncts(expressions.read(expression))
    return [_bare(expression[part.start : part.end].strip()) for part in found]


def _bare(text: str) -> str:
    """Without parentheses around the whole; `(a) || (b)` has none."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    try:
        expressions.read(text[1:-1])
    except InvalidInput:
        return text
    return _bare(text[1:-1].strip())


def _gone_or(before: Any, after: Any, judge: Judge) -> str:
    return GONE if after in (None, []) else judge(before, after)


def _changed(before: Any, after: Any) -> str:
    return f"{_told(before)} becomes {_told(after)}"


def _told(value: Any) -> str:
    match value:
        case None | []:
            return "nothing"
        case list() | tuple():
            return f"[{', '.join(_told(item) for item in value)}]"
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return f"{value:g}" if value == int(value) or abs(value) < 1e6 else str(value)
        case _:
            return f"'{value}'"
