"""What the lake keeps of what it read: files never change, and what is kept has its limits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tenure.records.base import DAY_US
from tenure.store import lake as module
from tenure.store.lake import Lake, timestamps
from tenure.store.lake_files import LakeFile

ROWS = 1_000


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def written(lake: Lake, name: str) -> LakeFile:
    ids = [f"{name}-{row:05}" for row in range(ROWS)]
    table = pa.table({"prediction_id": ids, "event_at": timestamps(np.arange(ROWS)), "score": np.arange(ROWS) / ROWS})
    (file,) = lake.write("flights", "predictions", name, table)
    return file


def test_what_was_read_is_not_read_again(lake: Lake) -> None:
    file = written(lake, "one")
    first = lake.read([file], columns=["score"], from_at=10, until_at=DAY_US)
    assert first.num_rows == ROWS - 10
    lake.delete([file.path])
    assert lake.read([file], columns=["score"], from_at=10, until_at=DAY_US).equals(first)
    for asked in ({"columns": ["score"], "from_at": 11}, {"columns": None, "from_at": 10}):
        with pytest.raises(FileNotFoundError):
            lake.read([file], until_at=DAY_US, **asked)  # type: ignore[arg-type]  # another question


def test_another_file_in_its_place_is_read(lake: Lake) -> None:
    file = written(lake, "one")
    before = lake.read([file])
    (after,) = lake.write("flights", "predictions", "one", before.slice(0, 10))
    assert lake.read([after]).num_rows == 10


def test_what_was_read_first_makes_room(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [written(lake, name) for name in ("one", "two", "three")]
    size = lake.read(files[:1]).nbytes
    monkeypatch.setattr(module, "KEPT_BYTES", int(2.5 * size))
    for file in files[1:]:
        lake.read([file])
    lake.delete([file.path for file in files])
    assert lake.read(files[1:]).num_rows == 2 * ROWS
    with pytest.raises(FileNotFoundError):
        lake.read(files[:1])


def test_a_large_file_is_not_kept(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(lake, "one")
    monkeypatch.setattr(module, "KEPT_AT_MOST", 1_000)
    lake.read([file])
    lake.delete([file.path])
    with pytest.raises(FileNotFoundError):
        lake.read([file])
