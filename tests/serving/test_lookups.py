"""Features that are read from a table: at a real gateway, and each part by itself."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure.errors import Unavailable
from tenure.records.base import iso
from tenure.records.frames import PredictionFrame
from tenure.records.lookups import LookupRule, Row
from tenure.records.routing import InputColumn, Route, RoutingTable
from tenure.serving import routing
from tenure.serving.lookups import Group, asked_for, judged

from .conftest import Gateway, release

MINUTE = 60_000_000
RULE = LookupRule(
    feature="number", source="crm", table="scores", key="customer", column="score", as_of="at", fresh_us=60 * MINUTE
)
Make = Callable[..., Gateway]


def now() -> int:
    return time.time_ns() // 1000


class Shop:
    """A database of customers, and a gateway whose endpoint `tricky` looks their number up."""

    def __init__(self, make: Make, model: Path, folder: Path, **rule: Any) -> None:
        self.file = folder / "crm.db"
        with sqlite3.connect(self.file) as tx:
            tx.execute("CREATE TABLE scores (customer INTEGER, score REAL, at TEXT)")
        tx.close()
        self.gateway = make(lookups={"crm": f"sqlite:///{self.file}"})
        self.gateway.epoch += 1
        self.route = Route(
            endpoint="tricky",
            model="tricky",
            releases=[release(model)],
            lookups=[msgspec.structs.replace(RULE, **rule)],
        )
        routing.write_table(self.gateway.folder, RoutingTable(epoch=self.gateway.epoch, routes={"tricky": self.route}))
        self.gateway.serves("r-tricky-1-champion")

    def put(self, customer: int, score: float | None, minutes_ago: float = 1.0) -> int:
        """Write a row; when it was written."""
        at = int(now() - minutes_ago * MINUTE)
        with sqlite3.connect(self.file) as tx:
            tx.execute("INSERT INTO scores VALUES (?, ?, ?)", (customer, score, iso(at)))
        tx.close()
        return at

    def score(self, *rows: dict[str, Any]) -> httpx.Response:
        return self.gateway.score("tricky", {"dataframe_records": [{"what": "echo", **row} for row in rows]})

    def frame(self) -> PredictionFrame:
        *_, last = (frame for frame in self.gateway.frames() if isinstance(frame, PredictionFrame))
        return last


@pytest.fixture
def shop(gateway: Make, tricky_folder: Path, tmp_path: Path) -> Callable[..., Shop]:
    return lambda **rule: Shop(gateway, tricky_folder, tmp_path, **rule)


def test_a_feature_is_filled_by_key_and_journaled_with_its_age(shop: Callable[..., Shop]) -> None:
    one = shop()
    first, second = one.put(7, 0.25), one.put(8, 0.5, minutes_ago=30)
    answer = one.score({"customer": 7}, {"customer": "8"}, {"customer": 7})
    assert answer.json() == {"predictions": [0.25, 0.5, 0.25]}, answer.text
    frame = one.frame()
    assert frame.columns == {"what": ["echo"] * 3, "number": [0.25, 0.5, 0.25]}
    assert frame.looked_up is not None
    told = frame.looked_up["number"]
    assert (told.source, told.table, told.found) == ("crm", "scores", ["fresh"] * 3)
    assert told.as_of == [first, second, first]
    assert 0 <= told.at - frame.at < 10 * 1_000_000 or told.at == frame.at


@pytest.mark.parametrize("what", ["missing", "stale"])
@pytest.mark.parametrize(("otherwise", "used"), [("null", None), ("default", 0.75), ("reject", None)])
def test_what_is_missing_or_too_old_is_treated_as_declared(
    shop: Callable[..., Shop], what: str, otherwise: str, used: float | None
) -> None:
    one = shop(**{what: otherwise, "default": 0.75})
    one.put(7, 0.25)
    if what == "stale":
        one.put(8, 0.5, minutes_ago=61)
    answer = one.score({"customer": 7}, {"customer": 8})
    if otherwise == "reject":
        assert answer.status_code == 400
        assert answer.json()["error"]["where"] == "customer[1]"
        assert "0.5" not in answer.text
        return
    assert answer.json() == {"predictions": [0.25, used]}
    frame = one.frame()
    assert frame.looked_up is not None
    assert frame.looked_up["number"].found == ["fresh", what]


def test_a_request_brings_the_key_and_not_the_feature(shop: Callable[..., Shop]) -> None:
    one = shop()
    one.put(7, 0.25)
    for row in ({"customer": 7, "number": 0.9}, {"number": 0.9}, {}):
        answer = one.score(row)
        assert answer.status_code == 400, row
    described = httpx.get(f"{one.gateway.url}/endpoints/tricky/openapi.json").json()
    assert "customer" in str(described["components"])
    assert "'number'" not in str(described["components"])
    tensors = httpx.get(f"{one.gateway.url}/v2/models/tricky").json()["inputs"]
    assert [tensor["name"] for tensor in tensors] == ["what", "customer"]


def test_a_request_may_bring_the_feature_where_that_is_declared(shop: Callable[..., Shop]) -> None:
    one = shop(override="allow")
    one.put(7, 0.25)
    assert one.score({"number": 0.9}).json() == {"predictions": [0.9]}
    frame = one.frame()
    assert frame.looked_up is not None
    assert frame.looked_up["number"].found == ["sent"]
    assert one.score({"customer": 7}).json() == {"predictions": [0.25]}


def test_the_protocols_look_up_alike(shop: Callable[..., Shop]) -> None:
    one = shop()
    one.put(7, 0.25)
    inputs = [
        {"name": "what", "datatype": "BYTES", "shape": [1], "data": ["echo"]},
        {"name": "customer", "datatype": "INT64", "shape": [1], "data": [7]},
    ]
    answer = httpx.post(f"{one.gateway.url}/v2/models/tricky/infer", json={"inputs": inputs})
    assert answer.json()["outputs"][0]["data"] == [0.25], answer.text
    told = httpx.post(
        f"{one.gateway.url}/endpoints/tricky/invocations",
        content="what,customer\necho,7\n",
        headers={"content-type": "text/csv"},
    )
    assert told.json() == {"predictions": [0.25]}, told.text


def test_a_table_that_is_gone_is_503_and_nothing_is_journaled(shop: Callable[..., Shop]) -> None:
    one = shop(cache_us=0)
    one.put(7, 0.25)
    assert one.score({"customer": 7}).status_code == 200
    count = len(one.gateway.frames())
    with sqlite3.connect(one.file) as tx:
        tx.execute("DROP TABLE scores")
    tx.close()
    answer = one.score({"customer": 7})
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert len(one.gateway.frames()) == count


class Slow:
    """A table that counts what it is asked and answers when it may."""

    def __init__(self) -> None:
        self.asked: list[list[str | int]] = []
        self.may = threading.Event()

    def read(
        self, source: str, table: str, key: str, columns: Sequence[str], keys: Sequence[str | int]
    ) -> dict[str | int, Row]:
        self.asked.append(list(keys))
        if not self.may.wait(10):
            raise Unavailable("never")
        return {one: (float(one), None) for one in keys if one != 404}


def grouped(tables: Slow, cache_us: int = 0, timeout_s: float = 10.0) -> tuple[Group, ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(2)
    return Group(tables, pool, [msgspec.structs.replace(RULE, cache_us=cache_us)], timeout_s), pool


def test_what_waits_for_a_table_is_one_question() -> None:
    tables = Slow()

    async def ask() -> list[Any]:
        group, pool = grouped(tables)
        first = asyncio.create_task(group.rows([1], 0))
        while not tables.asked:
            await asyncio.sleep(0)
        rest = [asyncio.create_task(group.rows([number, 1000], 0)) for number in range(2, 50)]
        await asyncio.sleep(0)
        tables.may.set()
        found = await asyncio.gather(first, *rest)
        pool.shutdown()
        return found

    found = asyncio.run(ask())
    assert len(tables.asked) == 2
    assert sorted(tables.asked[1]) == [*range(2, 50), 1000]
    assert found[0][1][1] == (1.0, None)
    assert all(rows[number][1] == (float(number), None) for number, rows in enumerate(found[1:], 2))


def test_what_was_read_is_kept_for_a_moment_and_what_is_not_there_too() -> None:
    tables = Slow()
    tables.may.set()

    async def ask() -> None:
        group, pool = grouped(tables, cache_us=1_000_000)
        for at in (0, 500_000, 900_000):
            rows = await group.rows([1, 404], at)
            assert (rows[1][1], rows[404][1]) == ((1.0, None), None)
        await group.rows([1, 404], 2_000_000)
        pool.shutdown()

    asyncio.run(ask())
    assert len(tables.asked) == 2


def test_a_table_that_takes_too_long_is_unavailable_and_is_asked_again() -> None:
    tables = Slow()

    async def ask() -> None:
        group, pool = grouped(tables, timeout_s=0.05)
        with pytest.raises(Unavailable):
            await group.rows([1], 0)
        tables.may.set()
        while True:
            try:
                rows = await group.rows([1], 0)
                break
            except Unavailable:  # the thread before it may still be at it
                continue
        assert rows[1][1] == (1.0, None)
        pool.shutdown()

    asyncio.run(ask())


@given(st.none() | st.floats(), st.none() | st.integers(0, 10**16), st.integers(0, 10**16), st.none() | st.integers(0))
def test_how_a_value_is_judged(value: float | None, as_of: int | None, at: int, fresh_us: int | None) -> None:
    rule = msgspec.structs.replace(RULE, fresh_us=fresh_us, missing="null", stale="default")
    found, otherwise = judged(rule, value, as_of, at)
    assert (found == "missing") == (value is None)
    if value is not None:
        too_old = fresh_us is not None and (as_of is None or at - as_of > fresh_us)
        assert found == ("stale" if too_old else "fresh")
    assert otherwise == {"missing": "null", "stale": "default", "fresh": None}[found]


@given(st.sets(st.sampled_from("abcdef")), st.lists(st.sampled_from("abcdef"), unique=True), st.booleans())
def test_a_request_is_asked_for_keys_in_the_place_of_features(
    columns: set[str], looked_up: list[str], may: bool
) -> None:
    taken = [InputColumn(name=name, type="double") for name in sorted(columns)]
    rules = [
        msgspec.structs.replace(RULE, feature=name, key=f"key{ord(name) % 2}", override="allow" if may else "refuse")
        for name in looked_up
    ]
    asked = {column.name: column for column in asked_for(taken, rules)}
    for name in columns:
        assert (name in asked) == (name not in looked_up or may)
    for rule in rules:
        assert rule.key in asked
        used = any(other.key == rule.key and other.feature in columns for other in rules)
        assert asked[rule.key].required == (used and not may)
