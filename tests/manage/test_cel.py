from typing import Any

import pytest

from tenure.manage import cel

FACTS = {
    "card": {"missing": []},
    "baseline": None,
    "features": [{"name": "a", "available": "at_scoring"}],
    "count": 0,
}


def test_a_true_expression_holds():
    assert cel.ask("size(card.missing) == 0", FACTS) == cel.Answer(True, "")


@pytest.mark.parametrize(
    "expression",
    [
        "card.complete",
        "unheard_of == 1",
        "baseline.rows > 0",
        "1 / count == 1",
        "features.all(feature, feature.forbidden == false)",
        "size(baseline) == 0",
        "card.missing +",
        "'true'",
        "1",
        "features",
        "(" * 2000 + "true" + ")" * 2000,
        "true || " * 1000 + "true",
    ],
)
def test_what_cannot_be_answered_does_not_hold(expression: str):
    answer = cel.ask(expression, FACTS)
    assert not answer.held
    assert answer.problem


@pytest.mark.parametrize("broken", [RuntimeError("no"), MemoryError(), RecursionError(), "yes", 1, None])
def test_an_engine_that_breaks_permits_nothing(broken: object, monkeypatch: pytest.MonkeyPatch):
    class Compiled:
        def execute(self, _context: Any) -> object:
            if isinstance(broken, BaseException):
                raise broken
            return broken

    monkeypatch.setattr(cel, "_compiled", lambda _expression: Compiled())
    assert not cel.ask("true", FACTS).held


def test_the_engine_is_named_with_its_version():
    assert cel.ENGINE.startswith("common-expression-language 0.")
