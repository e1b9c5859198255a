"""Windows are judged when their time has passed, and again when something of theirs came late."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import msgspec

from tenure.manage import model_files
from tenure.monitor import thinning
from tenure.records.base import DAY_US, HOUR_US, SECOND_US, Instant
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
    when a prediction or an outcome of one of its hours came later. One call works for about a second.
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
    mark = _on_grid(ground, mark, monitors.window_us)
    for start, end in _spans(ground, mark, monitors.window_us):
        if time.monotonic_ns() > until_ns:
            return True
        from tenure.monitor import verdicts  # here, since it brings scipy: 25 MB that an idle worker can spare

        verdicts.judge_span(ground, mark.endpoint, file, start, end, now)
        judged = True
    if judged:
        thinning.thin(ground, mark.endpoint, monitors)
    return judged


def _file_of(ground: Ground, endpoint: str) -> ModelFile | None:
    """The file of the model that answers at an endpoint, if one was applied."""
    with ground.database.reading() as tx:
        about = endpoints.get(tx, endpoint)
        applied = model_files.current(tx, about.model) if about else None
    return applied.file if applied else None


def _on_grid(ground: Ground, mark: Watermark, width: int) -> Watermark:
    """Where windows begin; when their width was changed, a new grid begins where the last judged window ended.

    Days begin at midnight and so do hours: after windows of hours the first one may be shorter, up to the grid.
    """
    if mark.window_us == width:
        return mark
    into_day = mark.monitored_until % DAY_US
    origin = mark.monitored_until - into_day + (DAY_US if into_day and width >= DAY_US else 0)
    ground.database.write(lambda tx: watermarks.set_grid(tx, mark.endpoint, origin, width))
    days, hours = width // DAY_US, width % DAY_US // HOUR_US
    return msgspec.structs.replace(mark, origin_at=origin, window_days=days, window_hours=hours)


def _spans(ground: Ground, mark: Watermark, width: int) -> Iterator[tuple[int, int]]:
    """Spans of event time that are to be judged: those that changed, then those that are due for the first time."""
    yield from _changed(ground, mark, width)
    start = mark.monitored_until
    while (end := _line_before(mark, width, start) + width) <= mark.received_until:
        with ground.database.reading() as tx:
            following = lake_files.next_event_at(tx, mark.endpoint, start)
        if following is None or following >= end:  # nothing for a while: pass over the empty windows at once
            until = mark.received_until if following is None else min(following, mark.received_until)
            start = _line_before(mark, width, until)
            _pass_over(ground, mark.endpoint, start)
            continue
        yield start, end
        start = end


def _changed(ground: Ground, mark: Watermark, width: int) -> Iterator[tuple[int, int]]:
    """The spans that hold a marked hour, each once, earliest first."""
    with ground.database.reading() as tx:
        hours = [hour for hour, _ in watermarks.marked_days(tx, mark.endpoint, mark.monitored_until)]
    until = None
    for hour in hours:
        if until is None or hour >= until:
            with ground.database.reading() as tx:
                start, until = _span_of(tx, mark, width, hour)
            yield start, until


def _pass_over(ground: Ground, endpoint: str, until_at: int) -> None:
    ground.database.write(lambda tx: watermarks.monitored(tx, endpoint, until_at))


def _span_of(tx: Transaction, mark: Watermark, width: int, hour: int) -> tuple[int, int]:
    """The window that holds an hour: the one that was judged, else the one of the grid, which reaches back too, as far
    as no judged window of another width stands in its way."""
    judged = windows.span_with(tx, mark.endpoint, hour)
    if judged:
        return judged
    start = _line_before(mark, width, hour)
    before, after = windows.judged_beside(tx, mark.endpoint, hour)
    end = start + width if after is None else min(start + width, after)
    return start if before is None else max(start, before), end


def _line_before(mark: Watermark, width: int, instant: int) -> int:
    """The last line of the grid at or before an instant."""
    return mark.origin_at + (instant - mark.origin_at) // width * width
