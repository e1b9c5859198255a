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
from tenure.manage import expressions, kinds
from tenure.manage.expressions import MOST_STEPS

ENGINE = f"common-expression-language {version('common-expression-language')}"
ASSUMED_ITEMS = 200
"""How long the lists of facts are taken to be when an expression is published; at a gate their own length counts."""


class Answer(NamedTuple):
    """`problem` says why an expression could not be answered; empty when it could."""

    held: bool
    problem: str


class Asked:
    """Facts that several expressions are asked of: they are handed to the engine once."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts: dict[str, Any] = there(dict(facts))
        self._longest = _longest(self.facts)
        self._context = _engine().Context(self.facts)

    def ask(self, expression: str) -> Answer:
        """Whether an expression is true of the facts. It ends within a bounded number of steps, or is not begun."""
        try:
            most = _steps(expression, self._longest)
        except InvalidInput as problem:
            return Answer(False, problem.message)
        if most > MOST_STEPS:
            return Answer(False, f"it may take more than {MOST_STEPS:,} steps on facts of this size")
        try:
            answer = _compiled(expression).execute(self._context)
        except Exception as problem:
            return Answer(False, f"it could not be evaluated ({type(problem).__name__}: {problem})")
        if answer is True:
            return Answer(True, "")
        return Answer(False, "" if answer is False else "its answer is neither true nor false")

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


def there(value: Any) -> Any:
    """Facts without those that are None, or a list with such an item: a look at one of them is an error then, and the
    rule does not hold."""
    if isinstance(value, dict):  # not Mapping: to ask that of thousands of values takes longer than the engine does
        kept = {}
        for name, inner in value.items():
            if inner is None:
                continue
            if not isinstance(inner, HOLDING):
                kept[name] = inner
            elif not (isinstance(inner, list) and None in inner):
                kept[name] = there(inner)
        return kept
    if isinstance(value, list | tuple):
        return [there(item) if isinstance(item, HOLDING) else item for item in value]
    return value


HOLDING = (dict, list, tuple)
"""What holds further facts. Most facts are plain, and a call for each of them would cost more than all the rest."""


def _longest(value: Any) -> int:
    """The length of the longest list or mapping, at any depth."""
    inner = value.values() if isinstance(value, dict) else value
    return max(len(value), *(_longest(one) for one in inner if isinstance(one, HOLDING)), 0)


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
