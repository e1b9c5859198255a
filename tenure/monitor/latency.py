"""How long a window's requests took. Pure."""

from __future__ import annotations

import numpy as np

from tenure.monitor.rows import Array, Rows
from tenure.records.model_files import Latency
from tenure.records.windows import State
from tenure.stats.intervals import clopper_pearson

MIN_REQUESTS = 1_000  # below them, one in a hundred is a handful
SLOW_SHARE = 0.01


def percentiles(rows: Rows) -> tuple[float | None, float | None]:
    """Median and 99th percentile over requests, in milliseconds."""
    took = of_requests(rows)
    if not len(took):
        return None, None
    median, greatest = np.percentile(took, [50, 99]) / 1000
    return float(median), float(greatest)


def of_requests(rows: Rows) -> Array:
    """The latency of each request in microseconds: its rows share it. Files that were scored as a whole have none."""
    took: Array = rows.latency_us[np.array([key.endswith(":0") for key in rows.prediction_id.tolist()], dtype=bool)]
    return took[took >= 0]


def verdict(rows: Rows, promised: Latency | None, level: float) -> tuple[State, int, int]:
    """Whether more than 1 in 100 requests are proven too slow, by the exact binomial bound; and of how many, how many.

    It takes requests as independent. Slow ones come together, so what is proven of one slow minute is that minute's.
    """
    took = of_requests(rows)
    if promised is None or len(took) < MIN_REQUESTS:
        return "not_enough_data", len(took), 0
    slow = int((took > promised.p99_ms * 1000).sum())
    low = clopper_pearson(slow, len(took), 1 - 2 * level).low
    return "breach" if low is not None and low > SLOW_SHARE else "ok", len(took), slow
