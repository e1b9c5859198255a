"""Minutes of service, as a gateway would have put them down."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from tenure.records.service_levels import MINUTE_US, ServiceSample
from tenure.serving.figures import bucket
from tenure.store import service_samples
from tenure.store.database import Transaction

ENDPOINT = "flight-delay"
OBJECTIVE_US = 50_000


def minute(
    at: int, answered: int = 0, failed: int = 0, *, slow: int = 0, ms: float = 5.0, **more: Any
) -> ServiceSample:
    """A minute of the champion: what it answered, and what it failed at."""
    made = ServiceSample(
        gateway="gateway a.1",
        endpoint=ENDPOINT,
        version=1,
        role="champion",
        at=at,
        objective_us=OBJECTIVE_US,
        answered=answered,
        failed=failed,
        slow=slow,
        rows=answered,
        sent_bytes=100 * answered,
        latency={bucket(round(ms * 1000)): answered - slow, bucket(80_000): slow},
        answers="gateway",
    )
    return msgspec.structs.replace(made, **more)


def put_minutes(tx: Transaction, until: int, counts: Iterable[tuple[int, int]], **more: Any) -> None:
    """Minutes that end at `until`, the last one last: requests answered and failed in each."""
    found = list(counts)
    first = until - len(found) * MINUTE_US
    service_samples.put(tx, [minute(first + place * MINUTE_US, *pair, **more) for place, pair in enumerate(found)])
