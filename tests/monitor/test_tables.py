"""Frames of the journal as tables: what each row held stands in it, however its frame was made."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure.monitor import tables
from tenure.records.base import Instant
from tenure.records.frames import Packed, PredictionFrame

from .year import START, frame

NAMES = ("age", "income", "limit")
Row = dict[str, float | None]


def frame_of(rows: list[Row], names: list[str], *, packed: bool = False) -> PredictionFrame:
    """A frame of some rows with these columns, in this order."""
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in names}
    if packed:
        columns = {name: packed_of(values) for name, values in columns.items()}
    made = frame(Instant(START), score=[0.5] * len(rows))
    return msgspec.structs.replace(made, columns=columns)


def packed_of(values: list[float | None]) -> Packed:
    return Packed("<f8", np.array([np.nan if one is None else one for one in values]).tobytes())


VALUES = st.none() | st.floats(-1e6, 1e6)
ROWS = st.lists(st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES)), min_size=1, max_size=3)
NAMED = st.permutations(NAMES).flatmap(lambda names: st.integers(0, 3).map(lambda count: names[:count]))


@settings(deadline=None)
@given(st.lists(st.tuples(ROWS, NAMED, st.booleans()), min_size=1, max_size=6))
def test_every_value_stands_in_the_row_it_came_with(made: list[tuple[list[Row], list[str], bool]]) -> None:
    """Whatever columns a frame has, in whichever order, as lists or packed."""
    table = tables.of_predictions([frame_of(rows, names, packed=packed) for rows, names, packed in made])
    expected = [{name: row[name] for name in names} for rows, names, _ in made for row in rows]
    for name in NAMES:
        values = [row.get(name) for row in expected]
        held = table.column(f"f_{name}").to_pylist() if f"f_{name}" in table.column_names else [None] * len(values)
        assert held == values


def test_a_column_without_any_value_is_left_out() -> None:
    assert "f_age" not in tables.of_predictions([frame_of([{"age": None}], ["age"])] * 2).column_names


@pytest.mark.parametrize("names", [[], ["age"]])
def test_a_frame_without_a_column_of_others_lacks_its_values(names: list[str]) -> None:
    frames = [frame_of([{"age": 1.0, "income": 2.0}], names), frame_of([{"age": 3.0, "income": 4.0}], ["income"])]
    assert tables.of_predictions(frames).column("f_income").to_pylist() == [None, 4.0]
