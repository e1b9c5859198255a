"""How estimates fared once the outcomes had come: for each version and metric, over its latest windows."""

from __future__ import annotations

from collections.abc import Iterable

from tenure.deploy import endpoints
from tenure.monitor import looking_back
from tenure.records.estimates import EstimatedMetric, EstimateRecord
from tenure.records.windows import Window
from tenure.stats.misses import are_refuted
from tenure.store.database import Transaction

MOST_WINDOWS = 52
"""Windows that a record looks back on; of hours, those of so many days, at most a thousand."""


def of(tx: Transaction, endpoint: str, *, version: int | None = None) -> list[EstimateRecord]:
    """The records of an endpoint's versions, or of one, latest version first. Raises NotFound."""
    endpoints.get(tx, endpoint)
    found = looking_back.lately(tx, endpoint, MOST_WINDOWS, version=version)
    return sorted(record_of(found), key=lambda one: -one.version)


def record_of(windows: Iterable[Window]) -> list[EstimateRecord]:
    """How the estimates of some windows fared, for each version and metric that could be checked."""
    checked: dict[tuple[int, EstimatedMetric], list[tuple[bool, float]]] = {}
    for window in sorted(windows, key=lambda one: (one.end_at, one.role)):
        for one in window.estimated.estimates if window.estimated else []:
            if one.held is not None and one.truth is not None and one.value is not None:
                found = checked.setdefault((window.version, one.metric), [])
                found.append((one.held, abs(one.value - one.truth)))
    return [
        EstimateRecord(
            version=version,
            metric=metric,
            checked=len(found),
            held=sum(held for held, _ in found),
            mean_error=sum(error for _, error in found) / len(found),
            refuted=are_refuted(not held for held, _ in found),
        )
        for (version, metric), found in checked.items()
    ]
