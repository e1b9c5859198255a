"""The search language: it answers like a plain reading of it in Python, or it refuses."""

from __future__ import annotations

import base64
import fnmatch
import math
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure.build import experiments, metrics, run_pages, runs, searchable
from tenure.build.search import Grammar, parse, parse_order
from tenure.errors import InvalidInput
from tenure.records.base import Instant
from tenure.records.tracking import KeyValue, MetricPoint, Run
from tenure.store import run_search
from tenure.store.database import Database
from tenure.store.ground import Ground
from tests.conftest import make_ground

NOW = Instant(1_750_000_000_000_000)
KEYS = ("a", "b c", "dotted.key")
TEXTS = ("forest", "Forest", "line_r", "50%", "it's", "[x]*?", "")
VALUES = (0.0, 0.5, -1.0, math.nan, math.inf, 1e300)


# --- parsing ---


def test_every_comparison_is_read_with_its_entity_key_operator_and_value() -> None:
    found = parse(
        "metrics.auc>=0.7 and params.`model name` != 'forest' AND tag.\"a b\" LIKE 'x%' AND status = \"FINISHED\" "
        "AND run_id NOT IN ('a', 'b') AND tags.t IS NOT NULL",
        searchable.RUNS,
    )

    assert [(one.entity, one.key, one.op, one.value) for one in found] == [
        ("metric", "auc", ">=", 0.7),
        ("param", "model name", "!=", "forest"),
        ("tag", "a b", "LIKE", "x%"),
        ("attribute", "status", "=", "FINISHED"),
        ("attribute", "run_id", "NOT IN", ["a", "b"]),
        ("tag", "t", "IS NOT NULL", None),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "metrics.a = '1'",
        "params.a = 1",
        "params.a = forest",
        "params.a > '1'",
        "status IN ('a')",
        "metrics.a = 1 OR metrics.b = 1",
        "NOT metrics.a = 1",
        "(metrics.a = 1)",
        "metrics.a",
        "metrics. = 1",
        "metrics.a == 1",
        "nonsense.a = 'b'",
        "unknown = 'b'",
        "params.a = 'open",
        "run_id IN ()",
        "run_id IN (,)",
        "run_id IN ('a',,)",
        "run_id IN 'a'",
        "params.a IS NIL",
        "metrics.a = 1 AND",
        "start_time > 'x'",
        "dataset.color = 'x'",
        "params.a = 'b' ; DROP TABLE runs",
    ],
)
def test_what_is_not_in_the_language_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidInput, match="Invalid filter"):
        parse(text, searchable.RUNS)


@pytest.mark.parametrize(
    ("text", "grammar", "why"),
    [
        ("name > 'a'", searchable.LOGGED_MODELS, "Invalid comparison operator >"),
        ("name IS NULL", searchable.EXPERIMENTS, "IS NULL / IS NOT NULL is only supported for tags$"),
        ("metrics.a IS NULL", searchable.RUNS, "IS NULL / IS NOT NULL is only supported for tags and params$"),
        ("tags.a IS NULL", searchable.LOGGED_MODELS, "compares by !=, =, ILIKE, IN, LIKE, NOT IN$"),
        ("lifecycle_stage = 'a'", searchable.RUNS, "Invalid attribute key 'lifecycle_stage' specified"),
        ("foo.a = 'b'", searchable.RUNS, "Invalid entity type 'foo'"),
    ],
)
def test_a_refusal_says_what_is_wrong_in_the_words_that_clients_know(text: str, grammar: Grammar, why: str) -> None:
    with pytest.raises(InvalidInput, match=f"^Invalid filter string at character 1: .*{why.replace('$', '. Example')}"):
        parse(text, grammar)


def test_a_list_may_end_with_a_comma_as_python_writes_it() -> None:
    assert parse("run_id IN ('a',)", searchable.RUNS)[0].value == ["a"]


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    for grammar in (searchable.RUNS, searchable.EXPERIMENTS, searchable.LOGGED_MODELS, searchable.MODEL_VERSIONS):
        try:
            parse(text, grammar)
            parse_order([text], grammar)
        except InvalidInput:
            pass


def test_a_key_may_not_be_ordered_by_twice() -> None:
    with pytest.raises(InvalidInput, match="duplicate"):
        parse_order(["start_time DESC", "attribute.start_time"], searchable.RUNS)


# --- answering ---


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Database, list[Run]]]:
    """Sixty runs in two experiments with every kind of value, and what is known of them."""
    ground = make_ground(Path(tmp_path_factory.mktemp("search")))
    draw = random.Random(7)

    def fill(tx: Any) -> list[Run]:
        other = experiments.create(tx, "other", location=None, tags=[], now=NOW)
        made = []
        for number in range(60):
            run = runs.create(
                tx,
                draw.choice(["0", other]),
                name=draw.choice(["Alpha", "alpha", "beta_1"]),
                user_id="me",
                start_time=draw.randrange(5),
                tags=[KeyValue(key=key, value=draw.choice(TEXTS)) for key in KEYS if draw.random() < 0.6],
                now=NOW,
            )
            points = [
                MetricPoint(key=key, value=draw.choice(VALUES), timestamp=1) for key in KEYS if draw.random() < 0.6
            ]
            params = [KeyValue(key=key, value=draw.choice(TEXTS)) for key in KEYS if draw.random() < 0.6]
            metrics.log_batch(tx, run.info.run_id, points, params, [])
            if number % 7 == 0:
                runs.delete(tx, run.info.run_id, by="me", now=NOW)
            made.append(run.info.run_id)
        return [runs.get(tx, run_id) for run_id in made]

    yield ground.database, ground.database.write(fill)
    ground.database.close()


OPERATORS = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def quoted(key: str) -> str:
    return f"`{key}`" if " " in key else key


def like(value: str, pattern: str, *, ignoring_case: bool) -> bool:
    parts = [".*" if one == "%" else "." if one == "_" else re.escape(one) for one in pattern]
    flags = re.DOTALL | (re.IGNORECASE if ignoring_case else re.NOFLAG)
    return re.fullmatch("".join(parts), value, flags) is not None


def pairs(run: Run, entity: str) -> dict[str, Any]:
    return {one.key: one.value for one in (run.data.params if entity == "params" else run.data.tags)}


@st.composite
def comparison(draw: st.DrawFn) -> tuple[str, Any]:
    """A comparison as text, and what it means in Python."""
    key = draw(st.sampled_from(KEYS))
    entity = draw(st.sampled_from(["metrics", "params", "tags", "name", "start"]))
    if entity == "start":
        operator, number = draw(st.sampled_from(sorted(OPERATORS))), draw(st.integers(-1, 6))
        return f"start_time {operator} {number}", lambda run: OPERATORS[operator](run.info.start_time, number)
    if entity == "metrics":
        operator, value = draw(st.sampled_from(sorted(OPERATORS))), draw(st.sampled_from([0, 0.5, -1, 1e299, 2]))

        def holds(run: Run) -> bool:
            known = {one.key: float(one.value) for one in run.data.metrics}
            if key not in known:
                return False
            return operator == "!=" if math.isnan(known[key]) else OPERATORS[operator](known[key], value)

        return f"metrics.{quoted(key)} {operator} {value}", holds
    text = draw(st.sampled_from([*TEXTS, "fo%", "%r%", "_orest", "Beta%", "alpha", "%"]))
    written = "'" + text.replace("'", "''") + "'"
    if entity == "name":
        operator = draw(st.sampled_from(["=", "!=", "LIKE", "ILIKE"]))
        return f"attributes.run_name {operator} {written}", lambda run: matches(run.info.run_name, operator, text)
    operator = draw(st.sampled_from(["=", "!=", "LIKE", "ILIKE", "IS NULL", "IS NOT NULL"]))
    if operator.endswith("NULL"):
        wanted = operator == "IS NOT NULL"
        return f"{entity}.{quoted(key)} {operator}", lambda run: (key in pairs(run, entity)) is wanted
    return (
        f"{entity}.{quoted(key)} {operator} {written}",
        lambda run: key in pairs(run, entity) and matches(pairs(run, entity)[key], operator, text),
    )


def matches(value: str, operator: str, text: str) -> bool:
    if operator in OPERATORS:
        return bool(OPERATORS[operator](value, text))
    return like(value, text, ignoring_case=operator == "ILIKE")


def rank(run: Run, key: str, ascending: bool) -> Any:
    """Values first, then NaN, then missing; in either direction."""
    known = {one.key: float(one.value) for one in run.data.metrics}
    if key not in known:
        return 2, 0.0
    return (1, 0.0) if math.isnan(known[key]) else (0, known[key] if ascending else -known[key])


@given(
    asked=st.lists(comparison(), max_size=3),
    order=st.sampled_from([None, "start_time ASC", "metrics.a DESC", "metrics.`b c`", "params.a ASC"]),
    both=st.booleans(),
    few=st.sampled_from([0, 2000]),
)
@settings(max_examples=60, deadline=None)  # many more: tests/api/mlflow/test_search.py
def test_searching_answers_like_plain_python(
    filled: tuple[Database, list[Run]], asked: Any, order: str | None, both: bool, few: int
) -> None:
    database, every = filled
    scope = {"0", "1"} if both else {"0"}
    found = walked(database, asked, order, sorted(scope), few)

    expected = [
        run
        for run in every
        if run.info.experiment_id in scope
        and run.info.lifecycle_stage == "active"
        and all(holds(run) for _, holds in asked)
    ]
    expected.sort(key=lambda run: (-run.info.start_time, run.info.run_id))
    if order == "start_time ASC":
        expected.sort(key=lambda run: run.info.start_time)
    elif order == "params.a ASC":
        expected.sort(key=lambda run: ("a" not in pairs(run, "params"), pairs(run, "params").get("a", "")))
    elif order is not None:
        key, ascending = ("a", False) if "DESC" in order else ("b c", True)
        expected.sort(key=lambda run: rank(run, key, ascending))
    assert found == [run.info.run_id for run in expected]
    assert walked_back(database, asked, order, sorted(scope), few, limit=25) == found


def walked(database: Database, asked: Any, order: str | None, scope: list[str], few: int, limit: int = 7) -> list[str]:
    """Ids of all runs found, page by page; with `few` at 0 every index is walked, as among very many runs."""
    ids: list[str] = []
    token: str | None = None
    before, run_search.FEW = run_search.FEW, few
    try:
        while True:
            page, token = database.read(
                lambda tx, token=token: runs.search(
                    tx,
                    scope,
                    text=" AND ".join(text for text, _ in asked),
                    order_by=[order] if order else None,
                    view=None,
                    max_results=limit,
                    page_token=token,
                )
            )
            ids += [run.info.run_id for run in page]
            if token is None:
                return ids
    finally:
        run_search.FEW = before


def walked_back(
    database: Database, asked: Any, order: str | None, scope: list[str], few: int, limit: int = 7
) -> list[str]:
    """The same from the last page to the first; each page but the first says what comes before it."""
    ids: list[str] = []
    question: dict[str, Any] = {
        "text": " AND ".join(text for text, _ in asked),
        "order_by": [order] if order else None,
        "view": None,
        "limit": limit,
    }
    before, run_search.FEW = run_search.FEW, few
    try:
        found = database.read(lambda tx: run_pages.page(tx, scope, **question, token=None, last=True))
        assert found.following is None
        while True:
            ids = found.run_ids + ids
            if found.preceding is None:
                return ids
            token = found.preceding
            found = database.read(lambda tx, token=token: run_pages.page(tx, scope, **question, token=token))
            assert found.following is not None
    finally:
        run_search.FEW = before


@pytest.mark.parametrize(
    ("asked", "order", "expected"),
    [
        ("metrics.m > 0", "metrics.m ASC", ["one", "two"]),
        ("metrics.m >= 0", "metrics.m DESC", ["two", "one", "zero"]),
        ("metrics.m != 1", "metrics.m ASC", ["zero", "two", "nan"]),
        ("metrics.m != 1 AND metrics.m < 9", "metrics.m ASC", ["zero", "two"]),
        ("params.p = 'x'", "metrics.m DESC", ["two", "one", "zero", "nan", "none"]),
        ("params.p = 'x' AND params.p LIKE 'x%'", "params.p ASC", ["none", "nan", "two", "one", "zero"]),
        ("tags.t IS NULL", "tags.t ASC", ["none", "nan", "two", "one", "zero"]),
        ("tags.t IS NOT NULL", "tags.t ASC", []),
        ("params.p IS NOT NULL", "params.p DESC", ["none", "nan", "two", "one", "zero"]),
    ],
)
def test_a_key_that_is_compared_and_ordered_by_rules_out_what_cannot_do(
    each_ground: Ground, asked: str, order: str, expected: list[str]
) -> None:
    database = each_ground.database
    values = {"zero": 0.0, "one": 1.0, "two": 2.0, "nan": math.nan, "none": None}

    def fill(tx: Any) -> dict[str, str]:
        ids = {}
        for place, (name, value) in enumerate(values.items()):
            run = runs.create(tx, "0", name=name, user_id="me", start_time=place, tags=[], now=NOW)
            ids[run.info.run_id] = name
            points = [] if value is None else [MetricPoint(key="m", value=value, timestamp=1)]
            metrics.log_batch(tx, run.info.run_id, points, [KeyValue(key="p", value="x")], [])
        return ids

    names = database.write(fill)
    found = walked(database, [(asked, None)], order, ["0"], few=0, limit=2)
    assert [names[run_id] for run_id in found] == expected
    assert walked_back(database, [(asked, None)], order, ["0"], few=0, limit=2) == found


def test_pages_tell_how_many_runs_come_before_them(filled: tuple[Database, list[Run]]) -> None:
    database, _ = filled

    def page(token: str | None) -> run_pages.RunPage:
        return database.read(
            lambda tx: run_pages.page(
                tx, ["0"], text=None, order_by=["metrics.a DESC"], view="ALL", limit=9, token=token
            )
        )

    first = page(None)
    second = page(first.following)
    assert (first.seen, second.seen, first.preceding) == (0, 9, None)
    assert page(second.preceding) == first


@pytest.mark.parametrize(
    "values",
    [
        [],
        [0, 1.5],
        [0, "text", 1, "id"],
        [3, None, 1, "id"],
        [0, None, 1, "id"],
        [True, 1.0, 1, "id"],
        [0, 1.0, 2**63, "id"],
        [0, 1.0, 1, "nul\0"],
        [0, 1.0, 1, "id", "more"],
    ],
)
def test_a_token_that_somebody_made_up_is_refused(filled: tuple[Database, list[Run]], values: list[Any]) -> None:
    made_up = base64.urlsafe_b64encode(msgspec.msgpack.encode([[("metric", "a", True)], values, False, 0])).decode()
    with pytest.raises(InvalidInput, match="page token"):
        filled[0].read(
            lambda tx: run_pages.page(tx, ["0"], text=None, order_by=["metrics.a"], view=None, limit=9, token=made_up)
        )


def test_a_token_continues_only_its_own_order(filled: tuple[Database, list[Run]]) -> None:
    def page(order: str, token: str | None) -> run_pages.RunPage:
        return filled[0].read(
            lambda tx: run_pages.page(tx, ["0"], text=None, order_by=[order], view=None, limit=3, token=token)
        )

    with pytest.raises(InvalidInput, match="another question"):
        page("metrics.a DESC", page("metrics.a ASC", None).following)


def test_like_and_fnmatch_agree_on_what_a_glob_is() -> None:
    from tenure.store.conditions import glob

    assert fnmatch.fnmatchcase("50% [x]*?", glob("50% [x]*?"))
    assert not fnmatch.fnmatchcase("50x [x]*?", glob("50_ [y]*?"))


def test_both_databases_page_in_both_directions(each_ground: Ground) -> None:
    values = [0.5, math.inf, math.nan, None, -math.inf, 0.5]

    def fill(tx: Any) -> None:
        for place, value in enumerate(values):
            run = runs.create(tx, "0", name=f"r{place}", user_id="me", start_time=place, tags=[], now=NOW)
            points = [] if value is None else [MetricPoint(key="a", value=value, timestamp=1)]
            metrics.log_batch(tx, run.info.run_id, points, [KeyValue(key="p", value=f"{place % 2}")], [])

    each_ground.database.write(fill)
    for order in ("metrics.a DESC", "params.p", "end_time DESC", "run_name"):
        for few in (0, 2000):
            there = walked(each_ground.database, [], order, ["0"], few, limit=2)
            assert len(there) == len(values)
            assert walked_back(each_ground.database, [], order, ["0"], few, limit=2) == there
    assert (
        each_ground.database.read(lambda tx: run_pages.count(tx, ["0"], text="metrics.a > 0", view=None, most=2)) == 2
    )
