"""Traffic at one endpoint, on a ground of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tenure.manage import tables
from tenure.store.ground import Ground

from .year import Traffic


@pytest.fixture
def traffic(ground: Ground) -> Iterator[Traffic]:
    made = Traffic(ground)
    yield made
    made.close()


@pytest.fixture(scope="session", autouse=True)
def _readers_end() -> Iterator[None]:
    yield
    tables.processes.close()
