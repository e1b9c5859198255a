"""Tables that somebody sends: what a few bytes would unpack to is counted before it is written out."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenure.errors import InvalidInput, TooLarge
from tenure.manage import tables
from tenure.monitor import uploads

ROWS = 20_000


def parquet(columns: dict[str, Any], **how: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, compression="zstd", **how)
    return file.getvalue()


def repeated(value: object, rows: int = ROWS) -> pa.DictionaryArray:
    """A value that is kept once and repeated by number."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([value]))


NUMBERS = pa.array([1.0] * ROWS)
BOMBS = {
    "a text": lambda: parquet({"reference": repeated("x" * 100_000), "value": NUMBERS}),
    "a text of no dictionary": lambda: parquet(
        {"reference": repeated("x" * 100_000), "value": NUMBERS}, store_schema=False
    ),
    "bytes": lambda: parquet({"reference": repeated(b"x" * 100_000), "value": NUMBERS}),
    "many columns": lambda: parquet({f"c{n}": pa.nulls(100_000, pa.int8()) for n in range(700)}),
}
ODD = {
    "lists": lambda: parquet({"reference": pa.array([[1] * 1_000_000]), "value": [1.0]}),
    "groups": lambda: parquet({"reference": pa.array([{"a": 1}]), "value": [1.0]}),
    "blocks": lambda: parquet({"reference": pa.array([b"x" * 1000], pa.binary(1000)), "value": [1.0]}),
}
READERS: dict[str, Callable[[bytes], object]] = {
    "outcomes": lambda body: uploads.from_parquet(body, 100_000),
    "tables": lambda body: tables.read(body, tables.PARQUET),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_few_bytes_that_would_be_gigabytes_are_refused_before_they_are(bomb: str, reader: str) -> None:
    body = BOMBS[bomb]()
    assert len(body) < 500_000
    allocated, at_most = pa.total_allocated_bytes(), 64 * 1024 * 1024
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            READERS[reader](body)
        assert tracemalloc.get_traced_memory()[1] < at_most
    finally:
        tracemalloc.stop()
    assert pa.total_allocated_bytes() - allocated < at_most


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("odd", ODD)
def test_a_column_of_anything_but_plain_values_is_refused(odd: str, reader: str) -> None:
    with pytest.raises(InvalidInput, match="plain values"):
        READERS[reader](ODD[odd]())


def test_plain_values_come_back_as_they_were() -> None:
    words = pa.array(["a", None, "a"])
    told = {"text": words, "coded": words.dictionary_encode(), "number": [1, 2, 3], "price": [Decimal("1.50")] * 3}
    found = tables.read(parquet(told), tables.PARQUET)
    assert found == {
        "text": ["a", None, "a"],
        "coded": ["a", None, "a"],
        "number": [1.0, 2.0, 3.0],
        "price": ["1.50"] * 3,
    }
