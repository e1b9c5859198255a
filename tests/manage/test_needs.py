"""Handing the engine only what expressions look at must never change an answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure.manage import cel, needs

PARTS = (
    "features.all(f, f.forbidden == false)",
    "features.all(f, !has(f.source) || f.source != 'bureau')",
    "features.exists(f, f.kind == 'text' && 'race' in f.semantics)",
    "features.exists_one(f, f.name == 'a')",
    "features.filter(f, f.kind == 'text').all(g, g.source == 'bank')",
    "size(features.filter(f, f.kind == 'text')) == 1",
    "features.map(f, f.name) == ['a']",
    "features.all(f, f.semantics.all(s, s != 'race'))",
    "features.all(f, features.exists(g, g.name == f.kind))",
    "features.all(f, size(f.semantics) > 0)",
    "features.all(f, f.semantics.size() < 2)",
    "features.all(f, true)",
    "features.all(f, f == f)",
    "features == features",
    "features[0].name == 'a'",
    "features.name == 'a'",
    "['a', 'b'].exists(n, features.exists(f, f.name == n))",
    "size(features) > 1",
    "size(packages) == 2",
    "packages.exists(p, p == 'numpy')",
    "packages.numpy.startsWith('2.')",
    "'numpy' in packages",
    "has(card.owner)",
    "card.owner != 'ann'",
    "string(card.missing) == '[]'",
    "(governed ? card.owner : 'x') == 'x'",
    "-count < 0",
    "unheard_of == 1",
)
WORDS = st.sampled_from(["a", "b", "text", "race", "bank", "bureau"])
FACTS = st.fixed_dictionaries(
    {
        "features": st.none()
        | st.lists(
            st.fixed_dictionaries(
                {
                    "name": WORDS,
                    "kind": st.none() | WORDS,
                    "source": st.none() | WORDS,
                    "forbidden": st.none() | st.booleans(),
                    "semantics": st.none() | st.lists(st.none() | WORDS, max_size=3),
                }
            ),
            max_size=3,
        ),
        "packages": st.none() | st.dictionaries(st.sampled_from(["numpy", "ours"]), st.none() | st.just("2.1")),
        "card": st.none() | st.fixed_dictionaries({"owner": st.none() | WORDS, "missing": st.lists(WORDS, max_size=2)}),
        "governed": st.none() | st.booleans(),
        "count": st.integers(0, 3),
    }
)
JOINED = st.tuples(st.sampled_from(PARTS), st.sampled_from([" && ", " || "]), st.sampled_from(PARTS)).map("".join)


def of_all_facts(expression: str, facts: dict[str, Any]) -> object:
    """What the engine says of an expression with every fact at hand; None when it cannot be answered."""
    try:
        return cel._compiled(expression).execute(cel._engine().Context(needs.there(facts)))
    except Exception:
        return None


@settings(max_examples=300, deadline=None)
@given(FACTS, JOINED, st.lists(st.sampled_from(PARTS), max_size=3))
def test_an_answer_is_the_same_as_with_all_facts(facts: dict[str, Any], expression: str, others: list[str]) -> None:
    wanted = of_all_facts(expression, facts)
    asked = cel.Asked(facts)
    for other in others:
        asked.ask(other)
    for answer in (asked.ask(expression), cel.ask(expression, facts)):
        assert answer.held is (wanted is True)
        assert bool(answer.problem) is not isinstance(wanted, bool)


def test_the_parts_that_are_tried_are_answered_both_ways() -> None:
    """Else the test above would compare nothing with nothing."""
    feature = {"name": "a", "kind": "text", "source": "bank", "forbidden": False, "semantics": ["a"]}
    facts = {"features": [feature], "packages": {"numpy": "2.1"}, "card": {"owner": "x", "missing": []}, "count": 1}
    answers = [of_all_facts(part, {**facts, "governed": True}) for part in PARTS]
    assert answers.count(True) > 10
    assert answers.count(False) > 2


def test_expressions_that_look_at_the_same_are_handed_the_same_facts() -> None:
    asked = cel.Asked({"features": [{"name": "a", "source": "bureau"}]})
    assert asked.ask("features.all(f, f.name == 'a')").held
    assert not asked.ask("features.exists(f, f.name == 'b')").held
    assert not asked.ask("features.all(f, !has(f.source))").held
    assert len(asked._handed_over) == 2


def test_a_list_that_is_not_counted_holds_equal_items_once() -> None:
    alike = [{"kind": "text", "name": str(at)} for at in range(100)]
    tags = [1, True, 1.0, "1", 1]
    for expression, features in (
        ("features.all(f, f.kind == 'text')", 1),
        ("features.all(f, f.name != 'a')", 100),
        ("features.exists_one(f, f.kind == 'text')", 100),
        ("features.all(f, f.kind == 'text') && size(features) == 100", 100),
    ):
        assert len(needs.part({"features": alike}, needs.of(expression).need)["features"]) == features
    assert needs.part({"tags": tags}, needs.of("tags.all(t, t == 1)").need) == {"tags": [1, True, 1.0, "1"]}


@pytest.mark.parametrize(
    ("expression", "kept"),
    [
        ("features.all(f, f.kind == 'text')", {"features": [{"kind": "text"}]}),
        ("size(features) > 0", {"features": [{}]}),
        ("features.filter(f, f.kind == 'text') == []", {"features": [{"kind": "text", "name": "a"}]}),
        ("size(packages) > 0", {"packages": {"numpy": "2.1", "ours": "1"}}),
        ("packages.numpy == '2.1'", {"packages": {"numpy": "2.1"}}),
        ("true", {}),
        ("cannot be read", {}),
    ],
)
def test_only_what_is_looked_at_is_kept(expression: str, kept: dict[str, Any]) -> None:
    facts = {"features": [{"kind": "text", "name": "a"}], "packages": {"numpy": "2.1", "ours": "1"}, "tier": None}
    assert needs.part(facts, needs.of(expression).need) == kept
