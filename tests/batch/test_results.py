"""The output of a batch, which is written while it runs where that can be."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenure.batch import results as results_module
from tenure.batch.results import ChunkDone, Results

SAME = [pa.table({"id": [k], "prediction": [k / 2]}) for k in range(3)]
OTHER = pa.table({"id": pa.array([None], pa.null()), "prediction": [9.5]})


@pytest.fixture(params=["out.parquet", "out.csv"])
def results(tmp_path: Path, request: Any) -> Iterator[Results]:
    made = Results(tmp_path / request.param, None)
    made.open()
    yield made
    made.close()


def kept(results: Results, tables: list[pa.Table]) -> list[ChunkDone]:
    """The chunks of some tables, kept as a batch keeps them."""
    chunks = [ChunkDone(number=number, rows=table.num_rows) for number, table in enumerate(tables)]
    for chunk, table in zip(chunks, tables, strict=True):
        results.keep(chunk, table, None)
    return chunks


def published(results: Results, chunks: list[ChunkDone]) -> bytes:
    digest = results.join(chunks)
    results.publish()
    content = results.output.read_bytes()
    assert hashlib.sha256(content).hexdigest() == digest
    assert [path.name for path in results.output.parent.iterdir()] == [results.output.name]
    return content


def test_an_output_that_was_written_ahead_is_the_one_that_is_written_at_the_end(results: Results) -> None:
    chunks = kept(results, SAME)
    at_the_end = results.join(chunks)
    for chunk in chunks:
        results.join_ahead(chunk)
    assert results.join(chunks) == at_the_end
    published(results, chunks)


def test_a_column_of_another_kind_is_left_to_the_end(results: Results) -> None:
    chunks = kept(results, [*SAME, OTHER, SAME[0]])
    for chunk in chunks:
        results.join_ahead(chunk)
    content = published(results, chunks)
    if results.output.suffix == ".parquet":
        assert pq.read_table(results.output).column("id").to_pylist() == [0, 1, 2, None, 0]
    else:
        assert content.decode().splitlines() == ["id,prediction", "0,0.0", "1,0.5", "2,1.0", ",9.5", "0,0.0"]


def test_a_chunk_that_is_not_the_next_one_is_left_to_the_end(results: Results) -> None:
    chunks = kept(results, SAME)
    for chunk in (chunks[0], chunks[2], chunks[1]):
        results.join_ahead(chunk)
    written_ahead_in_part = published(results, chunks)
    again = Results(results.output.with_stem("again"), None)
    again.open()
    assert published_of(again, kept(again, SAME)) == written_ahead_in_part


def published_of(results: Results, chunks: list[ChunkDone]) -> bytes:
    results.join(chunks)
    results.publish()
    return results.output.read_bytes()


def test_a_disk_that_is_full_meanwhile_does_not_matter_when_it_has_room_at_the_end(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks = kept(results, SAME)
    results.join_ahead(chunks[0])
    assert list(results.folder.glob("*.draft"))
    with monkeypatch.context() as patch:
        patch.setattr(results_module.Draft, "add", full_disk)
        results.join_ahead(chunks[1])
    assert not list(results.folder.glob("*.draft"))
    results.join_ahead(chunks[2])
    assert published(results, chunks)


def full_disk(*_: Any) -> None:
    raise OSError(28, "No space left on device")


def test_what_was_written_ahead_and_never_finished_is_dropped(results: Results) -> None:
    for chunk in kept(results, SAME):
        results.join_ahead(chunk)
    assert list(results.folder.glob("*.draft"))
    results.close()
    assert not list(results.folder.glob("*.draft"))
