"""Detectors of harm, to look at."""

from __future__ import annotations

import msgspec

from tenure.records.harm import Detector, DetectorName, Memory
from tenure.store import detectors
from tenure.store.database import Transaction

CALLED: dict[DetectorName, str] = {
    "brier": "Brier loss",
    "error": "share of wrong actions",
    "absolute_error": "absolute error",
    "value": "value per prediction",
}


def shown(tx: Transaction, endpoint: str, version: int | None = None) -> list[Detector]:
    """The detectors of an endpoint, the latest version first, without the losses that one still learns from."""
    return [
        msgspec.structs.replace(
            one,
            held=[],
            held_at=[],
            memory=Memory(rows=one.memory.rows, total=one.memory.total, squares=one.memory.squares),
        )
        for one in detectors.of_endpoint(tx, endpoint, version)
    ]
