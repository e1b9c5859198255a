"""Estimates are made once, when a window is judged first, and held against its outcomes when these have come."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tenure.monitor import estimating, looking_back
from tenure.monitor.estimate_records import MOST_WINDOWS, record_of
from tenure.monitor.estimating import Known
from tenure.monitor.judging import Judgeable
from tenure.monitor.rows import Array, Rows, load
from tenure.records.base import DAY_US
from tenure.records.estimates import Estimation
from tenure.records.profiles import Profile
from tenure.records.windows import Window
from tenure.store import windows as stored
from tenure.store.database import Transaction
from tenure.store.lake import Lake

REFERENCE_WINDOWS = 12
REFERENCE_ROWS = 10_000
OUTGROWN = 1.1


def of(tx: Transaction, lake: Lake, what: Judgeable, baseline: Profile | None, *, complete: bool) -> Estimation | None:
    """What is said of a window without its outcomes; None for a shadow, which answers nobody.

    What was said when it was judged first stays, with the truth beside it once it is `complete`: an estimate that was
    made again when more is known would be better than it could have been. Only when more rows came late, and outcomes
    are still missing, it is made again. A complete window that was judged before without an estimate gets none.
    """
    if what.role == "shadow":
        return None
    before = stored.get(tx, what.endpoint, what.start_at, what.end_at, what.version, what.role)
    told = before.estimated if before else None
    if told is None or (not complete and len(what.rows) > OUTGROWN * told.predictions):
        if before is not None and complete:
            return None
        about = (tx, what.endpoint, what.start_at, what.end_at)
        past = looking_back.earlier(*about, MOST_WINDOWS, version=what.version)
        past = [window for window in past if window.model == what.model and window.role != "shadow"]
        refuted = {one.metric for one in record_of(past) if one.refuted}
        told = estimating.estimate(what, _known(tx, lake, what, past), baseline, refuted)
    return estimating.with_truth(told, what) if complete else told


def _known(tx: Transaction, lake: Lake, what: Judgeable, past: Iterable[Window]) -> Known | None:
    """The latest rows of complete windows, since early outcomes are not like those that take longer.

    A window of hours stands for the day that it ends: what is older is as complete.
    """
    complete = [window for window in past if not window.provisional and window.end_at <= what.start_at]
    parts: list[Rows] = []
    from_at = 0
    for window in complete[:REFERENCE_WINDOWS]:
        start_at = min(window.start_at, window.end_at - DAY_US)
        rows = load(tx, lake, what.endpoint, start_at, window.end_at)
        mine = (rows.version == what.version) & (rows.model == what.model) & (rows.role == window.role)
        parts.append(rows.where(mine & rows.known & np.isfinite(rows.score)))
        from_at = start_at
        if sum(len(part) for part in parts) >= REFERENCE_ROWS:
            break
    return Known(together(parts), from_at) if parts else None


def together(parts: list[Rows]) -> Rows:
    """Rows of several windows with the columns that all of them have; a column of two types becomes objects."""
    names = sorted(set.intersection(*(set(part.columns) for part in parts)))

    def joined(columns: list[Array]) -> Array:
        alike = len({column.dtype.kind in "OUS" for column in columns}) == 1
        return np.concatenate(columns if alike else [column.astype(object) for column in columns])

    return Rows(
        prediction_id=np.concatenate([part.prediction_id for part in parts]),
        event_at=np.concatenate([part.event_at for part in parts]),
        model=np.concatenate([part.model for part in parts]),
        version=np.concatenate([part.version for part in parts]),
        role=np.concatenate([part.role for part in parts]),
        score=np.concatenate([part.score for part in parts]),
        y=np.concatenate([part.y for part in parts]),
        latency_us=np.concatenate([part.latency_us for part in parts]),
        columns={name: joined([part.columns[name] for part in parts]) for name in names},
    )
