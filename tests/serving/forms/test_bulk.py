"""A form over whole columns says what it says row by row, to the bit, and refuses the same rows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure.serving.forms import bulk, loading
from tenure.serving.forms.bulk import Bulk, Coded
from tenure.serving.forms.columns import Refused
from tenure.serving.forms.program import Finish, Number, Program, Table

from .test_runtime import LATE, PROBE, written

FINISHES = (
    Finish(says="two", link="logistic"),
    Finish(says="value", link="exp", single=True),
    Finish(says="value", divisor=3.0, base=[0.1]),
    Finish(says="label", labels=["no", "yes"], cut=0.25),
    Finish(says="label", labels=[False, True], link="logistic", cut=0.5, inclusive=True),
)


def arrays(columns: dict[str, list[Any]], coded: frozenset[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, values in columns.items():
        if name in coded:
            keys = [*dict.fromkeys(value for value in values if value is not None), None]
            found[name] = Coded(np.array([keys.index(value) for value in values]), keys)
        else:
            found[name] = np.array(values, dtype=np.float64)
    return found


@settings(deadline=None)  # the first one imports Arrow
@given(
    st.lists(st.tuples(st.none() | st.floats(allow_nan=False), st.sampled_from(["AA", "UA", "B6"])), min_size=1),
    st.sampled_from(FINISHES),
    st.booleans(),
)
def test_linear_forms(rows: list[tuple[float | None, str]], finish: Finish, single: bool) -> None:
    number = Number(name="km", low=-1e6, high=1e6, null=[0.25], centre=100.0, weights=[0.013], single=single)
    carrier = Table(name="carrier", keys=["AA", "UA"], rows=[[1.0], [-1.0]], unknown=None, null=[0.5])
    program = Program(kind="linear", numbers=[number], tables=[carrier], finish=finish, base=[-1.0])
    alone, many = loading.built(msgspec.msgpack.encode(program), None), Bulk(program, None)
    fine, refused = [], set()
    for place, (km, word) in enumerate(rows):
        try:
            alone.outputs({"km": [km], "carrier": [word]}, 1)
            fine.append(place)
        except Refused:
            refused.add(place)
    columns = {"km": [km for km, _ in rows], "carrier": [word for _, word in rows]}
    masks = many.refused(arrays(columns, many.categories), len(rows))
    assert {int(row) for mask in masks.values() for row in np.flatnonzero(mask)} == refused
    kept = {name: [values[place] for place in fine] for name, values in columns.items()}
    if fine:
        together = many.outputs(arrays(kept, many.categories), len(fine)).to_pylist()
        assert together == [
            alone.outputs({name: [values[row]] for name, values in kept.items()}, 1)[0] for row in range(len(fine))
        ]


def test_several_scores_and_trees() -> None:
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    from tests.serving.forms.makers import compiled, table, target

    frame = table(200, numbers=2, words=1)
    for model, classes in ((LogisticRegression(), 3), (GradientBoostingClassifier(n_estimators=5), 2)):
        encoding = make_column_transformer(
            (StandardScaler(), ["n0", "n1"]), (OneHotEncoder(handle_unknown="ignore"), ["w0"])
        )
        made = compiled(make_pipeline(encoding, model).fit(frame, target(frame, classes)), frame)
        onnx = made.files.get("model.onnx")
        alone = loading.built(made.files["form.msgpack"], onnx)
        many = Bulk(msgspec.msgpack.decode(made.files["form.msgpack"], type=Program), onnx)
        columns = {name: frame[name].tolist() for name in frame}
        given_ = arrays(columns, many.categories)
        assert many.refused(given_, 200) == {}
        assert many.outputs(given_, 200).to_pylist() == alone.outputs(columns, 200)


def test_a_form_for_many_rows_is_tried_before_it_answers(tmp_path: Path) -> None:
    form = written(tmp_path, LATE)
    many = bulk.load(tmp_path, form)
    assert many.outputs(arrays(PROBE, many.categories), 3).to_pylist() == form.answers
    with pytest.raises(loading.CannotUse, match="proven with"):
        bulk.load(tmp_path, msgspec.structs.replace(form, answers=[[0.5, 0.5]] * 3))
