"""Outcomes by the names of classes: as the model's file or its versions' baselines number them."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from tenure.errors import InvalidInput
from tenure.monitor import outcome_classes, outcome_columns, uploads, windows
from tenure.records.base import DAY_US
from tenure.records.model_files import Prediction
from tenure.records.profiles import Profile
from tenure.sdk.baselines import profile_of
from tenure.store import tables

from .test_outcomes import accept, accept_blocks, batch, classes_of, from_file, journaled
from .test_watch import file_with
from .year import ENDPOINT, MODEL, START, Traffic, ids

NAMES = ["red", "green", "blue"]


def baseline(names: list[str], *, production: bool = False) -> Profile:
    chances = np.random.default_rng(1).dirichlet(np.ones(len(names)), 50)
    made = profile_of({"a": range(50)}, score=chances, classes=names)
    taken = msgspec.structs.replace(made.reference, kind="production" if production else "training")
    return msgspec.structs.replace(made, reference=taken)


def names_in_file(traffic: Traffic) -> None:
    traffic.apply(file_with(prediction=Prediction(outcome="colour", classes=NAMES)))


def answered_here(traffic: Traffic, version: int) -> None:
    release = {
        "release_id": f"r{version}", "endpoint": ENDPOINT, "model": MODEL, "version": version, "role": "champion",
    }  # fmt: skip
    columns = tables.releases.c
    needed = {
        one.name: 0 if isinstance(one.type, sa.Integer | sa.BigInteger | sa.Float) else "{}"
        for one in columns
        if not one.nullable and one.name not in release and one.default is None
    }
    traffic.ground.database.write(lambda tx: tx.execute(sa.insert(tables.releases).values(**release, **needed)))


def values(traffic: Traffic) -> list[float]:
    return [value for frame in journaled(traffic) for value in frame.value]


def test_json_may_mix_names_numbers_and_truth(traffic: Traffic) -> None:
    names_in_file(traffic)
    told: list[Any] = ["blue", 1, "0", True, " red "]
    body = batch(*({"reference": str(place), "value": value} for place, value in enumerate(told)))
    assert accept(traffic, body) == 5
    assert values(traffic) == [2.0, 1.0, 0.0, 1.0, 0.0]


@pytest.mark.parametrize("form", ["csv", "parquet", "arrow", "categories"])
def test_files_may_name_classes(traffic: Traffic, form: str) -> None:
    names_in_file(traffic)
    table = pa.table({"reference": ["a", "b", "c"], "value": ["green", "blue", "2"]})
    sink = io.BytesIO()
    if form == "csv":
        sink.write(b"reference,value\na,green\nb,blue\nc,2\n")
    elif form == "parquet":
        pq.write_table(table, sink)
    elif form == "arrow":
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
    if form == "categories":
        blocks: Any = iter([table.set_column(1, "value", table.column("value").dictionary_encode())])
    else:
        blocks = from_file(sink.getvalue(), form)  # type: ignore[arg-type]  # one of its kinds
    assert accept_blocks(traffic, blocks).accepted == 3
    assert values(traffic) == [1.0, 2.0, 2.0]


def test_an_unknown_name_is_refused_with_the_classes_there_are(traffic: Traffic) -> None:
    names_in_file(traffic)
    body = batch({"reference": "a", "value": "red"}, {"reference": "b", "value": "violet"})
    with pytest.raises(InvalidInput, match=r"Got 'violet'\. The classes are: red, green, blue\.") as problem:
        accept(traffic, body)
    assert problem.value.where == "outcomes[1].value"
    assert accept(traffic, body, accept="valid") == 1


def test_without_names_a_text_is_refused_with_what_to_do(traffic: Traffic) -> None:
    with pytest.raises(InvalidInput, match=r"prediction\.classes.*log_baseline"):
        accept(traffic, batch({"reference": "a", "value": "red"}))
    with pytest.raises(InvalidInput, match="Got none"):
        accept_blocks(traffic, from_file(b"reference,value\na,\n", "csv"))


def test_the_baseline_names_the_classes_where_the_file_does_not(traffic: Traffic) -> None:
    traffic.keep_profile(baseline(["green", "red", "blue"]), 1)
    assert accept(traffic, batch({"reference": "a", "value": "red"})) == 1
    assert values(traffic) == [1.0]
    names_in_file(traffic)
    assert classes_of(traffic).number["red"] == 0.0


def test_a_yes_or_no_may_have_names(traffic: Traffic) -> None:
    traffic.keep_profile(profile_of({"a": range(4)}, [0, 1, 1, 0], [0.1, 0.9, 0.6, 0.4], classes=["kept", "left"]), 1)
    accept(traffic, batch({"reference": "a", "value": "left"}, {"reference": "b", "value": "kept"}))
    assert values(traffic) == [1.0, 0.0]


def test_a_baseline_from_production_names_no_classes(traffic: Traffic) -> None:
    traffic.keep_profile(baseline(NAMES, production=True), 1)
    assert classes_of(traffic) == ({}, outcome_classes.NONE_KNOWN)


def test_versions_that_number_classes_differently_must_be_settled_by_the_file(traffic: Traffic) -> None:
    traffic.keep_profile(baseline(NAMES), 1)
    traffic.keep_profile(baseline(NAMES[::-1]), 2)
    with pytest.raises(InvalidInput, match=r"Versions 1 and 2 .*prediction\.classes"):
        accept(traffic, batch({"reference": "a", "value": "red"}))
    answered_here(traffic, 2)
    assert classes_of(traffic).number == {"blue": 0.0, "green": 1.0, "red": 2.0}
    names_in_file(traffic)
    assert classes_of(traffic).number["red"] == 0.0


def test_numbers_ask_for_no_classes(traffic: Traffic) -> None:
    asked: list[int] = []
    table = next(uploads.from_json(batch({"reference": "a", "value": 0.5}), "outcomes", 10))
    outcome_columns.checked(table, START, classes=lambda: asked.append(1) or outcome_columns.NO_CLASSES)
    assert asked == []


def test_answers_by_name_are_judged_with_outcomes_by_name(traffic: Traffic) -> None:
    traffic.keep_profile(baseline(NAMES), 1)
    said = ["red", "green", "blue", "red"] * 30
    made = traffic.predict(score=[None] * 120, output=said, event_at=START)
    came = ["blue" if name == "green" else name for name in said]
    told = [{"prediction_id": one, "value": value} for one, value in zip(ids(made), came, strict=True)]
    assert accept(traffic, batch(*told)) == 120
    traffic.predict(score=[None], output=["red"], event_at=START + 8 * DAY_US)
    traffic.look()
    traffic.judge()
    with traffic.ground.database.reading() as tx:
        [window] = windows.search(tx, ENDPOINT)
    assert window.measured is not None
    assert (window.measured.task, window.measured.outcomes) == ("multiclass", 120)
    assert {one.metric: one.value for one in window.measured.figures}["accuracy"] == 0.75
    assert window.measured.confusion is not None
    assert window.measured.confusion.labels == NAMES
