"""The layered drawing: every edge is drawn, leads on, and nothing stands on anything else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tenure.web.layers import layered

graphs = st.integers(1, 10).flatmap(
    lambda count: st.tuples(
        st.just(count),
        st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=30),
    )
)


@given(graphs)
def test_every_edge_is_drawn_and_leads_from_layer_to_layer(graph: tuple[int, list[tuple[int, int]]]) -> None:
    count, edges = graph
    found = layered(count, edges)
    layer = {one: at for at, layer in enumerate(found.layers) for one in layer}
    assert set(found.routes) == {(start, end) for start, end in edges if start != end}
    for (start, end), route in found.routes.items():
        ends = (end, start) if (start, end) in found.backward else (start, end)
        assert (route[0], route[-1]) == ends
        assert [layer[one] for one in route] == list(range(layer[route[0]], layer[route[-1]] + 1))
        assert all(one >= count for one in route[1:-1])


@given(graphs)
def test_every_node_stands_once_and_no_layer_is_empty(graph: tuple[int, list[tuple[int, int]]]) -> None:
    count, edges = graph
    placed = [one for layer in layered(count, edges).layers for one in layer]
    assert len(placed) == len(set(placed))
    assert sorted(one for one in placed if one < count) == list(range(count))
    assert all(layered(count, edges).layers)


def test_a_graph_without_cycles_has_no_edge_that_leads_back() -> None:
    assert layered(4, [(0, 1), (1, 2), (0, 2), (3, 2)]).backward == frozenset()


def test_what_nothing_leads_to_stands_beside_what_it_leads_to() -> None:
    found = layered(4, [(0, 1), (1, 2), (3, 2)])
    assert [sorted(layer) for layer in found.layers] == [[0], [1, 3], [2]]


def test_two_edges_that_would_cross_do_not() -> None:
    found = layered(4, [(0, 3), (1, 2)])
    left, right = found.layers
    assert [left.index(0) < left.index(1), right.index(3) < right.index(2)] in ([True, True], [False, False])
