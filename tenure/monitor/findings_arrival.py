"""What a judged window says of when its outcomes come. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from tenure.monitor.alerts import Finding
from tenure.monitor.arriving import LATE_FLOOR
from tenure.records.alerts import Evidence
from tenure.records.span_words import span
from tenure.records.windows import Window


def findings(window: Window, alpha: float) -> Iterator[Finding]:
    """One finding once a window is old enough to be compared with earlier ones."""
    told = window.arrival
    if told is None or told.share is None or told.usual is None or told.by_age_h is None:
        return
    said = ("later than" if told.share < told.usual else "sooner than") if told.late else "as"
    message = (
        f"Outcomes of endpoint {window.endpoint!r} come {said} before: of the {window.predictions:,} predictions "
        f"{span(window.start_at, window.end_at)} {told.share:.1%} had an outcome at an age of "
        f"{told.by_age_h:g} hours, {told.usual:.1%} in earlier windows (p = {told.p_value:.2g} at level {alpha:.2g}). "
        "Until they have come, accuracy is judged late."
    )
    yield Finding(
        monitor="label_lag",
        subject="outcomes",
        breach=told.late,
        provisional=False,
        message=message,
        evidence=Evidence(
            measure="arrived_share",
            value=told.share,
            threshold=told.usual - LATE_FLOOR if told.share < told.usual else told.usual + LATE_FLOOR,
            direction="below" if told.share < told.usual else "above",
            p_value=told.p_value,
            level=alpha,
            n_window=window.predictions,
            window_start_at=window.start_at,
            window_end_at=window.end_at,
            version=window.version,
        ),
    )
