"""How the outcomes of a window arrive."""

from __future__ import annotations

from tenure.records.base import Record


class Arrival(Record):
    """Outcomes of a window by their age at arrival, and what earlier windows let expect.

    `lags` counts them by age (`tenure.stats.arrival.EDGES_H`, in hours), so that later windows learn from this one.
    `median_h` and `p90_h` are of those known so far. `early` happened before their prediction and `ahead` after the
    latest event time of the endpoint: both clocks cannot be right.

    `final_share`: the share of predictions that ever has an outcome, None while that cannot be told. `expected`: how
    many outcomes should be known by now. `by_age_h`, `share`, `usual` and `p_value`: the share that had arrived at that
    age, on average in earlier windows, and how surprising the difference is.
    """

    lags: list[int]
    median_h: float | None = None
    p90_h: float | None = None
    early: int = 0
    ahead: int = 0
    final_share: float | None = None
    expected: float | None = None
    by_age_h: float | None = None
    share: float | None = None
    usual: float | None = None
    p_value: float = 1.0
    late: bool = False
