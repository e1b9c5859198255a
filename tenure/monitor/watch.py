"""Windows are judged when their time has passed, and again when something of theirs came late."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import msgspec

from tenure.manage import model_files
from tenure.records.base import DAY_US, SECOND_US, Instant
from tenure.records.model_files import ModelFile, Monitors
from tenure.store import endpoints, lake_files, watermarks, windows
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.store.watermarks import Watermark

log = logging.getLogger("tenure.monitor")
LOOK_NS = SECOND_US * 1000


def judge_due(ground: Ground, now: Instant) -> bool:
    """Judge the windows of every endpoint that are due; False when none was.

    A window is due when a prediction with an event time at or after its end has been taken in. It is judged again
    when a prediction or an outcome of one of its days came later. One call works for about a second.
    """
    until, judged = time.monotonic_ns() + LOOK_NS, False
    for mark in ground.database.read(watermarks.all_of):
        try:
            judged = _judge_endpoint(ground, mark, until, now) or judged
        except Exception:  # one endpoint's trouble must not leave the others unwatched
            log.exception("endpoint %s cannot be judged; it is tried again", mark.endpoint)
    return judged


def _judge_endpoint(ground: Ground, mark: Watermark, until_ns: int, now: Instant) -> bool:
    file, judged = _file_of(ground, mark.endpoint), False
    monitors = file.monitors if file else Monitors()
    for start, end in _spans(ground, _on_grid(ground, mark, monitors.window_days), monitors.window_days * DAY_US):
        if time.monotonic_ns() > until_ns:
            return True
        from tenure.monitor import verdicts  # here, since it brings scipy: 25 MB that an idle worker can spare

        verdicts.judge_span(ground, mark.endpoint, file, start, end, now)
        judged = True
    return judged


def _file_of(ground: Ground, endpoint: str) -> ModelFile | None:
    """The file of the model that answers at an endpoint, if one was applied."""
    with ground.database.reading() as tx:
        about = endpoints.get(tx, endpoint)
        applied = model_files.current(tx, about.model) if about else None
    return applied.file if applied else None


def _on_grid(ground: Ground, mark: Watermark, window_days: int) -> Watermark:
    """Where windows begin; when their width was changed, a new grid begins where the last judged window ended."""
    if mark.window_days == window_days:
        return mark
    origin = mark.monitored_until
    ground.database.write(lambda tx: watermarks.set_grid(tx, mark.endpoint, origin, window_days))
    return msgspec.structs.replace(mark, origin_at=origin, window_days=window_days)


def _spans(ground: Ground, mark: Watermark, width: int) -> Iterator[tuple[int, int]]:
    """Spans of event time that are to be judged: those that changed, then those that are due for the first time."""
    with ground.database.reading() as tx:
        days = [day for day, _ in watermarks.marked_days(tx, mark.endpoint, mark.monitored_until)]
        changed = sorted({_span_of(tx, mark, width, day) for day in days})
    yield from changed
    start = mark.monitored_until
    while start + width <= mark.received_until:
        end = start + width
        with ground.database.reading() as tx:
            following = lake_files.next_event_at(tx, mark.endpoint, start)
        if following is None or following >= end:  # nothing for a while: pass over the empty windows at once
            until = mark.received_until if following is None else min(following, mark.received_until)
            start += (until - start) // width * width
            _pass_over(ground, mark.endpoint, start)
            continue
        yield start, end
        start = end


def _pass_over(ground: Ground, endpoint: str, until_at: int) -> None:
    ground.database.write(lambda tx: watermarks.monitored(tx, endpoint, until_at))


def _span_of(tx: Transaction, mark: Watermark, width: int, day: int) -> tuple[int, int]:
    """The window that holds a day: the one that was judged, else the one of the grid, which reaches back too."""
    judged = windows.span_with(tx, mark.endpoint, day)
    if judged:
        return judged
    start = mark.origin_at + (day - mark.origin_at) // width * width
    return start, start + width
