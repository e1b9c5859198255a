"""What a policy may say, how it is held against the typed facts, and that no expression takes long."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure.errors import InvalidInput
from tenure.manage import cel, expressions, policies, reasons

LIST = "[" + ",".join("1" for _ in range(120)) + "]"
LONG_LIST = "[" + ",".join("1" for _ in range(700)) + "]"


@pytest.mark.parametrize(
    ("expression", "reads"),
    [
        ("size(card.missing) == 0", ["card.missing"]),
        ("features.all(f, !has(f.semantic) || f.semantic != 'race')", ["features", "features[].semantic"]),
        ("proxies.exists(p, p.attribute == 'race') && proxies.all(p, p.high < 0.7)", None),
        ("baseline.roc_auc >= 0.6 && 'US' in jurisdictions", ["baseline.roc_auc", "jurisdictions"]),
        ("environment.packages['numpy'].startsWith('2.')", None),
        ("data.exists(d, d.use == 'training' && has(d.sha256))", None),
        ("features.filter(f, f.kind == 'text').size() == 0", None),
        ("upstream.all(u, u.governed && u.champion_state == 'approved')", None),
        ("purpose.matches('^[A-Z].*') ? true : false", None),
        ("double(baseline.rows) / 2.0 > 100.0", ["baseline.rows"]),
    ],
)
def test_what_fits_the_facts_is_taken_and_told_what_it_reads(expression: str, reads: list[str] | None):
    found = cel.check(expression)
    assert found == sorted(found)
    assert found
    if reads is not None:
        assert found == reads


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("baseline.roc_acu > 0.6", "Did you mean 'roc_auc'?"),
        ("bseline.roc_auc > 0.6", "Did you mean 'baseline'?"),
        ("features.all(f, f.forbiden == false)", "Did you mean 'forbidden'?"),
        ("features.semantic == 'race'", "Ask of each with `.all(one, …)`"),
        ("size(card.missing)", "must be true or false"),
        ("jurisdictions == 'US'", "which are never alike"),
        ("baseline.roc_auc > 'high'", "which are never alike"),
        ("baseline.rows + 0.5 > 1.0", "double"),
        ("'US' in purpose", "must be a list or a map"),
        ("purpose && true", "must be true or false"),
        ("features.all(card, card.kind == 'text')", "the name of a fact already"),
        ("features.all(f, features.all(f, true))", "the name of a fact already"),
        ("has(purpose)", "must be asked of a field"),
        ("duration('1s') == duration('1s')", "no function that a policy may use"),
        ("features.all(f)", "it must have ','"),
        ("size(features, 2) == 0", "takes 1 value"),
        ("features.all(f, true", "it must have ')'"),
        ("card.missing +", "it must have a value"),
        ("true true", "the expression to end"),
        ("purpose == 'a' # b", "Got '#'"),
        ("1 / 0 == b'x'", "cannot be read"),
        ("", "Got its end"),
        ("true && " * 400 + "true", "at most 2000 characters"),
        ("(" * 60 + "true" + ")" * 60, "at most 40 levels"),
        ("!" * 60 + "true", "at most 40 levels"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_is_meant(expression: str, says: str):
    with pytest.raises(InvalidInput) as refusal:
        cel.check(expression)
    assert says in refusal.value.message


@pytest.mark.parametrize(
    "expression",
    [
        f"{LIST}.all(a, {LIST}.all(b, {LIST}.all(c, a == b)))",
        f"{LONG_LIST}.all(a, {LONG_LIST}.all(b, a == b))"[:2000],
        "features.all(a, features.all(b, features.all(c, a.name == b.name)))",
        "features.all(a, features.all(b, a.name == b.name && a.kind == b.kind && a.type == b.type))",
        "[1].all(a, true) && " + "features.all(a, features.all(b, a.name != b.name)) && " * 8 + "true",
        "purpose.matches('(a?){300}a{300}')",
        "purpose.matches(purpose)",
        "(features + features + features).all(f, true)",
        "[features, features].map(f, f).all(f, true) && features.map(f, features).all(g, g.all(h, g.all(i, true)))",
    ],
)
def test_what_is_built_to_be_slow_is_refused_at_once(expression: str):
    began = time.perf_counter()
    with pytest.raises(InvalidInput):
        cel.check(expression)
    assert time.perf_counter() - began < 1.0


def test_what_grows_with_the_facts_is_cut_at_the_gate():
    facts = {"features": [{"name": f"f{number}"} for number in range(3000)]}
    began = time.perf_counter()
    for expression in ("features.all(a, features.exists(b, a.name == b.name))", "features.filter(a, true).size() > 1"):
        answer = cel.ask(expression, facts)
        assert not answer.held
        assert "steps" in answer.problem
    assert time.perf_counter() - began < 1.0


def test_the_most_work_that_is_allowed_ends_soon():
    tree = expressions.read(expression := "features.all(a, features.all(b, a.name != 'x'))")
    items = next(size for size in range(1000, 1, -1) if expressions.steps(tree, size) <= expressions.MOST_STEPS)
    began = time.perf_counter()
    assert cel.ask(expression, {"features": [{"name": "y"}] * items}).held
    assert time.perf_counter() - began < 5.0


@pytest.mark.parametrize("rule", policies.RULES, ids=lambda rule: rule.name)
def test_the_built_in_rules_fit_the_typed_facts(rule: policies.Rule):
    assert cel.check(rule.expression)


@given(st.text(alphabet="ab.()[]&|!'\"=<>+-, 1?:", max_size=60))
def test_whatever_is_written_is_read_or_refused_with_a_sentence(text: str):
    with contextlib.suppress(InvalidInput):
        cel.check(text)


@given(
    st.recursive(
        st.sampled_from(["true", "false", "1 == 1", "'a' == 'b'", "2 > 1"]),
        lambda inner: st.one_of(
            inner.map("!({})".format),
            st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
            st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} ? {t[1]} : {t[2]})"),
            st.tuples(inner).map(lambda t: f"[1, 2].exists(x, {t[0]})"),
        ),
        max_leaves=8,
    )
)
def test_what_is_read_here_is_what_the_engine_reads(expression: str):
    """The parts that `&&` joins at the top are each true exactly when the whole is."""
    try:
        tree = expressions.read(expression)
    except InvalidInput:  # loops too deep in each other, which is the one thing that these can be refused for
        assert not cel.ask(expression, {}).held
        return
    parts = [expression[part.start : part.end] for part in expressions.conjuncts(tree)]
    assert cel.ask(expression, {}).held == all(cel.ask(part, {}).held for part in parts)


def test_a_refusal_tells_the_facts_of_the_part_that_failed():
    facts: dict[str, Any] = {
        "baseline": {"roc_auc": 0.62, "rows": 10},
        "features": [{"name": "a", "kind": "text", "semantic": None}, {"name": "b", "kind": "numeric"}],
        "jurisdictions": ["US"],
    }
    asked = cel.Asked(facts)
    expression = "baseline.rows > 1 && baseline.roc_auc > 0.7 && features.all(f, f.kind == 'numeric')"
    assert reasons.read_by_failing(expression, asked, facts) == {
        "baseline.roc_auc": 0.62,
        "features": [{"name": "a", "kind": "text"}],
    }
    assert reasons.lacking("features.all(f, f.semantic == 'x') && baseline.brier < 1.0", facts) == [
        "baseline.brier",
        "features[].semantic",
    ]


def test_an_explanation_names_facts():
    reasons.check_explanation("The AUC is {baseline.roc_auc}; train better.")
    for text in ("It is {baseline.roc_acu}.", "It is {size(features)}.", "It is {1}."):
        with pytest.raises(InvalidInput, match="must name"):
            reasons.check_explanation(text)
    assert reasons.explanation("It is {baseline.roc_auc}.", {"baseline": {"roc_auc": 0.5}}) == "It is 0.5."
    assert reasons.explanation("It is {baseline.roc_auc}.", {}) == "It is not known."
