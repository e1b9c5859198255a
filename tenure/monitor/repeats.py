"""A row that was sent again is one prediction: the first that came stands, what came again stays out of the lake."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tenure.records.frames import PredictionFrame
from tenure.store import lake_files
from tenure.store.database import Transaction
from tenure.store.lake import Lake, Table
from tenure.store.lake_files import Kind


def without(
    tx: Transaction, lake: Lake, endpoint: str, kind: Kind, frames: Sequence[PredictionFrame], table: Table
) -> Table:
    """The table of some frames without rows that the lake holds, or that stand in the table, already.

    Only rows of idempotent requests can be sent again under the same id: without such a request nothing is looked at.
    """
    if not any(frame.idempotent for frame in frames):
        return table
    may_repeat = {identifier for frame in frames if frame.idempotent for identifier in frame.row_ids}
    seen = _held(tx, lake, endpoint, kind, may_repeat)
    kept = []
    for place, identifier in enumerate(table.column("prediction_id").to_pylist()):
        if identifier in may_repeat:
            if identifier in seen:
                continue
            seen.add(identifier)
        kept.append(place)
    return table if len(kept) == table.num_rows else table.take(np.array(kept, dtype=np.int64))


def _held(tx: Transaction, lake: Lake, endpoint: str, kind: Kind, ids: set[str]) -> set[str]:
    """Which of some ids the lake holds. Ids begin with their event time, so few files can hold them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    held: set[str] = set()
    wanted = pa.array(sorted(ids))
    for file in lake_files.with_ids(tx, endpoint, kind, min(ids), max(ids)):  # one at a time: there may be many
        column = lake.read([file], columns=["prediction_id"]).column("prediction_id")
        held.update(column.filter(pc.is_in(column, value_set=wanted)).to_pylist())
    return held
