"""A file in Parquet is read by a process of its own, and for whatever becomes of that process there is a sentence."""

from __future__ import annotations

import io
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenure.store.artifacts import ArtifactStore
from tenure.web import parquet
from tenure.web.parquet import Reader
from tenure.web.parquet_reader import Found, Refused

from .test_previews import parquet as written
from .test_previews import seen

CONFINED = "import sys; from tenure.store import confined as one; one.confine(1 << 30, 1); sys.stdin.readline()"
Patched = Callable[[str], None]


@pytest.fixture(autouse=True)
def reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    made = Reader()
    monkeypatch.setattr(parquet, "reader", made)
    yield made
    made.close()


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> Patched:
    """Some other program, where the one that reads should be."""
    return lambda code: monkeypatch.setattr(parquet, "COMMAND", (sys.executable, "-c", code))


def of(content: bytes, reader: Reader) -> Found | Refused:
    return reader.head(lambda at, count: content[at : at + count], len(content), rows=100, columns=40)


def why(content: bytes, reader: Reader) -> str:
    found = of(content, reader)
    assert isinstance(found, Refused)
    return found.reason


def test_each_file_has_a_process_that_was_started_before(reader: Reader) -> None:
    content = written(**{f"c{number}": [number, None] for number in range(50)})
    for _ in range(2):
        found = of(content, reader)
        assert isinstance(found, Found)
        assert (found.heads[39], found.rows[0][39], found.rows[1][39]) == ("c39", "39", "")
        assert (len(found.heads), found.column_count, found.row_count) == (40, 50, 2)
    waiting = reader._spare
    assert waiting is not None
    of(content, reader)
    assert waiting.returncode is not None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PAR1",
        b"PAR1" + b"\0" * 100 + struct.pack("<I", 0x7FFFFFFF) + b"PAR1",
        b"PAR1" + b"\xff" * 1000 + struct.pack("<I", 1000) + b"PAR1",
        b"PAR1\x15\x02\x19\xfc\xff\xff\xff\xff\x07" + b"\0" * 90 + struct.pack("<I", 99) + b"PAR1",
    ],
    ids=["empty", "mark", "footer beyond the file", "footer of nonsense", "two thousand million columns"],
)
def test_what_is_no_parquet_is_told(content: bytes, reader: Reader) -> None:
    assert why(content, reader) == "This is not Parquet that can be read."


def test_what_wants_too_much_is_refused(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 100), pa.array(["x" * 30_000_000]))
    bomb = io.BytesIO()
    pq.write_table(pa.table({"a": long}), bomb, store_schema=False, dictionary_pagesize_limit=1 << 30)
    assert len(bomb.getvalue()) < 2_000_000  # and three thousand times that when it is read
    assert "more memory" in why(bomb.getvalue(), reader)
    monkeypatch.setattr(parquet, "READ_BYTES", 70_000)
    assert "first row group is too large" in why(written(a=list(range(50_000))), reader)
    footer = b"PAR1" + b"\0" * 100_000 + struct.pack("<I", 100_000) + b"PAR1"
    assert "more than 68.4 KiB of it would have to be read" in why(footer, reader)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import os; os.kill(os.getpid(), 9)", "was ended (SIGKILL)"),
        ("import os; input(); os.abort()", "was ended (SIGABRT)"),
        ("input(); print('no reader says this')", "the process that read it ended"),
        ("input(); print('[' * 9_000_000)", "the process that read it ended"),
        ('input(); print(\'{"type":"Wanted","at":-7,"count":20}\')', "the process that read it ended"),
        (f"{CONFINED}\nwhile True: pass", "more than 5 s of a processor"),
    ],
)
def test_a_process_that_dies_is_told(code: str, told: str, reader: Reader, instead: Patched) -> None:
    instead(code)
    assert told in why(b"PAR1", reader)


def test_a_process_that_takes_too_long_is_ended(
    reader: Reader, instead: Patched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "WALL_S", 0.2)
    instead("import subprocess, sys; subprocess.run([sys.executable, '-c', 'input(); input()'])")
    assert why(b"PAR1", reader) == "It could not be previewed: reading it took longer than 0.2 s."


def test_it_knows_nothing_of_the_server(reader: Reader, instead: Patched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENURE_OIDC_CLIENT_SECRET", "secret")
    instead(
        "import json, os; input();"
        " print(json.dumps({'type': 'Refused', 'reason': os.environ.get('TENURE_OIDC_CLIENT_SECRET', 'nothing')}))"
    )
    assert why(b"PAR1", reader) == "nothing"


def test_a_program_that_is_not_there_and_a_file_that_shrinks_are_told(
    tmp_path: Path, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrunk = reader.head(lambda at, count: b"", 1000, rows=1, columns=1)
    assert isinstance(shrunk, Refused)
    assert "changed while it was read" in shrunk.reason
    reader.close()
    monkeypatch.setattr(parquet, "COMMAND", (str(tmp_path / "nothing"),))
    assert "no process could be started" in why(b"PAR1", reader)
    monkeypatch.setattr(parquet, "TURN_S", 0)
    for _ in range(parquet.AT_ONCE):
        reader._turns.acquire()
    assert "other files are being read" in why(b"PAR1", reader)


def test_what_the_store_says_of_a_file_is_said_by_the_preview(tmp_path: Path, reader: Reader) -> None:
    def gone(_at: int, _count: int) -> bytes:
        raise LookupError("gone")

    with pytest.raises(LookupError):
        reader.head(gone, 1000, rows=1, columns=1)
    assert seen(tmp_path, "t.parquet", written(a=[1])).rows == [["1"]]
    assert ArtifactStore(str(tmp_path)).size("t.parquet") > 0
