"""One span of event time judged: what each version did in it, what that says, and which alerts follow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tenure.manage import profiles
from tenure.monitor import alerts, judging
from tenure.monitor.findings import findings_of
from tenure.monitor.judging import Judgeable, Past
from tenure.monitor.progress import lake_of
from tenure.monitor.rows import load
from tenure.monitor.value import valued
from tenure.records.base import DAY_US, Instant
from tenure.records.model_files import ModelFile, Monitors, span_us
from tenure.records.profiles import Profile
from tenure.records.windows import Window
from tenure.store import watermarks, windows
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.store.lake import Lake

TRAILING_WINDOWS = 12


@dataclass(frozen=True)
class Watched:
    """An endpoint under watch: its model's file, if one was applied, and what that asks for."""

    endpoint: str
    file: ModelFile | None
    lake: Lake

    @property
    def monitors(self) -> Monitors:
        return self.file.monitors if self.file else Monitors()


@dataclass(frozen=True)
class Verdict:
    window: Window
    findings: list[alerts.Finding]


def judge_span(
    ground: Ground, endpoint: str, file: ModelFile | None, start: int, end: int, now: Instant
) -> list[Window]:
    """Judge what every version did in [start, end), store it, and let alerts follow. Marks that came meanwhile stay."""
    watched = Watched(endpoint, file, lake_of(ground))
    cooldown_us = span_us(file.alerts.cooldown) if file else 0
    with ground.database.reading() as tx:
        seen = [mark for _, mark in watermarks.marked_days(tx, endpoint, end)]
        verdicts = [_verdict(tx, watched, what) for what in _judgeables(tx, watched, start, end)]

    def commit(tx: Transaction) -> None:
        for verdict in verdicts:
            windows.put(tx, verdict.window, now)
            if verdict.window.role == "champion":
                alerts.follow(tx, endpoint, verdict.findings, now=now, cooldown_us=cooldown_us)
        watermarks.monitored(tx, endpoint, end)
        watermarks.clear_days(tx, endpoint, start, end, max(seen, default=0))

    ground.database.write(commit)
    return [verdict.window for verdict in verdicts]


def _judgeables(tx: Transaction, watched: Watched, start: int, end: int) -> Iterator[Judgeable]:
    """What each version did in each role it had in [start, end)."""
    for shadow in (False, True):
        rows = load(tx, watched.lake, watched.endpoint, start, end, shadow=shadow)
        if not len(rows):
            continue
        said, days = valued(watched.file, rows), rows.event_at // DAY_US
        for version, role, model in sorted({*zip(rows.version.tolist(), rows.role, rows.model, strict=True)}):
            if role == "fallback":  # answered instead of a killed version: no model to be judged
                continue
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
                whole=set(days[mine].tolist()) == set(days.tolist()),
            )


def _verdict(tx: Transaction, watched: Watched, what: Judgeable) -> Verdict:
    stored = profiles.get(tx, what.model, what.version)
    baseline: Profile | None = stored.profile if stored else None
    window = judging.judge(what, baseline, watched.file, list(_history(tx, watched, what)))
    features = watched.file.features if watched.file else {}
    return Verdict(window, findings_of(window, watched.monitors, baseline, features))


def _history(tx: Transaction, watched: Watched, what: Judgeable) -> Iterator[Past]:
    """Trailing windows of the same version and role, latest first, until there are windows and outcomes enough."""
    missing = judging.min_outcomes(watched.monitors) - int(what.rows.known.sum())
    width, end, shadow = what.end_at - what.start_at, what.start_at, what.role == "shadow"
    least = judging.windows_judged(watched.monitors) - 1
    for number in range(max(TRAILING_WINDOWS, least)):
        if missing <= 0 and number >= least:
            return
        rows = load(tx, watched.lake, watched.endpoint, end - width, end, shadow=shadow, features=False)
        rows = rows.where((rows.version == what.version) & (rows.role == what.role) & rows.known)
        yield Past(rows.score, rows.y)
        missing, end = missing - len(rows), end - width
