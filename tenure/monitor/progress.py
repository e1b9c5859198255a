"""How far the server has come with an endpoint."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from tenure.deploy import endpoints
from tenure.records.base import SECOND_US
from tenure.records.windows import Progress
from tenure.serving.journal import Segment, segments
from tenure.store import journal_cursors, lake_files, outcomes, retraining_runs, watermarks, windows
from tenure.store import overrides as kept_overrides
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.store.watermarks import Watermark

if TYPE_CHECKING:
    from tenure.store.lake import Lake


def of(ground: Ground, endpoint: str) -> Progress:
    """How far the server has come with an endpoint, in event time. Raises NotFound.

    A client that replays the past waits after what it sent up to event time T until `journal_bytes_waiting` is 0
    and `monitored_until` has reached the start of the window that holds T: then every window before it is judged,
    with all outcomes that were sent. A window that must be judged again holds `monitored_until` back.
    """
    with ground.database.reading() as tx:
        endpoints.get(tx, endpoint)
        # Bytes first: what is taken in between the two looks is then seen by the second.
        waiting = _bytes_waiting(ground, tx)
        mark = watermarks.get(tx, endpoint)
        monitored = _judged_until(tx, mark) if mark else 0
        rows = lake_files.row_counts(tx, endpoint)
        under_way = retraining_runs.under_way(tx, endpoint)
        return Progress(
            endpoint=endpoint,
            received_until=mark.received_until if mark else 0,
            monitored_until=monitored,
            outcomes_until=mark.outcomes_until if mark else 0,
            predictions=rows.get("predictions", 0),
            outcomes=rows.get("outcomes", 0),
            outcomes_waiting=outcomes.waiting_count(tx, endpoint),
            outcomes_conflicting=outcomes.refused_count(tx, endpoint),
            journal_bytes_waiting=waiting,
            retraining=under_way.state if under_way else None,
            overridden=_overridden(tx, ground, endpoint) if rows.get("overrides") else 0,
            overrides_waiting=kept_overrides.waiting_count(tx, endpoint),
        )


def journal_folder(ground: Ground) -> Path:
    """Where every process journals to, each in a folder of its own."""
    return ground.settings.folder / "journal"


def lake_of(ground: Ground) -> Lake:
    """One for a folder, since it keeps what it read last."""
    return _lake(ground.settings.folder / "lake", ground.settings.journal_fsync)


@lru_cache(4)
def _lake(folder: Path, fsync: bool) -> Lake:
    from tenure.store.lake import Lake  # here, since it brings numpy

    return Lake(folder, fsync=fsync)


def size_of(segment: Segment) -> int:
    try:
        return segment.path.stat().st_size
    except FileNotFoundError:  # sealed since it was listed
        return segment.path.with_suffix(".sealed").stat().st_size


def backlog(ground: Ground) -> tuple[int, float]:
    """Bytes of the journal that are not in the lake yet, and for how many seconds the oldest of them wait at least."""
    cursors = ground.database.read(journal_cursors.all_of)
    waiting, oldest = 0, None
    for segment in segments(journal_folder(ground)):
        left = size_of(segment) - cursors.get(segment.key, 0)
        if left > 0:
            waiting += left
            touched = _touched_us(segment)
            oldest = touched if oldest is None else min(oldest, touched)
    return waiting, 0.0 if oldest is None else max(0.0, (ground.clock() - oldest) / SECOND_US)


def _touched_us(segment: Segment) -> int:
    try:
        return segment.path.stat().st_mtime_ns // 1000
    except FileNotFoundError:  # sealed since it was listed
        return segment.path.with_suffix(".sealed").stat().st_mtime_ns // 1000


def _overridden(tx: Transaction, ground: Ground, endpoint: str) -> int:
    from tenure.monitor import overrides  # here, since it brings numpy

    return overrides.overridden_count(tx, lake_of(ground), endpoint)


def _bytes_waiting(ground: Ground, tx: Transaction) -> int:
    """Bytes of the journal that are not in the lake yet."""
    cursors = journal_cursors.all_of(tx)
    return sum(max(0, size_of(segment) - cursors.get(segment.key, 0)) for segment in segments(journal_folder(ground)))


def _judged_until(tx: Transaction, mark: Watermark) -> int:
    """The end of the last window before which nothing is left to judge, or to judge again."""
    changed = watermarks.marked_days(tx, mark.endpoint, mark.monitored_until)
    if not changed:
        return mark.monitored_until
    day = changed[0][0]
    span = windows.span_with(tx, mark.endpoint, day)
    return span[0] if span else day
