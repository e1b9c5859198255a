"""Searching: any filter is answered like a plain reading of it in Python, or it is refused; never a failure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure.store import run_search
from tests.api.mlflow import oracle, searched
from tests.api.mlflow.conftest import Wire
from tests.api.mlflow.oracle import Noun
from tests.api.mlflow.searched import KEYS, NOUNS, TEXTS, TIMES, Clock, World
from tests.conftest import make_ground, new_postgres

FEW, MANY = 16, 1000
EXAMPLES = [pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.slow)]
PLACES = ("0", "1", "2")
PATTERNS = ("fo%", "%R%", "_orest", "%", "", "%\\%", "Zo_", "z%Ë", "10%", "[x]%", "%'s")
WRITTEN_NUMBERS = (
    "0",
    "0.5",
    "-1",
    "+2.",
    ".5",
    "1e300",
    "1e999",
    "-1e999",
    "1700000000000",
    "5.5",
    "9" * 30,
    "1e-400",
)
SPECIAL = " '\"`()=<>!,.%_;-\\#\x00\néANDORin"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    clock, folder = Clock(), tmp_path_factory.mktemp("searched")
    if request.param == "sqlite":
        made = make_ground(folder, clock=clock)
        yield searched.fill(Wire(made), clock)
        made.database.close()
        return
    with new_postgres(request.getfixturevalue("postgres_url"), words="en") as url:
        made = make_ground(folder, url, clock=clock)
        yield searched.fill(Wire(made), clock)
        made.database.close()


@st.composite
def comparison(draw: st.DrawFn, noun: Noun) -> str:
    """One comparison in the language, in one of the ways it may be written."""
    entity = draw(st.sampled_from(sorted(noun.entities)))
    kind = noun.entities[entity]
    if kind == "attributes":
        written = draw(st.sampled_from([*noun.attributes, *noun.other_names]))
        key = noun.other_names.get(written, written)
    else:
        written = key = draw(st.sampled_from(("name", "digest", "context") if kind == "datasets" else (*KEYS, "none")))
    quotes = '`"' if " " in written else ("", "`", '"')
    quote = draw(st.sampled_from(quotes))
    prefix = "" if kind == "attributes" and draw(st.booleans()) else f"{entity}."
    operator = draw(st.sampled_from(sorted(oracle.operators(noun, kind, key))))
    if draw(st.booleans()):
        operator = operator.lower().replace(" ", "  ")
    space = draw(st.sampled_from((" ", "  ", "\n"))) if operator[0].isalpha() else draw(st.sampled_from(("", " ")))
    return f"{prefix}{quote}{written}{quote}{space}{operator}{space}{draw(value(operator.upper(), kind, key, noun))}"


@st.composite
def value(draw: st.DrawFn, operator: str, kind: str, key: str, noun: Noun) -> str:
    if operator.startswith("IS"):
        return ""
    if operator.endswith("IN"):
        return (
            "(" + ", ".join(draw(st.lists(st.builds(quoted, text(key), st.booleans()), min_size=1, max_size=4))) + ")"
        )
    if "<" in oracle.operators(noun, kind, key):
        return draw(st.sampled_from(WRITTEN_NUMBERS) | st.sampled_from(TIMES).map(str))
    return quoted(draw(text(key)), draw(st.booleans()))


def text(key: str) -> st.SearchStrategy[str]:
    named = {"status": ("FINISHED", "READY"), "experiment_id": (*PLACES, "01"), "model_type": ("agent", "Agent")}
    return st.sampled_from([*TEXTS, *PATTERNS, "Alpha", "train", "d1", "true", *named.get(key, ())])


def quoted(written: str, double: bool) -> str:
    return f'"{written}"' if double and '"' not in written else "'" + written.replace("'", "''") + "'"


@st.composite
def order(draw: st.DrawFn, noun: Noun) -> str:
    keys = [f"{one}.`{key}`" for one in ("metrics", "params", "tags") if one in noun.orders for key in KEYS]
    keys += [one for one in noun.orders if one in noun.attributes]
    return draw(st.sampled_from(sorted(keys))) + draw(st.sampled_from(("", " ASC", " DESC")))


@st.composite
def near_miss(draw: st.DrawFn, noun: Noun) -> str:
    """A filter with up to three mistakes in it."""
    asked = " AND ".join(draw(st.lists(comparison(noun), min_size=1, max_size=2)))
    for _ in range(draw(st.integers(1, 3))):
        first = draw(st.integers(0, len(asked)))
        last = min(len(asked), first + draw(st.integers(0, 4)))
        put = draw(st.sampled_from(("", asked[first:last] * 2, draw(st.text(SPECIAL, min_size=1, max_size=2)))))
        asked = asked[:first] + put + asked[last:]
    return asked


def scopes(noun: str) -> st.SearchStrategy[dict[str, Any]]:
    places = st.lists(st.sampled_from(PLACES), min_size=1, max_size=3)
    stages = st.sampled_from(("ACTIVE_ONLY", "DELETED_ONLY", "ALL"))
    return {
        "runs": st.fixed_dictionaries({"experiment_ids": places, "run_view_type": stages}),
        "experiments": st.fixed_dictionaries({"view_type": stages}),
        "logged_models": st.fixed_dictionaries({"experiment_ids": places}),
    }.get(noun, st.just({}))


def expected(world: World, noun: str, asked: str, order_by: list[str], scope: dict[str, Any]) -> list[str]:
    view = scope.get("run_view_type", scope.get("view_type", "ACTIVE_ONLY"))
    stages = {"ACTIVE_ONLY": {"active"}, "DELETED_ONLY": {"deleted"}, "ALL": {"active", "deleted"}}[view]
    places = scope.get("experiment_ids")
    rows = [
        row
        for row in world.rows[noun]
        if row.stage in stages and (places is None or row.attributes["experiment_id"] in places)
    ]
    return oracle.answer(NOUNS[noun].language, rows, asked, order_by)


@pytest.mark.parametrize("examples", EXAMPLES)
@pytest.mark.parametrize("noun", NOUNS)
def test_what_is_in_the_language_is_answered_like_plain_python(
    world: World, noun: str, examples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    language = NOUNS[noun].language

    @settings(max_examples=examples, deadline=None, derandomize=examples == FEW, database=None)
    @given(
        asked=st.lists(comparison(language), max_size=3),
        order_by=st.lists(order(language), max_size=2, unique_by=lambda one: one.split(" ")[0]),
        scope=scopes(noun),
        size=st.sampled_from((3, 7, 1000)),
        few=st.sampled_from((0, 2000)),
    )
    def holds(asked: list[str], order_by: list[str], scope: dict[str, Any], size: int, few: int) -> None:
        monkeypatch.setattr(run_search, "FEW", few)  # 0: as among very many runs
        told = searched.ask(world, noun, " AND ".join(asked), order_by, size, **scope)
        assert told == expected(world, noun, " AND ".join(asked), order_by, scope)

    holds()


@pytest.mark.parametrize("examples", EXAMPLES)
@pytest.mark.parametrize("noun", NOUNS)
def test_what_is_nearly_in_the_language_is_answered_like_plain_python_or_refused(
    world: World, noun: str, examples: int
) -> None:
    language = NOUNS[noun].language

    @settings(max_examples=examples, deadline=None, derandomize=examples == FEW, database=None)
    @given(asked=near_miss(language) | st.text(max_size=40), scope=scopes(noun))
    def holds(asked: str, scope: dict[str, Any]) -> None:
        told = searched.ask(world, noun, asked, [], 1000, **scope)
        if told is not None:
            assert told == expected(world, noun, asked, [], scope)

    holds()


@pytest.mark.parametrize(
    ("noun", "asked"),
    [
        ("runs", " AND ".join(["run_id IN (" + ",".join(["''"] * 9_000) + ")"] * 7)),
        ("runs", " AND ".join(["metrics.a > 0"] * 101)),
        ("runs", "params.a = '" + "x" * 10_001 + "'"),
        ("runs", "params.a = '" + "x" * 200_001),
        ("experiments", "name = '\ud800'"),
        ("experiments", "name = '\x00'"),
        ("runs", "metrics.a > " + "9" * 5_000 + "x"),
    ],
    ids=["many entries", "many comparisons", "a long text", "a long filter", "half a letter", "NUL", "a long number"],
)
def test_what_no_database_takes_is_refused(world: World, noun: str, asked: str) -> None:
    assert searched.ask(world, noun, asked, [], 10, **({"experiment_ids": ["0"]} if noun == "runs" else {})) is None


def test_as_much_as_anybody_asks_is_answered(world: World) -> None:
    listed = "run_id NOT IN (" + ",".join(["'x'"] * 9_999) + ")"
    for asked in (listed, " AND ".join(["params.`a` LIKE '%o%'"] * 40), "metrics.a < " + "9" * 5_000):
        assert searched.ask(world, "runs", asked, ["params.a"], 7, experiment_ids=["0"]) is not None


@pytest.mark.parametrize(
    "token", ["x", "eyJvZmZzZXQiOjQyOTQ5NjcyOTZ9", "eyJvZmZzZXQiOi0xfQ==", "bnVsbA==", "\x00", "é"]
)
@pytest.mark.parametrize("noun", NOUNS)
def test_a_token_that_nobody_gave_is_refused(world: World, noun: str, token: str) -> None:
    assert searched.ask(world, noun, "", [], 3, page_token=token, experiment_ids=["0"]) is None
