"""Tables that somebody sends: what a few bytes would unpack to is counted before it is written out."""

from __future__ import annotations

import io
import os
import struct
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenure.errors import InvalidInput, TooLarge, TooMany
from tenure.manage import tables
from tenure.monitor import uploads
from tenure.store import confined

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


def outcome_rows(body: bytes, most_rows: int) -> int:
    file = io.BytesIO(body)
    blocks = uploads.from_file(file, "parquet", "outcomes", size_bytes=len(body), max_rows=most_rows)
    return sum(block.num_rows for block in blocks)


READERS: dict[str, Callable[[bytes], object]] = {
    "outcomes": lambda body: outcome_rows(body, 100_000),
    "tables": lambda body: tables.read(body, tables.PARQUET),
}


@cache
def bomb_of(name: str) -> bytes:
    """Made once for all readers: to pack gigabytes takes a second."""
    return BOMBS[name]()


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_few_bytes_that_would_be_gigabytes_are_refused_before_they_are(bomb: str, reader: str) -> None:
    body = bomb_of(bomb)
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


def varint(number: int) -> bytes:
    """A number as Parquet's footer writes one: zigzag, seven bits a byte."""
    left, said = number << 1, bytearray()
    while left > 127:
        said.append(left & 127 | 128)
        left >>= 7
    return bytes([*said, left])


def lying(body: bytes, truth: int, lie: int, *, at: int | None = None) -> bytes:
    """A file whose footer says another number, at every place or at one of them, and is else as it was."""
    size = struct.unpack("<I", body[-8:-4])[0]
    rest, footer = body[: -8 - size], body[-8 - size : -8]
    parts = footer.split(varint(truth))
    assert len(parts) > 2, "the number of rows stands there, of the group and of the column, too"
    said = [varint(lie if at in (None, number) else truth) for number in range(len(parts) - 1)]
    footer = b"".join(part + more for part, more in zip(parts, [*said, b""], strict=True))
    return rest + footer + struct.pack("<I", len(footer)) + b"PAR1"


TOLD_ROWS = 77_777
HONEST = {"reference": ["r"] * TOLD_ROWS, "value": [1.0] * TOLD_ROWS}


def bombs_in_a_page(lie: int = 2**31 - 1) -> bytes:
    """A file whose first page says that it unpacks to 2 GiB."""
    file = io.BytesIO()
    pq.write_table(pa.table({"reference": ["r"], "value": [1.0]}), file, compression="snappy", use_dictionary=False)
    body = file.getvalue()
    header = body[4:]
    assert header[:3] == b"\x15\x00\x15", "the type of a page, then its size when unpacked"
    end = 3
    while header[end] & 128:
        end += 1
    return body[:7] + varint(lie) + header[end + 1 :]


LIES = {
    "a trillion rows": lambda: lying(parquet(HONEST), TOLD_ROWS, 2**40),
    "a trillion rows, and the groups say otherwise": lambda: lying(parquet(HONEST), TOLD_ROWS, 2**40, at=0),
    "fewer than none": lambda: lying(parquet(HONEST), TOLD_ROWS, 2**63 - 1),
    "a page of two gigabytes": bombs_in_a_page,
    "cut short": lambda: parquet(HONEST)[:-200],
    "half of it": lambda: parquet(HONEST)[: len(parquet(HONEST)) // 2],
    "a footer of two gigabytes": lambda: b"PAR1" + struct.pack("<I", 2**31 - 1) + b"PAR1",
    "noise": lambda: b"PAR1" + bytes(range(256)) * 64 + b"PAR1",
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("lie", LIES)
def test_a_file_that_lies_is_refused_and_costs_the_server_nothing(lie: str, reader: str) -> None:
    body = LIES[lie]()
    assert len(body) < 100_000
    allocated, at_most = pa.total_allocated_bytes(), 16 * 1024 * 1024
    tracemalloc.start()
    try:
        with pytest.raises(InvalidInput):  # TooLarge is one
            READERS[reader](body)
        assert tracemalloc.get_traced_memory()[1] < at_most
    finally:
        tracemalloc.stop()
    assert pa.total_allocated_bytes() - allocated < at_most


def test_a_lie_that_nothing_goes_by_changes_nothing() -> None:
    """How many values a column has is read from its pages."""
    body = lying(parquet(HONEST), TOLD_ROWS, 2**40, at=1)
    assert outcome_rows(body, TOLD_ROWS) == TOLD_ROWS


def test_an_honest_file_of_the_same_kind_is_read() -> None:
    assert outcome_rows(parquet(HONEST), TOLD_ROWS) == TOLD_ROWS
    with pytest.raises(TooLarge):
        outcome_rows(parquet(HONEST), TOLD_ROWS - 1)


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Have other code read tables, as one that a file took over would."""
    made: list[confined.Processes] = []

    def run(code: str, *, wall_s: float = 20.0, at_once: int = 1) -> None:
        command = (sys.executable, "-c", f"import sys; line = sys.stdin.buffer.readline(); {code}")
        made.append(confined.Processes(command, at_once=at_once, turn_s=0.01, wall_s=wall_s))
        monkeypatch.setattr(tables, "processes", made[-1])

    yield run
    for one in made:
        one.close()


FAILURES = {
    "ends": ("sys.exit(3)", "the process that read it ended"),
    "crashes": ("import os; os.abort()", "SIGABRT"),
    "says nothing that can be read": ("print('hello')", "made no sense of it"),
    "hands back no table": ("print('{}')", "handed back none"),
    "never ends": ("print('{}', flush=True); import time; time.sleep(60)", "longer than"),
    "floods": ("[sys.stdout.write('x' * 100000) for _ in iter(int, 1)]", "unpacks to more than"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_whatever_becomes_of_the_process_is_a_sentence(
    instead: Callable[..., None], failure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, told = FAILURES[failure]
    monkeypatch.setattr(tables, "STREAM_SPARE_BYTES", 1024 * 1024)
    monkeypatch.setattr(tables, "MOST_UNPACKED", 1024 * 1024)
    instead(code, wall_s=0.5 if failure == "never ends" else 20.0)
    began = time.monotonic()
    with pytest.raises(InvalidInput, match=told):
        tables.read(parquet({"a": [1]}), tables.PARQUET)
    assert time.monotonic() - began < 20


def test_what_it_hands_back_is_held_to_its_types(instead: Callable[..., None]) -> None:
    """Texts whose places point out of their bytes would have the server read what is not theirs."""
    instead(
        "import pyarrow as pa, struct; print('{}', flush=True);"
        "places = pa.py_buffer(struct.pack('<3i', 0, 4, 1 << 20));"
        "forged = pa.StringArray.from_buffers(2, places, pa.py_buffer(b'abcd'));"
        "stream = pa.ipc.new_stream(sys.stdout.buffer, pa.schema([('a', pa.string())]));"
        "stream.write_batch(pa.record_batch([forged], ['a'])); stream.close()"
    )
    with pytest.raises(InvalidInput):
        tables.read(parquet({"a": [1]}), tables.PARQUET)


def test_it_knows_nothing_of_the_server(instead: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENURE_OIDC_CLIENT_SECRET", "secret")
    instead(
        "import json, os; sys.stdin.buffer.read();"
        "known = os.environ.get('TENURE_OIDC_CLIENT_SECRET', 'nothing');"
        "print(json.dumps({'problem': 'invalid', 'says': 'knows ' + known}))"
    )
    with pytest.raises(InvalidInput, match="knows nothing"):
        tables.read(parquet({"a": [1]}), tables.PARQUET)


def test_when_all_are_busy_one_is_told_to_wait(instead: Callable[..., None]) -> None:
    instead("print('{}')")
    assert tables.processes._turns.acquire(blocking=False)
    with pytest.raises(TooMany, match="Try again"):
        tables.read(parquet({"a": [1]}), tables.PARQUET)
    tables.processes._turns.release()


def test_no_process_is_left_behind(instead: Callable[..., None]) -> None:
    instead("print('{}')")
    with pytest.raises(InvalidInput):
        tables.read(parquet({"a": [1]}), tables.PARQUET)
    spare = tables.processes._spare
    assert spare is not None
    tables.processes.close()
    with pytest.raises(ProcessLookupError):
        os.kill(spare.pid, 0)
