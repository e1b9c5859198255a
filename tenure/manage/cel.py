"""The one place that knows CEL: an expression over facts, and whether it held.

It fails closed: an expression that cannot be read, that needs a fact which is not there, or whose answer is anything
but true or false, did not hold.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from importlib.machinery import ExtensionFileLoader
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

ENGINE = f"common-expression-language {version('common-expression-language')}"
MAX_LENGTH = 2000
MAX_NESTING = 40  # the parser itself recurses: thousands of parentheses end the process


class Answer(NamedTuple):
    """`problem` says why an expression could not be answered; empty when it could."""

    held: bool
    problem: str


def ask(expression: str, facts: dict[str, Any]) -> Answer:
    """Whether an expression is true of the facts.

    >>> ask("size(card.missing) == 0", {"card": {"missing": []}})
    Answer(held=True, problem='')
    >>> ask("card.complete", {"card": {}}).held
    False
    """
    if len(expression) > MAX_LENGTH or _nesting(expression) > MAX_NESTING:
        return Answer(False, f"an expression may have {MAX_LENGTH} characters and {MAX_NESTING} nested brackets")
    try:
        answer = _compiled(expression).execute(facts)
    except Exception as problem:
        return Answer(False, f"it could not be evaluated ({type(problem).__name__}: {problem})")
    if answer is True:
        return Answer(True, "")
    return Answer(False, "" if answer is False else "its answer is neither true nor false")


def _nesting(expression: str) -> int:
    depth = deepest = 0
    for character in expression:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest


@lru_cache(maxsize=256)
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
