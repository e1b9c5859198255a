"""What an endpoint did, month by month."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np

from tenure.deploy import endpoints
from tenure.manage import model_files
from tenure.monitor import scored
from tenure.monitor.progress import lake_of
from tenure.monitor.rows import Rows, is_binary, load
from tenure.monitor.value import features_named, valued
from tenure.records.base import instant_of, moment_of
from tenure.records.model_files import ModelFile
from tenure.records.windows import Interval, ReportRow
from tenure.stats import accuracy
from tenure.store import alerts, lake_files
from tenure.store.database import Transaction
from tenure.store.ground import Ground

CONFIDENCE = 0.95
EARLIEST = -(1 << 62)


def by_month(ground: Ground, endpoint: str) -> list[ReportRow]:
    """Calendar months (UTC) of event time: what answered, how well, and what it was worth; earliest first.

    Figures are over all answers of a month, whichever version gave them; the AUC compares only what the same version
    scored. Raises NotFound.
    """
    with ground.database.reading() as tx:
        about = endpoints.get(tx, endpoint)
        applied = model_files.current(tx, about.model)
        opened = alerts.opened_at_events(tx, endpoint)
        file = applied.file if applied else None
        return [
            _row(tx, ground, endpoint, file, start, end, sum(start < at <= end for at in opened))
            for start, end in _months(tx, endpoint)
        ]


def _months(tx: Transaction, endpoint: str) -> Iterator[tuple[int, int]]:
    """The months in which an endpoint answered; those in which it did not are left out."""
    at = lake_files.next_event_at(tx, endpoint, EARLIEST)
    while at is not None:
        start, end = month_of(at)
        yield start, end
        following = lake_files.next_event_at(tx, endpoint, end)
        at = None if following is None else max(following, end)


def month_of(instant: int) -> tuple[int, int]:
    """The first instant of the UTC month that holds an instant, and that of the next month.

    >>> month_of(1_360_000_000_000_000)
    (1359676800000000, 1362096000000000)
    """
    moment = moment_of(instant)
    next_year, next_month = (moment.year + 1, 1) if moment.month == 12 else (moment.year, moment.month + 1)
    start, end = datetime(moment.year, moment.month, 1, tzinfo=UTC), datetime(next_year, next_month, 1, tzinfo=UTC)
    return instant_of(start), instant_of(end)


def _row(
    tx: Transaction, ground: Ground, endpoint: str, file: ModelFile | None, start: int, end: int, alerts_opened: int
) -> ReportRow:
    rows = load(tx, lake_of(ground), endpoint, start, end, features=features_named(file))
    known = rows.known
    y, score = rows.y[known], rows.score[known]
    binary = is_binary(y)
    auc = accuracy.roc_auc_within(y, score, rows.version[known], CONFIDENCE) if binary else scored.NOTHING
    return ReportRow(
        start_at=start,
        end_at=end,
        predictions=len(rows),
        outcomes=int(known.sum()),
        event_rate=float(y.mean()) if binary and len(y) else None,
        roc_auc=Interval(value=auc.value, low=auc.low, high=auc.high, confidence=CONFIDENCE),
        brier=accuracy.brier(y, score) if scored.are_chances(y, score) else None,
        value=_value(file, rows),
        versions=sorted(set(rows.version.tolist())),
        alerts=alerts_opened,
    )


def _value(file: ModelFile | None, rows: Rows) -> float | None:
    """The value of the rows whose outcome is known; None when the model's file has no expression, or one that fails."""
    value = valued(file, rows).value
    return None if value is None else float(np.nansum(value))
