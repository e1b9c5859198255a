"""Outcomes are checked before they are accepted, whatever form they come in."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from tenure.errors import InvalidInput, TooLarge
from tenure.monitor import outcomes, progress, uploads
from tenure.records.base import Instant
from tenure.records.frames import OutcomeFrame
from tenure.serving.journal import read_frames, segments

from .year import ENDPOINT, START, Traffic, ids

ID = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
NOW = Instant(1_700_000_000_000_000)


def batch(*told: object) -> bytes:
    return msgspec.json.encode({"outcomes": told})


def accept(traffic: Traffic, body: bytes, max_rows: int = 100_000) -> int:
    parsed = outcomes.parse(body)
    return outcomes.accept(traffic.control, ENDPOINT, parsed, by="ann", now=NOW, max_rows=max_rows).accepted


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
        (batch({"reference": "a", "value": "late"}), None),
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


def test_files_say_the_same_as_json() -> None:
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
    from_csv, from_parquet = uploads.from_csv(csv, 10), uploads.from_parquet(parquet.getvalue(), 10)
    assert [(one.reference, one.prediction_id, float(one.value), one.event_time) for one in from_csv.outcomes] == [
        (one.reference, one.prediction_id, float(one.value), one.event_time) for one in from_parquet.outcomes
    ]
    assert from_parquet.outcomes[0].event_time == START


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
def test_a_csv_file_with_a_mistake_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        uploads.from_csv(body, 2)


def test_a_parquet_file_with_a_mistake_is_refused(tmp_path: Path) -> None:
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
            uploads.from_parquet(body, 2)


def test_nan_in_a_file_is_refused_with_its_row() -> None:
    parquet = io.BytesIO()
    pq.write_table(pa.table({"reference": ["a", "b"], "value": [1.0, float("nan")]}), parquet)
    told = uploads.from_parquet(parquet.getvalue(), 10)
    with pytest.raises(InvalidInput) as refused:
        outcomes.accept(None, ENDPOINT, told, by="ann", now=NOW)  # type: ignore[arg-type]
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
        uploads.from_parquet(parquet.getvalue(), 100_000)


def test_accepted_outcomes_reach_their_predictions(traffic: Traffic) -> None:
    made = traffic.predict(score=[0.1] * 3_000)
    told = [{"prediction_id": key, "value": 1} for key in ids(made)]
    assert accept(traffic, batch(*told)) == 3_000
    traffic.look()
    assert progress.of(traffic.ground, ENDPOINT).outcomes == 3_000
