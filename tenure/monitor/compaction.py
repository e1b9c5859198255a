"""Many small files of the lake become one, so that reading stays fast."""

from __future__ import annotations

import hashlib
from itertools import accumulate

from tenure.records.base import SECOND_US, Instant
from tenure.store import lake_files
from tenure.store.ground import Ground
from tenure.store.lake import Lake

SMALL_ROWS = 16_384
CROWD = 64
MOST_ROWS = 8 * SMALL_ROWS  # what is held in memory at once
GRACE_US = 60 * SECOND_US


def tidy(ground: Ground, lake: Lake, now: Instant) -> bool:
    """Merge the small files of one endpoint and kind when there are more than 64, and delete what was merged before.

    What was merged is deleted a minute later, so that whoever had listed it can still read it. Killed between
    writing and registering, the merged file is written again under the same name, which follows from its parts.
    """
    stale = ground.database.read(lambda tx: lake_files.replaced_before(tx, now - GRACE_US))
    if stale:
        lake.delete(stale)
        ground.database.write(lambda tx: lake_files.forget(tx, stale))
    crowd = ground.database.read(lambda tx: lake_files.crowded(tx, SMALL_ROWS, CROWD))
    if crowd is None:
        return False
    endpoint, kind = crowd
    small = ground.database.read(lambda tx: lake_files.small(tx, endpoint, kind, SMALL_ROWS, CROWD))
    rows = accumulate(part.row_count for part in small)
    parts = [part for part, so_far in zip(small, rows, strict=True) if so_far <= MOST_ROWS]
    name = hashlib.sha256("\n".join(part.path for part in parts).encode()).hexdigest()[:24]
    merged = lake.merge(parts, f"merged-{name}")
    return ground.database.write(lambda tx: lake_files.replace(tx, merged, parts, now))
