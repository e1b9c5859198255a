"""Asking again changes nothing: what is repeated, lost half-way or comes in another order leaves the same state."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure.errors import Unavailable
from tenure.store import driver
from tests.api.mlflow.conftest import Wire

FEW, MANY = 12, 500
EXAMPLES = [pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.slow)]
KEYS = ("a", "b", "c")
VALUES = (0.0, 1.0, -1.0, "NaN", "Infinity")
STEPS, TIMES = (0, 1, 2), (1, 2)


@dataclass
class Asked:
    """One request. `fails_at`: the statement of it at which the database fails when it is first tried."""

    route: str
    sent: dict[str, Any]
    fails_at: int = 0


@dataclass
class State:
    """What a run holds, as plain Python would keep it."""

    points: set[tuple[str, int, int, str]] = field(default_factory=set)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def take(self, asked: Asked) -> bool:
        """Whether the request is accepted; all of it counts, or nothing."""
        metrics, params, tags = parts(asked)
        if any(not one["key"] for one in (*metrics, *params, *tags)):
            return False
        given: dict[str, str] = {}
        for one in params:
            if one["key"] in given or self.params.get(one["key"], one["value"]) != one["value"]:
                return False
            given[one["key"]] = one["value"]
        self.params |= given
        self.tags |= {one["key"]: one["value"] for one in tags}
        self.points |= {(one["key"], one["timestamp"], one["step"], str(one["value"])) for one in metrics}
        return True

    def latest(self) -> dict[str, set[str]]:
        """The greatest by step, timestamp and value of each key. NaN counts as 0: of those two either may be told."""
        ranked: dict[str, dict[tuple[int, int, float], set[str]]] = {}
        for key, timestamp, step, value in self.points:
            rank = step, timestamp, 0.0 if value == "NaN" else float(value)
            ranked.setdefault(key, {}).setdefault(rank, set()).add(value)
        return {key: ranks[max(ranks)] for key, ranks in ranked.items()}


def parts(asked: Asked) -> tuple[list[Any], list[Any], list[Any]]:
    if asked.route == "log-batch":
        return asked.sent["metrics"], asked.sent["params"], asked.sent["tags"]
    kinds = ("log-metric", "log-parameter", "set-tag")
    return tuple([asked.sent] if asked.route == kind else [] for kind in kinds)  # type: ignore[return-value]


def told(wire: Wire, run_id: str) -> State:
    data = wire.get("runs/get", run_id=run_id).json()["run"]["data"]
    state = State(
        params={one["key"]: one["value"] for one in data.get("params", [])},
        tags={one["key"]: one["value"] for one in data.get("tags", []) if not one["key"].startswith("mlflow.")},
    )
    for key in KEYS:
        points = wire.get("metrics/get-history", run_id=run_id, metric_key=key).json().get("metrics", [])
        found = [(key, one["timestamp"], one["step"], str(one["value"])) for one in points]
        assert len(found) == len(set(found)), "a point is there twice"
        state.points |= set(found)
    told_latest, latest = {one["key"]: str(one["value"]) for one in data.get("metrics", [])}, state.latest()
    assert told_latest.keys() == latest.keys()
    assert all(value in latest[key] for key, value in told_latest.items())
    return state


# --- what is asked ---

metric = st.fixed_dictionaries(
    {
        "key": st.sampled_from(KEYS),
        "value": st.sampled_from(VALUES),
        "step": st.sampled_from(STEPS),
        "timestamp": st.sampled_from(TIMES),
    }
)
pair = st.fixed_dictionaries({"key": st.sampled_from((*KEYS, "")), "value": st.sampled_from(("1", "2"))})
settled = st.sampled_from(KEYS).map(lambda key: {"key": key, "value": f"of {key}"})


def requests(pairs: st.SearchStrategy[Any], params: st.SearchStrategy[Any]) -> st.SearchStrategy[Asked]:
    batch = st.fixed_dictionaries(
        {"metrics": st.lists(metric, max_size=6), "params": params, "tags": st.lists(pairs, max_size=3)}
    )
    return st.one_of(
        st.builds(Asked, st.just("log-batch"), batch, st.integers(0, 6)),
        st.builds(Asked, st.just("log-metric"), metric, st.integers(0, 3)),
        st.builds(Asked, st.sampled_from(("log-parameter", "set-tag")), pairs, st.integers(0, 3)),
    )


def new_run(wire: Wire) -> str:
    """Hypothesis begins every example with the same chance, and ids are drawn by chance."""
    random.seed()
    return wire.run()


def post(wire: Wire, run_id: str, asked: Asked) -> int:
    return wire.post(f"runs/{asked.route}", run_id=run_id, **asked.sent).status


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The database fails when the number in the list, counted down by each statement, reaches 0."""
    left = [-1]

    def counted(work: Any) -> Any:
        def run(*given: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise Unavailable("The disk is full, says a test.")
            return work(*given)

        return run

    monkeypatch.setattr(driver, "execute", counted(driver.execute))
    monkeypatch.setattr(driver, "execute_many", counted(driver.execute_many))
    return left


@pytest.mark.parametrize("examples", EXAMPLES)
def test_a_request_that_fails_half_way_or_is_repeated_counts_once(
    each_wire: Wire, failing: list[int], examples: int
) -> None:
    failed = 0

    @settings(max_examples=examples, deadline=None, derandomize=examples == FEW, database=None)
    @given(st.lists(st.tuples(requests(pair, st.lists(pair, max_size=3)), st.integers(1, 3)), max_size=6))
    def holds(sequence: list[tuple[Asked, int]]) -> None:
        nonlocal failed
        run_id, state = new_run(each_wire), State()
        for asked, times in sequence:
            failing[0] = asked.fails_at or -1
            first = post(each_wire, run_id, asked)
            if first == 503:
                failed += 1
                assert told(each_wire, run_id) == state, "half of it is there"
            failing[0] = -1
            accepted = state.take(asked)
            for _ in range(times):
                assert post(each_wire, run_id, asked) == (200 if accepted else 400)
        assert told(each_wire, run_id) == state

    holds()
    assert failed > 0


@pytest.mark.parametrize("examples", EXAMPLES)
def test_requests_that_do_not_contradict_each_other_may_come_in_any_order_any_number_of_times(
    each_wire: Wire, examples: int
) -> None:
    params = st.lists(settled, max_size=3, unique_by=lambda one: one["key"])

    @settings(max_examples=examples, deadline=None, derandomize=examples == FEW, database=None)
    @given(st.lists(requests(settled, params), min_size=1, max_size=5), st.data())
    def holds(sequence: list[Asked], data: st.DataObject) -> None:
        again = data.draw(st.lists(st.sampled_from(sequence), max_size=5))
        shuffled = data.draw(st.permutations([*sequence, *again]))
        run_id, state = new_run(each_wire), State()
        assert all(state.take(asked) for asked in sequence)
        assert {post(each_wire, run_id, asked) for asked in shuffled} == {200}
        assert told(each_wire, run_id) == state

    holds()
