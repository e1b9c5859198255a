"""Traffic at one endpoint, on a ground of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tenure.store.ground import Ground

from .year import Traffic


@pytest.fixture
def traffic(ground: Ground) -> Iterator[Traffic]:
    made = Traffic(ground)
    yield made
    made.close()
