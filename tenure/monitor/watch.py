"""Windows are judged when their time has passed, and again when something of theirs came late."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tenure.manage import model_files, profiles
from tenure.monitor import alerts, judging
from tenure.monitor.findings import Finding, findings_of
from tenure.monitor.intake import lake_of
from tenure.monitor.judging import Judgeable, Past
from tenure.monitor.rows import load
from tenure.monitor.value import valued
from tenure.records.base import DAY_US, SECOND_US, Instant
from tenure.records.model_files import ModelFile, Monitors
from tenure.records.profiles import Profile
from tenure.records.windows import Window
from tenure.store import endpoints, lake_files, watermarks, windows
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.store.lake import Lake
from tenure.store.watermarks import Watermark

LOOK_NS = SECOND_US * 1000
TRAILING_WINDOWS = 12


@dataclass(frozen=True)
class Watched:
    """An endpoint under watch: its model's file, if one was applied, and what it asks for."""

    endpoint: str
    file: ModelFile | None
    lake: Lake

    @property
    def monitors(self) -> Monitors:
        return self.file.monitors if self.file else Monitors()

    @property
    def width(self) -> int:
        return self.monitors.window_days * DAY_US


@dataclass(frozen=True)
class Verdict:
    window: Window
    findings: list[Finding]


def judge_due(ground: Ground, now: Instant) -> bool:
    """Judge the windows of every endpoint that are due; False when none was.

    A window is due when a prediction with an event time at or after its end has been taken in. It is judged again
    when a prediction or an outcome of one of its days came later. One call works for about a second.
    """
    started, judged = time.monotonic_ns(), False
    for mark in ground.database.read(watermarks.all_of):
        with ground.database.reading() as tx:
            watched = _watched(tx, lake_of(ground), mark.endpoint)
        for start, end in _spans(ground, _on_grid(ground, mark, watched.monitors), watched):
            if time.monotonic_ns() - started > LOOK_NS:
                return True
            judge_span(ground, watched, start, end, now)
            judged = True
    return judged


def judge_span(ground: Ground, watched: Watched, start: int, end: int, now: Instant) -> list[Window]:
    """Judge what every version did in [start, end), store it, and let alerts follow."""
    endpoint = watched.endpoint
    with ground.database.reading() as tx:
        seen = [mark for _, mark in watermarks.marked_days(tx, endpoint, end)]
        verdicts = [_verdict(tx, watched, what) for what in _judgeables(tx, watched, start, end)]

    def commit(tx: Transaction) -> None:
        for verdict in verdicts:
            windows.put(tx, verdict.window, now)
            if verdict.window.role == "champion":
                alerts.follow(tx, endpoint, verdict.findings, now=now)
        watermarks.monitored(tx, endpoint, end)
        watermarks.clear_days(tx, endpoint, start, end, max(seen, default=0))

    ground.database.write(commit)
    return [verdict.window for verdict in verdicts]


def _watched(tx: Transaction, lake: Lake, endpoint: str) -> Watched:
    about = endpoints.get(tx, endpoint)
    applied = model_files.current(tx, about.model) if about else None
    return Watched(endpoint, applied.file if applied else None, lake)


def _on_grid(ground: Ground, mark: Watermark, monitors: Monitors) -> Watermark:
    """Where windows begin; when their width was changed, a new grid begins where the last judged window ended."""
    width = monitors.window_days
    if mark.window_days == width:
        return mark
    origin = mark.monitored_until
    ground.database.write(lambda tx: watermarks.set_grid(tx, mark.endpoint, origin, width))
    return Watermark(
        endpoint=mark.endpoint,
        received_until=mark.received_until,
        monitored_until=mark.monitored_until,
        outcomes_until=mark.outcomes_until,
        origin_at=origin,
        window_days=width,
    )


def _spans(ground: Ground, mark: Watermark, watched: Watched) -> Iterator[tuple[int, int]]:
    """Spans of event time that are to be judged: those that changed, then those that are due for the first time."""
    with ground.database.reading() as tx:
        days = [day for day, _ in watermarks.marked_days(tx, mark.endpoint, mark.monitored_until)]
        changed = sorted({_span_of(tx, mark, watched.width, day) for day in days})
    yield from changed
    start = mark.monitored_until
    while start + watched.width <= mark.received_until:
        end = start + watched.width
        with ground.database.reading() as tx:
            following = lake_files.next_event_at(tx, mark.endpoint, start)
        if following is None or following >= end:  # nothing for a while: pass over the empty windows at once
            until = mark.received_until if following is None else min(following, mark.received_until)
            start += (until - start) // watched.width * watched.width
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


def _judgeables(tx: Transaction, watched: Watched, start: int, end: int) -> Iterator[Judgeable]:
    """What each version did in each role it had in [start, end)."""
    for shadow in (False, True):
        rows = load(tx, watched.lake, watched.endpoint, start, end, shadow=shadow)
        if not len(rows):
            continue
        said = valued(watched.file, rows)
        for version, role, model in sorted({*zip(rows.version.tolist(), rows.role, rows.model, strict=True)}):
            mine = (rows.version == version) & (rows.role == role) & (rows.model == model)
            yield Judgeable(
                endpoint=watched.endpoint,
                model=model,
                version=version,
                role=role,
                start_at=start,
                end_at=end,
                rows=rows.where(mine),
                action=None if said.action is None else said.action[mine],
                value=None if said.value is None else said.value[mine],
            )


def _verdict(tx: Transaction, watched: Watched, what: Judgeable) -> Verdict:
    stored = profiles.get(tx, what.model, what.version)
    baseline: Profile | None = stored.profile if stored else None
    window = judging.judge(what, baseline, watched.file, list(_history(tx, watched, what)))
    features = watched.file.features if watched.file else {}
    return Verdict(window, findings_of(window, watched.monitors, baseline, features))


def _history(tx: Transaction, watched: Watched, what: Judgeable) -> Iterator[Past]:
    """Trailing windows of the same version and role, latest first; none when this one has outcomes enough."""
    if what.rows.known.sum() >= judging.min_outcomes(watched.monitors):
        return
    width = what.end_at - what.start_at
    reach = what.start_at - TRAILING_WINDOWS * width
    shadow = what.role == "shadow"
    rows = load(tx, watched.lake, watched.endpoint, reach, what.start_at, shadow=shadow, features=False)
    rows = rows.where((rows.version == what.version) & (rows.role == what.role) & rows.known)
    age = (what.start_at - 1 - rows.event_at) // width
    for back in np.unique(age):
        yield Past(rows.score[age == back], rows.y[age == back])
