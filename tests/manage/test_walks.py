"""Walking a graph: bounded, through cycles, and the same way back."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tenure.manage.walks import Neighbours, Reached, walk
from tenure.records.lineage import Edge, Node

Pairs = list[tuple[int, int]]
graphs = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=40)


def node(number: int) -> Node:
    return Node(kind="run", id=str(number))


def reader(pairs: Pairs) -> Neighbours:
    edges = [Edge(source=node(start), target=node(end), how="to") for start, end in pairs]

    def read(nodes: Sequence[Node], down: bool) -> Reached:
        there = set(nodes)
        return Reached([edge for edge in edges if (edge.source if down else edge.target) in there])

    return read


def reachable(pairs: Pairs, start: int) -> set[int]:
    found, waiting = {start}, [start]
    for one in waiting:
        for end in (end for begin, end in pairs if begin == one and end not in found):
            found.add(end)
            waiting.append(end)
    return found


@given(graphs, st.integers(0, 12))
def test_a_walk_down_finds_what_can_be_reached_and_ends_in_cycles(pairs: Pairs, start: int) -> None:
    found = walk([node(start)], reader(pairs), down=True, depth=50, limit=100)
    assert set(found.nodes) == {node(number) for number in reachable(pairs, start)}
    assert found.cut == []


@given(graphs, st.integers(0, 12))
def test_what_is_found_down_leads_up_to_where_it_began(pairs: Pairs, start: int) -> None:
    down = walk([node(start)], reader(pairs), down=True, depth=50, limit=100)
    for one in down.nodes:
        up = walk([one], reader(pairs), down=False, depth=50, limit=100)
        assert node(start) in up.nodes


@given(graphs, st.integers(0, 12), st.integers(1, 4), st.integers(1, 8), st.integers(1, 3))
def test_a_bounded_walk_keeps_its_bounds_and_says_what_is_missing(
    pairs: Pairs, start: int, depth: int, limit: int, breadth: int
) -> None:
    found = walk([node(start)], reader(pairs), down=True, depth=depth, limit=limit, breadth=breadth)
    assert len(found.nodes) <= limit
    for edge in found.edges:
        assert (int(edge.source.id), int(edge.target.id)) in pairs
        assert {edge.source, edge.target} <= set(found.nodes)
    complete = set(found.nodes) == {node(number) for number in reachable(pairs, start)}
    assert complete == (found.cut == [])


def test_a_wide_step_is_cut_where_it_is_wide_and_the_walk_goes_on() -> None:
    pairs = [(0, number) for number in range(1, 1001)] + [(1, 2000)]
    found = walk([node(0)], reader(pairs), down=True, depth=5, limit=100, breadth=10)
    assert node(2000) in found.nodes
    assert [(one.node, one.count, one.because) for one in found.cut] == [(node(0), 990, "count")]


def test_the_end_of_the_walk_is_told_as_such() -> None:
    found = walk([node(0)], reader([(0, 1), (1, 2), (2, 3)]), down=True, depth=2, limit=100)
    assert [(one.node, one.count, one.because) for one in found.cut] == [(node(2), 1, "depth")]


def test_an_edge_that_holds_stands_for_those_that_have_ended() -> None:
    edges = [Edge(source=node(0), target=node(1), how="to", detail=d, ended=e) for d, e in (("a", True), ("b", False))]
    found = walk([node(0)], lambda nodes, down: Reached(edges if node(0) in nodes else []), down=True, depth=3, limit=9)
    assert [edge.ended for edge in found.edges] == [False]
