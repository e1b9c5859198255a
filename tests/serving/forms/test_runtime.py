"""Forms as the gateway evaluates them: from their files alone, verified and tried."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure.records.routing import PinnedFile, ReleaseForm
from tenure.serving.forms import loading
from tenure.serving.forms.finishing import finisher
from tenure.serving.forms.program import PROGRAM_FILE, Finish, Number, Program, Table
from tenure.serving.forms.refusals import CannotUse, Refused

LATE = Program(
    kind="linear",
    numbers=[Number(name="km", low=-1e300, high=1e300, null=[0.25], centre=100.0, weights=[0.5])],
    tables=[Table(name="carrier", keys=["AA", "UA"], rows=[[1.0], [-1.0]], unknown=[0.0], null=None)],
    finish=Finish(says="two", link="logistic"),
    base=[-1.0],
)
PROBE: dict[str, list[Any]] = {"km": [100.0, None, 104.0], "carrier": ["AA", "UA", "B6"]}


def written(folder: Path, program: Program = LATE) -> ReleaseForm:
    """The form's files in a folder, and what a release would say of them."""
    content = msgspec.msgpack.encode(program)
    (folder / PROGRAM_FILE).write_bytes(content)
    answers = loading.built(content, None).outputs(PROBE, 3)
    file = PinnedFile(path=PROGRAM_FILE, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    return ReleaseForm(
        kind="linear", location=str(folder), digest="d", files=[file], probe=PROBE, answers=answers, tolerance=1e-9
    )


def test_a_linear_form_is_the_sum_of_its_columns(tmp_path: Path) -> None:
    form = loading.load(tmp_path, written(tmp_path))
    share = [1 / (1 + math.exp(-score)) for score in (-1.0 + 1.0, -1.0 + 0.25 - 1.0, -1.0 + 4 * 0.5)]
    for said, yes in zip(form.outputs(PROBE, 3), share, strict=True):
        assert said == pytest.approx([1 - yes, yes], abs=1e-15)


@pytest.mark.parametrize(
    ("column", "value"), [("km", 1e301), ("km", -1e301), ("km", math.inf), ("carrier", None)], ids=str
)
def test_what_the_version_refuses_is_refused_alone_and_among_others(tmp_path: Path, column: str, value: Any) -> None:
    form = loading.load(tmp_path, written(tmp_path))
    with pytest.raises(Refused, match=column):
        form.outputs({"km": [1.0], "carrier": ["AA"], column: [value]}, 1)
    with pytest.raises(Refused, match=column):
        form.outputs({"km": [1.0, 2.0], "carrier": ["AA", "AA"], column: [PROBE[column][0], value]}, 2)


def test_a_tampered_form_is_not_used(tmp_path: Path) -> None:
    form = written(tmp_path)
    path = tmp_path / PROGRAM_FILE
    path.write_bytes(path.read_bytes().replace(b"AA", b"ZZ"))
    with pytest.raises(CannotUse, match="not the one that was proven"):
        loading.load(tmp_path, form)


def test_a_form_that_does_not_give_the_stored_answers_is_not_used(tmp_path: Path) -> None:
    form = written(tmp_path)
    for changed in ({"answers": [[0.5, 0.5]] * 3}, {"answers": ["late"] * 3}, {"probe": {"km": [1.0] * 3}}):
        with pytest.raises(CannotUse, match="proven with"):
            loading.load(tmp_path, msgspec.structs.replace(form, **changed))


def test_a_file_that_is_gone_or_no_form_is_told_so(tmp_path: Path) -> None:
    form = written(tmp_path)
    content = b"\x80"
    (tmp_path / PROGRAM_FILE).write_bytes(content)
    file = PinnedFile(path=PROGRAM_FILE, size_bytes=1, sha256=hashlib.sha256(content).hexdigest())
    with pytest.raises(CannotUse, match="cannot be read as a form"):
        loading.load(tmp_path, msgspec.structs.replace(form, files=[file]))
    (tmp_path / PROGRAM_FILE).unlink()
    with pytest.raises(CannotUse, match="cannot be read"):
        loading.load(tmp_path, form)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5), st.floats(-1e3, 1e3), st.floats(-10, 10))
def test_a_row_gets_the_same_bits_alone_and_among_others(values: list[float], centre: float, weight: float) -> None:
    number = Number(name="x", low=-1e7, high=1e7, null=None, centre=centre, weights=[weight])
    for finish in (Finish(says="two", link="logistic"), Finish(says="value", link="exp"), Finish(says="value")):
        program = Program(kind="linear", numbers=[number], tables=[], finish=finish, base=[0.5])
        form = loading.built(msgspec.msgpack.encode(program), None)
        alone = [form.outputs({"x": [value]}, 1)[0] for value in values]
        assert form.outputs({"x": values}, len(values)) == alone


@pytest.mark.parametrize(
    "finish",
    [
        Finish(says="label", labels=["no", "yes"]),
        Finish(says="value"),
        Finish(says="value", link="exp"),
        Finish(says="two", link="logistic"),
    ],
)
@pytest.mark.parametrize("weights", [[2.0], [2.0, 3.0]])
def test_columns_that_came_as_bytes_get_the_same_plain_answers(finish: Finish, weights: list[float]) -> None:
    number = Number(name="x", low=-1e7, high=1e7, null=None, centre=0.5, weights=weights)
    program = Program(kind="linear", numbers=[number], tables=[], finish=finish, base=[0.5] * len(weights))
    form = loading.built(msgspec.msgpack.encode(program), None)
    for values in ([1.25], [1.25, -3.0]):
        told = form.outputs({"x": values}, len(values))
        assert form.outputs({"x": np.array(values)}, len(values)) == told  # type: ignore[dict-item]  # as from V2's bytes
        assert msgspec.json.encode(form.outputs({"x": np.array(values)}, len(values))) == msgspec.json.encode(told)  # type: ignore[dict-item]


def test_of_equal_scores_the_first_label_is_told() -> None:
    say = finisher(Finish(says="label", labels=["a", "b", "c"]))
    assert [say([1.0, 1.0, 0.0]), say([0.0, 2.0, 2.0])] == ["a", "b"]
    of_two = finisher(Finish(says="label", labels=["no", "yes"]))
    assert [of_two([0.5, 0.5]), of_two([0.0]), of_two([0.1])] == ["no", "no", "yes"]
    from_cut = finisher(Finish(says="label", labels=["no", "yes"], inclusive=True))
    assert from_cut([0.0]) == "yes"


LEAN = """
import sys
from tenure.store import lean
lean.refuse_frameworks()
from tenure.serving import gateway
before = [name for name in ("numpy", "onnxruntime", "onnx", "skl2onnx", "scipy") if name in sys.modules]
from tenure.serving.forms import loading
before += [name for name in ("onnxruntime", "onnx", "skl2onnx", "scipy") if name in sys.modules]
import tenure.serving.forms.onnx as forms
forms.runner(open(sys.argv[1], "rb").read())
after = [name for name in ("onnx", "skl2onnx", "scipy", "pandas", "sklearn", "mlflow") if name in sys.modules]
print(before, after)
"""


def test_a_gateway_loads_no_framework_for_forms_and_onnx_runtime_only_when_one_needs_it(tmp_path: Path) -> None:
    from sklearn.tree import DecisionTreeRegressor

    from tests.serving.forms.makers import compiled, table, target

    frame = table(50, numbers=1, words=0)
    model = DecisionTreeRegressor(max_depth=2).fit(frame, target(frame, 0))
    (tmp_path / "model.onnx").write_bytes(compiled(model, frame).files["model.onnx"])
    said = subprocess.run(
        [sys.executable, "-c", LEAN, str(tmp_path / "model.onnx")], check=True, capture_output=True, text=True
    )
    assert said.stdout.strip() == "[] []"
