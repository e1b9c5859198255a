"""The condition of `use.allow`: what it may say, and that its look-ups answer what the engine answers."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenure.errors import InvalidInput
from tenure.manage import cel, conditions, model_files
from tenure.records.admission import NEVER, Condition, RequestFacts
from tenure.serving.conditions import look_up

TEXTS = ["app", "web", "a'b", "a\\b", "", "é", "US", "2027-06-30", 'tab\t"', "tür-zwei"]
SAID = ("jurisdiction", "channel", "caller", "date")
NUMBERS = ("hour", "weekday", "day", "month", "rows")
FILE: dict[str, Any] = {"model": "m", "purpose": "p", "owner": "o"}


def written(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    for plain, escaped in (("\\", "\\\\"), ("'", "\\'"), ("\n", "\\n"), ("\t", "\\t")):
        value = value.replace(plain, escaped)
    return f"'{value}'"


def comparisons() -> st.SearchStrategy[str]:
    sign = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])

    def about(names: tuple[str, ...], values: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
        fact = st.sampled_from(names).map("request.{}".format)
        value = values.map(written)
        listed = st.lists(value, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        return st.one_of(
            st.tuples(fact, sign, value).map(" ".join),
            st.tuples(value, sign, fact).map(" ".join),
            st.tuples(fact, st.just("in"), listed).map(" ".join),
            fact.map("has({})".format),
        )

    return about(SAID, st.sampled_from(TEXTS)) | about(NUMBERS, st.integers(-3, 32))


def expressions() -> st.SearchStrategy[str]:
    def joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        sign = st.sampled_from([" && ", " || "])
        return st.one_of(
            st.tuples(inner, sign, inner).map("".join),
            inner.map("({})".format),
            inner.map("!({})".format),
        )

    return st.recursive(comparisons(), joined, max_leaves=6)


def facts() -> st.SearchStrategy[dict[str, Any]]:
    text, maybe = st.sampled_from(TEXTS), st.sampled_from([*TEXTS, None])
    return st.builds(
        RequestFacts,
        jurisdiction=maybe,
        purpose=maybe,
        channel=maybe,
        caller=text,
        caller_kind=text,
        endpoint=text,
        hour=st.integers(0, 23),
        weekday=st.integers(1, 7),
        day=st.integers(1, 31),
        month=st.integers(1, 12),
        date=text,
        rows=st.integers(1, 5000),
    ).map(msgspec.structs.asdict)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine
@given(expressions(), st.lists(facts(), min_size=1, max_size=4))
def test_what_is_looked_up_is_what_the_engine_answers(expression: str, requests: list[dict[str, Any]]) -> None:
    condition = conditions.compiled(expression)
    sent = msgspec.json.decode(msgspec.json.encode(condition), type=Condition)  # as the routing table carries it
    asked = look_up(sent)
    for request in requests:
        answer = cel.ask(expression, {"request": request})
        assert (asked(request) is True) == answer.held, (request, answer)
        assert (asked(request) is None) == bool(answer.problem), (request, answer)


def test_every_fact_can_be_asked_and_no_other() -> None:
    for name in RequestFacts.__struct_fields__:
        assert conditions.compiled(f"has(request.{name})") == Condition(op="has", fact=name)
    with pytest.raises(InvalidInput, match="Did you mean 'channel'"):
        conditions.compiled("request.chanel == 'app'")


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("request.channel.startsWith('a')", "`request.caller in ['app', 'web']`"),
        ("request.channel == null", "Ask `has(request.channel)`"),
        ("request.hour == 5.5", "Numbers of a request are whole"),
        ("request.rows < 99999999999999999999", "below 2⁶³"),
        ("request.hour + 1 > 5", "One side must be a fact"),
        ("request.caller == request.channel", "a text or a whole number that is written out"),
        ("true", "Leave out what is always true"),
        ("request.hour > 5 ? true : false", "(a && b) || (!a && c)"),
        ("['a'].exists(x, x == request.caller)", "Write the values out"),
        ("request.purpose == 'Crew Scheduling'", "'crew-scheduling'"),
        ("request.hour > 'late'", "never alike"),
        ("request.hour", "must be true or false"),
        ("hour > 5", "There is no fact 'hour'"),
        ("request.hour >", "it must have a value"),
    ],
)
def test_what_cannot_be_looked_up_is_refused_with_what_to_write_instead(expression: str, says: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        model_files.parse({**FILE, "use": {"allow": expression}})
    assert says in refusal.value.message
    assert refusal.value.where == "use.allow"


def test_a_long_chain_is_flat() -> None:
    condition = conditions.compiled(" && ".join(["request.hour > 1"] * 100))
    assert len(condition.parts) == 100


def test_never_is_never() -> None:
    assert look_up(NEVER)({}) is False


@pytest.mark.parametrize(
    ("told", "where"),
    [
        ({"use": {"valid_from": "2027-02-30"}}, "use.valid_from"),
        ({"use": {"valid_from": "2027-02-02", "valid_to": "2027-02-01"}}, "use.valid_to"),
        ({"use": {"quota": {}}}, "use.quota"),
        ({"use": {"require": ["place"]}}, "use.require[0]"),
        ({"features": {"a": {"range": [8, 0]}}}, "features.a.range"),
        ({"features": {"a": {"outside": "clip"}}}, "features.a"),
    ],
)
def test_what_contradicts_itself_is_refused_with_its_place(told: dict[str, Any], where: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        model_files.parse({**FILE, **told})
    assert refusal.value.where == where
