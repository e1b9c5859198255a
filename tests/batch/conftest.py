"""A server's ground with a champion, and small chunks, so that a few rows are many chunks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tenure.batch import sources
from tenure.monitor import batch_files
from tenure.store.ground import Ground

from .makers import Scene, put_into_service

CHUNK_ROWS = 64


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "CHUNK_ROWS", CHUNK_ROWS)


@pytest.fixture(scope="module", autouse=True)
def _no_process_left() -> Iterator[None]:
    yield
    batch_files.processes.close()


@pytest.fixture
def scene(ground: Ground, tmp_path: Path) -> Scene:
    put_into_service(ground)
    return Scene(ground, tmp_path)
