"""The one place that knows CEL: an expression over facts, and whether it held.

It fails closed: an expression that cannot be read, that needs a fact which is not there, or whose answer is anything
but true or false, did not hold. A fact that is None counts as not there, since CEL itself finds nothing wrong with
`feature.semantic != 'race'` of a feature of which nobody said what it means.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from functools import lru_cache
from importlib.machinery import ExtensionFileLoader
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from tenure.errors import InvalidInput
from tenure.manage import expressions, kinds, needs
from tenure.manage.expressions import MOST_STEPS
from tenure.records.digests import PLAIN

ENGINE = f"common-expression-language {version('common-expression-language')}"
ASSUMED_ITEMS = 200
"""How long the lists of facts are taken to be when an expression is published; at a gate their own length counts."""


class Answer(NamedTuple):
    """`problem` says why an expression could not be answered; empty when it could."""

    held: bool
    problem: str


class _HandedOver(NamedTuple):
    """Facts as the engine holds them, and the length of the longest list or mapping among them."""

    context: Any
    longest: int


class Asked:
    """Facts that several expressions are asked of. What they look at is handed to the engine once, and so is asked
    what several of them ask alike: policies of one house repeat each other."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts = facts
        self._handed_over: dict[bytes, _HandedOver] = {}
        self._answers: dict[str, Answer] = {}

    def ask(self, expression: str) -> Answer:
        """Whether an expression is true of the facts. It ends within a bounded number of steps, or is not begun."""
        answer = self._answers.get(expression)
        if answer is None:
            answer = self._answers[expression] = self._ask(expression)
        return answer

    def _ask(self, expression: str) -> Answer:
        facts = self._part(needs.of(expression))
        try:
            most = _steps(expression, facts.longest)
        except InvalidInput as problem:
            return Answer(False, problem.message)
        if most > MOST_STEPS:
            return Answer(False, f"it may take more than {MOST_STEPS:,} steps on facts of this size")
        try:
            answer = _compiled(expression).execute(facts.context)
        except Exception as problem:
            return Answer(False, f"it could not be evaluated ({type(problem).__name__}: {problem})")
        if answer is True:
            return Answer(True, "")
        return Answer(False, "" if answer is False else "its answer is neither true nor false")

    def _part(self, needed: needs.Needed) -> _HandedOver:
        found = self._handed_over.get(needed.key)
        if found is None:
            part = needs.part(self.facts, needed.need)
            found = self._handed_over[needed.key] = _HandedOver(_engine().Context(part), _longest(part))
        return found

    def also(self, name: str, value: Any) -> Asked:
        """The same facts with one more, under a name of its own."""
        return Asked({**self.facts, name: value})


def ask(expression: str, facts: Mapping[str, Any]) -> Answer:
    """Whether an expression is true of the facts.

    >>> ask("size(card.missing) == 0", {"card": {"missing": []}})
    Answer(held=True, problem='')
    >>> ask("card.complete", {"card": {}}).held
    False
    >>> ask("card.owner != 'ann'", {"card": {"owner": None}}).held
    False
    """
    return Asked(facts).ask(expression)


def check(expression: str) -> list[str]:
    """The facts that an expression reads. Raises InvalidInput when it cannot be read, does not fit the typed facts, or
    may take too long."""
    tree = expressions.read(expression)
    read = kinds.check(tree, expression)
    least = expressions.steps(tree, ASSUMED_ITEMS)
    if least > MOST_STEPS:
        raise InvalidInput(
            f"The expression may take {least:,} steps with lists of {ASSUMED_ITEMS} items; at most {MOST_STEPS:,} are "
            "allowed. Walk fewer lists within each other."
        )
    try:
        _compiled(expression)
    except Exception as problem:
        raise InvalidInput(f"The expression cannot be compiled: {problem}.") from None
    return read


def _longest(facts: Mapping[str, Any] | list[Any]) -> int:
    """The length of the longest list or mapping, at any depth."""
    longest = 0
    waiting: list[Any] = [facts]
    while waiting:
        value = waiting.pop()
        if isinstance(value, (dict, list, tuple)):
            longest = max(longest, len(value))
            inner = value.values() if isinstance(value, dict) else value
            waiting += [one for one in inner if type(one) not in PLAIN and one]
    return longest


@lru_cache(maxsize=4096)
def _steps(expression: str, longest: int) -> int:
    return expressions.steps(expressions.read(expression), longest)


@lru_cache(maxsize=1024)
def _compiled(expression: str) -> Any:
    return _engine().compile(expression)


@lru_cache(maxsize=1)
def _engine() -> Any:
    """The package's compiled module alone: its `__init__` also loads a command line (1 s and 34 MB we do not use)."""
    package = importlib.util.find_spec("cel")
    for folder in (package and package.submodule_search_locations) or []:
        for file in sorted(Path(folder).glob("cel.*")):
            if file.suffix in (".so", ".pyd"):
                loader = ExtensionFileLoader("cel", str(file))
                spec = importlib.util.spec_from_file_location("cel", file, loader=loader)
                assert spec is not None
                module = importlib.util.module_from_spec(spec)
                loader.exec_module(module)
                return module
    return importlib.import_module("cel")
