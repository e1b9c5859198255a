"""MLflow's other forms, CSV and Parquet, and what its own server has at its root; JSON is in `test_decoding.py`."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenure.errors import InvalidInput, TenureError, TooLarge, UnsupportedType
from tenure.records.base import Instant
from tenure.records.routing import InputColumn
from tenure.serving import parquet
from tenure.serving.columns import Inputs
from tenure.serving.decoding import Request
from tenure.serving.protocols import mlflow
from tests.serving.conftest import Gateway

NOW = Instant(1_750_000_000_000_000)
INPUTS = Inputs(
    [
        InputColumn(name="carrier", type="string"),
        InputColumn(name="distance", type="double"),
        InputColumn(name="hour", type="long", required=False),
        InputColumn(name="night", type="boolean", required=False),
        InputColumn(name="at", type="datetime", required=False),
        InputColumn(name="gate", type="string", required=False),
    ]
)
FREE = Inputs([])


def from_csv(body: bytes, inputs: Inputs = INPUTS, max_rows: int = 10) -> dict[str, Any]:
    return inputs.columns_of(mlflow.from_csv(Request({}, body, NOW, max_rows)))


def from_parquet(body: bytes, inputs: Inputs = INPUTS, max_rows: int = 10) -> dict[str, Any]:
    columns, rows = parquet.columns(body, max_rows)
    return inputs.columns_of(mlflow.plain("parquet", columns, rows, NOW))


def written(**columns: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def test_cells_are_read_as_the_signature_has_them() -> None:
    body = '\ufeffcarrier,distance,hour,night,at,gate\r\n"U,A",1400.5,17,true,2013-02-01,\r\n,2,,False,,007\r\n'
    assert from_csv(body.encode()) == {
        "carrier": ["U,A", ""],
        "distance": [1400.5, 2.0],
        "hour": [17, None],
        "night": [True, False],
        "at": ["2013-02-01", None],
        "gate": [None, "007"],
    }


def test_without_a_signature_cells_are_what_they_look_like() -> None:
    body = b"a,b,c,d\n1,1.5,x,\n2,nan,3,\n"
    assert from_csv(body, FREE) == {"a": [1, 2], "b": [1.5, None], "c": ["x", "3"], "d": [None, None]}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "at least one row"),
        (b"carrier,distance\n", "at least one row"),
        (b"carrier,distance\nUA\n", "must have 2 cells, one per column. Row 0 has 1"),
        (b"carrier,carrier\nUA,UA\n", "Named more often: 'carrier'"),
        (b"carrier,distance\nUA,far\n", "'distance' must hold numbers. Got text in row 0"),
        (b"carrier,distance\nUA,inf\n", "'distance' must hold numbers. Got text in row 0"),
        (b"carrier,distance\nUA,1_0\n", "'distance' must hold numbers. Got text in row 0"),
        (b"carrier,distance\nUA,\n", "'distance' must have a value in every row"),
        (b"carrier,distance,hour\nUA,1,1.5\n", "'hour' must hold whole numbers or null. Got one with a fraction"),
        (b"carrier,distance,night\nUA,1,maybe\n", "'night' must hold true or false or null. Got text"),
        (b"carrier,minute\nUA,1\n", "Missing: 'distance'. Not known: 'minute'"),
        (b'carrier,distance\n"UA,1\n', "must be CSV"),
        (b"carrier,distance\n\xff,1\n", "must be UTF-8"),
    ],
)
def test_wrong_cells_are_named_by_column_and_row(body: bytes, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        from_csv(body)
    assert said in caught.value.message


def test_too_many_lines_are_too_large() -> None:
    with pytest.raises(TooLarge):
        from_csv(b"carrier,distance\n" + b"UA,1\n" * 11)


def test_parquet_is_read_by_type_and_numbers_stay_arrays() -> None:
    moment = datetime(2013, 2, 1, 5, tzinfo=UTC)
    taken = from_parquet(
        written(
            carrier=["UA", "B6"],
            distance=[Decimal("1.5"), Decimal("2")],
            hour=pa.array([17, None], pa.int32()),
            night=[True, False],
            at=pa.array([moment, None], pa.timestamp("ns", tz="UTC")),
            gate=pa.array(["a", "a"]).dictionary_encode(),
        )
    )
    assert taken["night"].tolist() == [True, False]
    assert taken | {"night": None} == {
        "carrier": ["UA", "B6"],
        "distance": [1.5, 2.0],
        "hour": [17, None],
        "night": None,
        "at": ["2013-02-01T05:00:00+00:00", None],
        "gate": ["a", "a"],
    }
    assert isinstance(from_parquet(written(carrier=["UA"], distance=[1.5]))["distance"], np.ndarray)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"PAR1", "cannot be read as Parquet"),
        (written(carrier=[["UA"]], distance=[1.0]), "must hold plain values"),
        (written(carrier=[b"UA"], distance=[1.0]), "Got binary"),
        (written(carrier=["UA"], distance=["far"]), "'distance' must hold numbers"),
        (written(carrier=["UA"], distance=[float("inf")]), "finite numbers"),
    ],
)
def test_parquet_that_cannot_be_taken_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        from_parquet(body)
    assert said in caught.value.message


def test_a_file_that_would_unpack_to_gigabytes_is_refused_before_it_does() -> None:
    rows = 20_000
    carrier = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["x" * 100_000]))
    bomb = written(carrier=carrier, distance=[1.0] * rows)
    assert len(bomb) < 1_000_000
    with pytest.raises(TooLarge):
        from_parquet(bomb, max_rows=rows)
    with pytest.raises(TooLarge):
        from_parquet(written(carrier=["UA"] * 11, distance=[1.0] * 11))


@settings(max_examples=100, deadline=None)
@given(
    body=st.binary(max_size=60) | st.text("carierdstn,\n\"'1.x", max_size=60).map(str.encode),
    inputs=st.sampled_from([INPUTS, FREE]),
)
def test_any_bytes_are_taken_or_refused(body: bytes, inputs: Inputs) -> None:
    for read in (from_csv, from_parquet):
        try:
            taken = read(body, inputs)
        except TenureError:
            continue
        assert taken


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("application/json", True),
        ("Application/JSON; charset=UTF-8", True),
        ('text/csv; charset="utf-8"', True),
        ("application/vnd.apache.parquet", True),
        ("application/json; charset=latin-1", False),
        ("application/json; version=1", False),
        ("text/plain", False),
        ("", False),
    ],
)
def test_the_content_type_says_how_a_body_is_read(given: str, taken: bool) -> None:
    if taken:
        assert mlflow.reader({"content-type": given})
    else:
        with pytest.raises(UnsupportedType):
            mlflow.reader({"content-type": given})


# --- over HTTP ---


def test_csv_and_parquet_are_answered(spoken: Gateway) -> None:
    url = f"{spoken.url}/endpoints/sums/invocations"
    csv = httpx.post(url, content=b"b,a\n1,2\n3,4.5\n", headers={"content-type": "text/csv"})
    assert csv.json() == {"predictions": [3.0, 7.5]}
    kind = {"content-type": "application/vnd.apache.parquet"}
    file = httpx.post(url, content=written(a=[2.0, 4.5], b=[1, 3]), headers=kind, timeout=30)
    assert file.json() == {"predictions": [3.0, 7.5]}
    assert httpx.post(url, content=b"nothing", headers=kind).json()["error_code"] == "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("sums/ping", 200, "\n"),
        ("sums/health", 200, "\n"),
        ("sums/version", 200, mlflow.server_version()),
        ("empty/ping", 503, "TEMPORARILY_UNAVAILABLE"),
        ("nowhere/ping", 404, "RESOURCE_DOES_NOT_EXIST"),
    ],
)
def test_below_an_endpoint_is_what_mlflows_server_has_at_its_root(
    spoken: Gateway, path: str, status: int, said: str
) -> None:
    answer = httpx.get(f"{spoken.url}/endpoints/{path}")
    assert answer.status_code == status
    assert said in answer.text
