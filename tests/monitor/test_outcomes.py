"""Outcomes are checked before they are accepted, whatever form they come in."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from tenure.errors import InvalidInput, RowsRefused, TooLarge
from tenure.manage import tables
from tenure.monitor import outcome_classes, outcomes, progress, uploads
from tenure.monitor.outcome_classes import Classes
from tenure.monitor.outcomes import Sending
from tenure.records.base import DAY_US, Instant
from tenure.records.frames import OutcomeFrame, OverrideFrame
from tenure.records.outcomes import OutcomesAccepted
from tenure.serving.journal import read_frames, segments
from tenure.store import lake_files

from .year import ENDPOINT, START, Traffic, ids

ID = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
NOW = Instant(1_700_000_000_000_000)


def batch(*told: object) -> bytes:
    return msgspec.json.encode({"outcomes": told})


def accept(traffic: Traffic, body: bytes, max_rows: int = 100_000, **given: Any) -> int:
    return accept_blocks(traffic, uploads.from_json(body, "outcomes", max_rows), **given).accepted


def accept_blocks(traffic: Traffic, blocks: Iterator[Any], kind: str = "outcomes", **given: Any) -> OutcomesAccepted:
    sending = Sending(endpoint=ENDPOINT, kind=kind, by="ann", now=NOW, **given)
    folder = traffic.ground.settings.folder
    return outcomes.accept(lambda: traffic.control, sending, blocks, folder, lambda: classes_of(traffic))


def classes_of(traffic: Traffic) -> Classes:
    return traffic.ground.database.read(lambda tx: outcome_classes.classes_at(tx, ENDPOINT))


def from_file(body: bytes, kind: tables.Kind, max_rows: int = 10, of: str = "outcomes") -> Iterator[Any]:
    return uploads.from_file(io.BytesIO(body), kind, of, size_bytes=len(body), max_rows=max_rows)


def journaled(traffic: Traffic) -> list[OutcomeFrame]:
    found = [
        read_frames(one.path)[0]
        for one in segments(progress.journal_folder(traffic.ground))
        if one.process == "control"
    ]
    return [frame for frames in found for frame in frames if isinstance(frame, OutcomeFrame)]


def test_what_is_accepted_is_in_the_journal(traffic: Traffic) -> None:
    told = [
        {"prediction_id": ID, "value": True},
        {"prediction_id": f"{ID.upper()}:3", "value": 0, "event_time": "2013-02-01T05:00:00Z"},
        {"reference": "UA1", "value": 2.5, "event_time": START},
    ]
    assert accept(traffic, batch(*told)) == 3
    [frame] = journaled(traffic)
    assert frame.key == [f"{ID}:0", f"{ID}:3", "ref:UA1"]
    assert frame.value == [1.0, 0.0, 2.5]
    assert frame.event_at == [NOW, START + 5 * 3_600_000_000, START]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"{", None),
        (b"[]", None),
        (b'{"outcomes": []}', "outcomes"),
        (b'{"outcome": []}', None),
        (batch({"value": 1}), "outcomes[0]"),
        (batch({"reference": "a", "value": 1}, {"prediction_id": ID, "reference": "a", "value": 1}), "outcomes[1]"),
        (batch({"reference": "a", "value": "late"}), "outcomes[0].value"),
        (batch({"reference": "a"}), None),
        (batch({"reference": "", "value": 1}), "outcomes[0].reference"),
        (batch({"prediction_id": "seven", "value": 1}), "outcomes[0].prediction_id"),
        (batch({"prediction_id": f"{ID}:-1", "value": 1}), "outcomes[0].prediction_id"),
        (batch({"reference": "a", "value": 1, "event_time": "yesterday"}), "outcomes[0].event_time"),
        (batch({"reference": "a", "value": 1, "event_time": 1_359_676_800}), "outcomes[0].event_time"),
        (b'{"outcomes": [{"reference": "a", "value": NaN}]}', None),
        (b'{"outcomes": [{"reference": "a", "value": 1e999}]}', None),
    ],
)
def test_a_batch_with_a_mistake_is_refused_as_a_whole_and_the_place_is_named(
    traffic: Traffic, body: bytes, where: str | None
) -> None:
    with pytest.raises(InvalidInput) as refused:
        accept(traffic, body)
    if where is not None:
        assert refused.value.where == where
    assert journaled(traffic) == []


def test_too_many_at_once_are_refused(traffic: Traffic) -> None:
    told = [{"reference": str(number), "value": 1} for number in range(3)]
    with pytest.raises(TooLarge):
        accept(traffic, batch(*told), max_rows=2)


def test_files_say_the_same_in_every_form(traffic: Traffic) -> None:
    table = pa.table(
        {
            "reference": ["a", None],
            "prediction_id": [None, f"{ID}:1"],
            "value": [1.0, 0.0],
            "event_time": pa.array([START, None]).cast(pa.timestamp("us", tz="UTC")),
        }
    )
    parquet = io.BytesIO()
    pq.write_table(table, parquet)
    csv = f"reference,prediction_id,value,event_time\na,,true,{START}\n,{ID}:1,0,\n".encode()
    arrow = io.BytesIO()
    with pa.ipc.new_stream(arrow, table.schema) as stream:
        stream.write_table(table)
    told = {
        "csv": from_file(csv, "csv"),
        "parquet": from_file(parquet.getvalue(), "parquet"),
        "arrow": from_file(arrow.getvalue(), "arrow"),
    }
    for blocks in told.values():
        assert accept_blocks(traffic, blocks).accepted == 2
    frames = journaled(traffic)
    assert len(frames) == 3
    for frame in frames:
        assert (frame.key, frame.value, frame.event_at) == (["ref:a", f"{ID}:1"], [1.0, 0.0], [START, NOW])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"value\n1\n",
        b"reference,value\na,late\n",
        b"reference,value\na\n",
        b"reference,value\na,1,2\n",
        b"reference,value,colour\na,1,red\n",
        b"reference,value\n\xff,1\n",
        b'reference,value\n"a,1\n',
        b"reference,value\na,\n",
        b"reference,value\na,1\nb,1\nc,1\n",
    ],
)
def test_a_csv_file_with_a_mistake_is_refused(traffic: Traffic, body: bytes) -> None:
    with pytest.raises(InvalidInput):
        accept_blocks(traffic, from_file(body, "csv", 2))
    assert journaled(traffic) == []


def test_a_parquet_file_with_a_mistake_is_refused(traffic: Traffic, tmp_path: Path) -> None:
    bodies = [b"", b"PAR1", b"PAR1" + b"\x00" * 100 + b"PAR1"]
    for columns in (
        {"reference": ["a"], "value": ["late"]},
        {"reference": ["a"]},
        {"reference": ["a", "b", "c"], "value": [1, 2, 3]},
        {"reference": [["a"]], "value": [1]},
        {"reference": ["a"], "value": [None]},
    ):
        pq.write_table(pa.table(columns), tmp_path / "outcomes.parquet")
        bodies.append((tmp_path / "outcomes.parquet").read_bytes())
    whole = bodies[-1]
    bodies.append(whole[: len(whole) // 2])
    for body in bodies:
        with pytest.raises(InvalidInput):
            accept_blocks(traffic, from_file(body, "parquet", 2))


def test_nan_in_a_file_is_refused_with_its_row(traffic: Traffic) -> None:
    parquet = io.BytesIO()
    pq.write_table(pa.table({"reference": ["a", "b"], "value": [1.0, float("nan")]}), parquet)
    with pytest.raises(InvalidInput) as refused:
        accept_blocks(traffic, from_file(parquet.getvalue(), "parquet"))
    assert refused.value.where == "outcomes[1].value"


def test_a_file_that_is_much_larger_unpacked_is_refused_by_its_foot() -> None:
    rows = 2_000_000
    parquet = io.BytesIO()
    pq.write_table(
        pa.table({"reference": pa.array(["x" * 60]).take(pa.array([0] * rows)), "value": pa.array([1.0] * rows)}),
        parquet,
        compression="zstd",
    )
    with pytest.raises(TooLarge):
        list(from_file(parquet.getvalue(), "parquet", 100_000))


def test_accepted_outcomes_reach_their_predictions(traffic: Traffic) -> None:
    made = traffic.predict(score=[0.1] * 3_000)
    told = [{"prediction_id": key, "value": 1} for key in ids(made)]
    assert accept(traffic, batch(*told)) == 3_000
    traffic.look()
    assert progress.of(traffic.ground, ENDPOINT).outcomes == 3_000


def test_up_to_twenty_rows_that_do_not_fit_are_told_and_nothing_is_stored(traffic: Traffic) -> None:
    told = [{"reference": "r" if row % 2 else "", "value": 1} for row in range(60)]
    with pytest.raises(RowsRefused) as refused:
        accept(traffic, batch(*told))
    assert [one["row"] for one in refused.value.problems] == list(range(0, 40, 2))
    assert "29 of the other 59 rows" in refused.value.message
    assert journaled(traffic) == []


def test_rows_that_fit_are_stored_when_that_is_asked_for(traffic: Traffic) -> None:
    told = [{"reference": f"r{row}", "value": 1, "event_time": START if row else 7} for row in range(3)]
    found = accept_blocks(traffic, uploads.from_json(batch(*told), "outcomes", 10), accept="valid")
    assert (found.accepted, found.refused, [one.where for one in found.problems]) == (2, 1, ["outcomes[0].event_time"])
    assert [frame.key for frame in journaled(traffic)] == [["ref:r1", "ref:r2"]]
    with pytest.raises(RowsRefused):
        accept(traffic, batch(told[0]), accept="valid")


def test_a_row_deep_in_a_long_stream_is_named_and_nothing_before_it_is_stored(traffic: Traffic) -> None:
    rows = 150_000
    csv = b"reference,value\n" + b"".join(b"r%d,%s\n" % (row, b"x" if row == 140_000 else b"1") for row in range(rows))
    with pytest.raises(RowsRefused) as refused:
        accept_blocks(traffic, from_file(csv, "csv", rows))
    assert refused.value.where == "outcomes[140000].value"
    assert journaled(traffic) == []


def test_other_names_and_kinds_of_columns_say_the_same(traffic: Traffic) -> None:
    day = pa.array([START // 1_000_000 + 86_400]).cast(pa.timestamp("s"))
    table = pa.table({"id": pa.array([ID]).dictionary_encode(), "outcome": pa.array([1], pa.int8()), "event_time": day})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    accept_blocks(traffic, from_file(sink.getvalue(), "arrow"))
    [frame] = journaled(traffic)
    assert (frame.key, frame.value, frame.event_at) == ([f"{ID}:0"], [1.0], [START + DAY_US])


def test_an_arrow_stream_of_anything_but_plain_values_is_refused(traffic: Traffic) -> None:
    for column in (pa.array([[1]]), pa.array([b"x"], pa.binary()), pa.array([{"a": 1}])):
        sink = io.BytesIO()
        table = pa.table({"reference": column, "value": [1.0]})
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        with pytest.raises(InvalidInput, match="plain values"):
            accept_blocks(traffic, from_file(sink.getvalue(), "arrow"))


def test_the_same_upload_again_changes_nothing(traffic: Traffic) -> None:
    made = traffic.predict(score=[0.1, 0.9])
    told = batch(*({"prediction_id": key, "value": 1} for key in ids(made)), {"reference": "later", "value": 0})
    for _ in range(2):
        accept(traffic, told)
        traffic.look()
    come = progress.of(traffic.ground, ENDPOINT)
    assert (come.outcomes, come.outcomes_waiting, come.outcomes_conflicting) == (2, 1, 0)


def override(**given: Any) -> dict[str, Any]:
    return {"value": 0, "reason": "the customer called", **given}


def override_body(*told: object) -> bytes:
    return msgspec.json.encode({"overrides": told})


def test_an_override_is_joined_and_is_no_outcome(traffic: Traffic) -> None:
    made = traffic.predict(score=[0.1, 0.9], reference=["a", "b"])
    told = [override(prediction_id=ids(made)[0], decided_by="bea", event_time=START), override(reference="b")]
    waits = override(reference="later")
    for _ in range(2):  # again changes nothing
        accept_blocks(traffic, uploads.from_json(override_body(*told, waits), "overrides", 10), "overrides")
        traffic.look()
    come = progress.of(traffic.ground, ENDPOINT)
    assert (come.outcomes, come.overridden, come.overrides_waiting) == (0, 2, 1)
    traffic.predict(score=[0.4], reference=["later"])
    traffic.look()
    come = progress.of(traffic.ground, ENDPOINT)
    assert (come.outcomes, come.overridden, come.overrides_waiting) == (0, 3, 0)
    lake = progress.lake_of(traffic.ground)
    with traffic.ground.database.reading() as tx:
        table = lake.read(lake_files.between(tx, ENDPOINT, "overrides", 0, 2**60)).sort_by("decided_by")
    assert table.column("decided_by").to_pylist() == ["ann", "ann", "bea"]
    assert table.column("reason").to_pylist() == ["the customer called"] * 3


def test_a_person_may_decide_again_and_one_prediction_is_overridden_once(traffic: Traffic) -> None:
    made = traffic.predict(score=[0.1])
    for value in (0, 1):
        body = override_body(override(prediction_id=ids(made)[0], value=value, event_time=START + value))
        accept_blocks(traffic, uploads.from_json(body, "overrides", 10), "overrides")
    traffic.look()
    assert progress.of(traffic.ground, ENDPOINT).overridden == 1


@pytest.mark.parametrize("given", [{"reason": " "}, {"reason": "x" * 501}, {"decided_by": "x" * 201}])
def test_an_override_says_why_and_who(traffic: Traffic, given: dict[str, str]) -> None:
    body = override_body(override(reference="a"), override(reference="b") | given)
    with pytest.raises(RowsRefused) as refused:
        accept_blocks(traffic, uploads.from_json(body, "overrides", 10), "overrides")
    assert refused.value.where == f"overrides[1].{next(iter(given))}"
    assert accept_blocks(traffic, uploads.from_json(body, "overrides", 10), "overrides", accept="valid").accepted == 1
    [frame] = [
        frame
        for one in segments(progress.journal_folder(traffic.ground))
        for frame in read_frames(one.path)[0]
        if isinstance(frame, OverrideFrame)
    ]
    assert frame.key == ["ref:a"]
