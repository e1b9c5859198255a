"""Previews read the beginning of a file, and a file that lies about what it is does no harm."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenure.store.artifacts import ArtifactStore
from tenure.web import previews
from tenure.web.parquet import reader
from tenure.web.previews import Preview, media_type, preview


def seen(folder: Path, name: str, content: bytes) -> Preview:
    store = ArtifactStore(str(folder))
    store.write(name, [content])
    return preview(store, name)


@pytest.fixture(autouse=True, scope="module")
def _ended() -> Iterator[None]:
    yield
    reader.close()


def parquet(**columns: list[object]) -> bytes:
    written = io.BytesIO()
    pq.write_table(pa.table(columns), written)
    return written.getvalue()


def test_parquet_shows_its_first_rows(tmp_path: Path) -> None:
    found = seen(tmp_path, "t.parquet", parquet(a=list(range(500)), b=[None] * 500, c=[[1, 2]] * 500))
    assert (found.kind, found.heads, len(found.rows)) == ("table", ["a", "b", "c"], 100)
    assert found.rows[7] == ["7", "", "[1, 2]"]
    assert "of 500 rows" in found.note
    assert seen(tmp_path, "empty.parquet", parquet(a=[])).rows == []


def test_parquet_that_is_none_is_not_read(tmp_path: Path) -> None:
    assert "not Parquet" in seen(tmp_path, "no.parquet", b"PAR1 nonsense PAR1").note
    good = parquet(a=list(range(50_000)))
    cut = seen(tmp_path, "cut.parquet", good[: len(good) // 2])
    assert (cut.kind, cut.note) == ("other", "This is not Parquet that can be read.")


def test_a_table_of_text_shows_rows_that_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = seen(tmp_path, "t.csv", "a;b\n1;ü\n".encode())
    assert (found.heads, found.rows) == (["a", "b"], [["1", "ü"]])
    monkeypatch.setattr(previews, "TEXT_BYTES", 21)
    assert seen(tmp_path, "cut.csv", b"id,name\n1,one\n2,two\n3,three\n").rows == [["1", "one"], ["2", "two"]]
    assert seen(tmp_path, "uneven.csv", b"a\n1,2,3\n").rows == [["1", "2", "3"]]
    assert seen(tmp_path, "none.csv", b"").kind == "text"


def test_text_is_cut_and_what_is_no_text_is_named(tmp_path: Path) -> None:
    long = seen(tmp_path, "long.log", "ü".encode() * previews.TEXT_BYTES)
    assert long.kind == "text"
    assert len(long.text) == previews.LINE_LENGTH + 1
    assert "The first" in long.note
    lines = seen(tmp_path, "lines.txt", b"x\n" * 5000)
    assert lines.text.count("\n") == previews.TEXT_LINES - 1
    binary = seen(tmp_path, "m.pkl", bytes(range(256)) * 10)
    assert (binary.kind, binary.facts[0][0]) == ("other", "SHA-256")
    assert seen(tmp_path, "empty", b"").kind == "text"


def test_json_is_set_out_and_broken_json_is_shown_as_it_is(tmp_path: Path) -> None:
    assert seen(tmp_path, "a.json", b'{"a":[1]}').text == '{\n  "a": [\n    1\n  ]\n}'
    assert "shown as it is" in seen(tmp_path, "b.json", b'{"a":').note
    assert seen(tmp_path, "deep.json", b"[" * 100_000).kind == "text"


def test_an_mlmodel_is_summed_up_and_a_bomb_in_it_does_not_go_off(tmp_path: Path) -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
    )
    text = (
        f"{bomb}flavors:\n  sklearn: {{code: *j, sklearn_version: '1.5'}}\nmlflow_version: *i\nmodel_size_bytes: 2048\n"
    )
    found = seen(tmp_path, "MLmodel", text.encode())
    assert found.kind == "model"
    assert ("flavor sklearn", "sklearn version 1.5") in found.facts
    assert ("model size", "2.0 KiB") in found.facts
    assert seen(tmp_path, "MLmodel", b"{unclosed: [").kind == "text"
    assert seen(tmp_path, "MLmodel", b"just a text").kind == "text"
    odd = seen(tmp_path, "MLmodel", b"flavors: 3\nsignature: {inputs: '{\"a\"', outputs: '[3]', params: 7}")
    assert (odd.kind, odd.columns) == ("model", [])


@pytest.mark.parametrize(
    ("name", "content", "media"),
    [
        ("a.png", b"\x89PNG\r\n\x1a\n...", "image/png"),
        ("a.png", b"<script>alert(1)</script>", ""),
        ("a.txt", b"GIF89a...", "image/gif"),
        ("a.webp", b"RIFF\0\0\0\0WEBP", "image/webp"),
        ("a.SVG", b"<svg/>", "image/svg+xml"),
        ("a.htm", b"", "text/html; charset=utf-8"),
        ("a.js", b"alert(1)", ""),
        ("a.pdf", b"%PDF-1.7", ""),
    ],
)
def test_only_what_is_safe_in_a_sandbox_is_shown_inline(tmp_path: Path, name: str, content: bytes, media: str) -> None:
    store = ArtifactStore(str(tmp_path))
    store.write(name, [content])
    assert media_type(store, name) == media
