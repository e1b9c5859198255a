"""The accuracy of parts of a window, by the values of columns that the model's file names. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tenure.monitor.rows import Rows
from tenure.monitor.scored import CONFIDENCE, Past, auc, event_rate, interval
from tenure.records.windows import Segment

MOST_SEGMENTS = 20  # of a column
LEAST_OF_A_SEGMENT = 50
MISSING = "(missing)"


def segments(rows: Rows, names: Sequence[str]) -> Iterator[Segment]:
    """The accuracy of each value of the columns that the model's file names: the frequent ones, with enough rows."""
    for name in names:
        if name not in rows.columns:
            continue
        values = np.array([MISSING if _is_missing(value) else str(value) for value in rows.columns[name].tolist()])
        levels, counts = np.unique(values, return_counts=True)
        for place in np.argsort(-counts, kind="stable")[:MOST_SEGMENTS]:
            mine = values == levels[place]
            known = Past(rows.score[mine & rows.known], rows.y[mine & rows.known])
            if len(known.y) < LEAST_OF_A_SEGMENT:
                continue
            yield Segment(
                column=name,
                value=str(levels[place]),
                predictions=int(counts[place]),
                outcomes=len(known.y),
                roc_auc=interval(auc(known, CONFIDENCE), CONFIDENCE),
                event_rate=event_rate(known.y),
            )


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))
