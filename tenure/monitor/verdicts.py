"""One span of event time judged: what each version did in it, what that says, and which alerts follow."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from tenure.manage import profiles
from tenure.monitor import (
    alerts,
    drift_references,
    drift_together,
    drifting,
    estimates,
    findings_drift,
    first_windows,
    harm,
    judging,
    looking_back,
)
from tenure.monitor.arriving import Waiting, cohorts_of
from tenure.monitor.findings import findings_of
from tenure.monitor.judging import Judgeable
from tenure.monitor.progress import lake_of
from tenure.monitor.rows import load
from tenure.monitor.scored import Past
from tenure.monitor.value import features_named, valued
from tenure.records.base import DAY_US, HOUR_US, Instant
from tenure.records.drift import DriftReport
from tenure.records.model_files import ModelFile, Monitors, span_us
from tenure.records.profiles import Profile
from tenure.records.windows import Window
from tenure.store import detectors, drift_reports, watermarks, windows
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.store.lake import Lake

TRAILING_WINDOWS = 12
"""That accuracy is pooled over where outcomes are few; of hours, those of so many days."""
EARLIER_WINDOWS = 40
"""That tell how outcomes arrive; of several versions and roles; of hours, those at the same hours of the day."""


@dataclass(frozen=True)
class Watched:
    """An endpoint under watch: its model's file, if one was applied, and what that asks for. Windows of hours that
    begin before `thinned_until` keep no profile."""

    endpoint: str
    file: ModelFile | None
    lake: Lake
    thinned_until: int = 0

    @property
    def monitors(self) -> Monitors:
        return self.file.monitors if self.file else Monitors()


@dataclass(frozen=True)
class Verdict:
    """A judged window. `drift` is None for a version without a baseline: there is nothing to compare with. With `first`
    its profile becomes the baseline of the version, which has none."""

    what: Judgeable
    window: Window
    findings: list[alerts.Finding]
    drift: DriftReport | None = None
    first: Profile | None = None


def judge_span(
    ground: Ground, endpoint: str, file: ModelFile | None, start: int, end: int, now: Instant
) -> list[Window]:
    """Judge what every version did in [start, end), store it, and let alerts follow. Marks that came meanwhile stay."""
    cooldown_us = span_us(file.alerts.cooldown) if file else 0
    with ground.database.reading() as tx:
        mark = watermarks.get(tx, endpoint)
        watched = Watched(endpoint, file, lake_of(ground), mark.thinned_until if mark else 0)
        seen = watermarks.last_marked_at(tx, endpoint, start, end)
        judgeables = list(_judgeables(tx, watched, start, end))
        verdicts = [_verdict(ground, tx, watched, what) for what in judgeables]
        judged = [(what, verdict.window) for what, verdict in zip(judgeables, verdicts, strict=True)]
        moved = harm.look(tx, watched.lake, file, judged)

    def commit(tx: Transaction) -> None:
        for verdict in verdicts:
            windows.put(tx, verdict.window, now)
            if verdict.drift is not None:
                drift_reports.put(tx, verdict.drift)
            if verdict.first is not None:
                first_windows.keep(tx, verdict.what, verdict.first, now)
            if verdict.window.role == "champion":
                alerts.follow(tx, endpoint, verdict.findings, now=now, cooldown_us=cooldown_us)
        for one in moved:
            if detectors.put(tx, one.detector, before=one.before, now=now):
                alerts.follow(tx, endpoint, one.findings, now=now, cooldown_us=cooldown_us)
        watermarks.monitored(tx, endpoint, end)
        watermarks.clear_days(tx, endpoint, start, end, seen)

    ground.database.write(commit)
    return [verdict.window for verdict in verdicts]


def _judgeables(tx: Transaction, watched: Watched, start: int, end: int) -> Iterator[Judgeable]:
    """What each version did in each role it had in [start, end)."""
    waiting = _waiting(tx, watched.endpoint, start, end)
    for shadow in (False, True):
        rows = load(tx, watched.lake, watched.endpoint, start, end, shadow=shadow, outputs=True)
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
                waiting=waiting,
            )


def _waiting(tx: Transaction, endpoint: str, start: int, end: int) -> Waiting:
    """How outcomes of earlier windows arrived, as seen from the latest event time of the endpoint."""
    mark = watermarks.get(tx, endpoint)
    now_at = max(mark.received_until if mark else end, end)
    return Waiting(now_at, cohorts_of(looking_back.earlier(tx, endpoint, start, end, EARLIER_WINDOWS), now_at))


def _verdict(ground: Ground, tx: Transaction, watched: Watched, what: Judgeable) -> Verdict:
    stored = profiles.get(tx, what.model, what.version)
    baseline = stored.profile if stored and not _is_of_window(stored.profile, what) else None
    window = judging.judge(what, baseline, watched.file, list(_history(tx, watched, what)))
    estimated = estimates.of(tx, watched.lake, what, baseline, complete=not window.provisional)
    window = msgspec.structs.replace(window, estimated=estimated)
    features = watched.file.features if watched.file else {}
    if what.start_at < watched.thinned_until and looking_back.are_hours(what.end_at - what.start_at):
        kept = windows.get(tx, what.endpoint, what.start_at, what.end_at, what.version, what.role)
        window = msgspec.structs.replace(
            window, profile=None, drift_state=kept.drift_state if kept else "not_enough_data"
        )
        return Verdict(what, window, findings_of(window, watched.monitors, baseline, features))
    if baseline is None or window.profile is None:
        first = _first(tx, watched, what) if stored is None else None
        return Verdict(what, window, findings_of(window, watched.monitors, baseline, features), first=first)
    report = _drift(ground, tx, watched, what, baseline, window.profile)
    window = msgspec.structs.replace(window, drift_state=drifting.state_of(report))
    told = findings_drift.with_names(findings_of(window, watched.monitors, baseline, features), report)
    return Verdict(what, window, [*told, *findings_drift.findings_of(report)], report)


def _first(tx: Transaction, watched: Watched, what: Judgeable) -> Profile | None:
    """What may stand for a baseline that nobody gave: a window's; in windows of hours that of the day that one ends.

    An hour has not seen what a day brings, and everything would seem to have drifted from it.
    """
    if not looking_back.are_hours(what.end_at - what.start_at):
        return first_windows.profile_of(what, watched.file)
    start = what.end_at - DAY_US
    span = windows.first_span(tx, what.endpoint, what.version, what.role)
    if what.role != "champion" or not what.whole or span is None or span[0] > start:
        return None
    rows = load(tx, watched.lake, watched.endpoint, start, what.end_at, outputs=True)
    mine = (rows.version == what.version) & (rows.role == what.role) & (rows.model == what.model)
    hours = rows.event_at // HOUR_US
    whole = set(hours[mine].tolist()) == set(hours.tolist())
    day = dataclasses.replace(what, start_at=start, rows=rows.where(mine), action=None, value=None, whole=whole)
    return first_windows.profile_of(day, watched.file)


def _is_of_window(baseline: Profile, what: Judgeable) -> bool:
    """Whether a baseline was taken from this very window, or the day it is of, which would tell nothing when compared
    with itself."""
    taken = baseline.reference
    if taken.kind != "production" or taken.from_at is None or taken.until_at is None:
        return False
    return taken.from_at <= what.start_at and what.end_at <= taken.until_at


def _drift(
    ground: Ground, tx: Transaction, watched: Watched, what: Judgeable, baseline: Profile, profile: Profile
) -> DriftReport:
    monitors = watched.monitors
    beside = drifting.Beside(
        drift_references.references(tx, what, baseline, monitors),
        drift_references.importances(ground, tx, what.model, what.version),
        watched.file.features if watched.file else {},
    )
    made_of = drifting.digest_of(what, profile, baseline, monitors, beside)
    kept = drift_reports.get(tx, what.endpoint, version=what.version, role=what.role, start_at=what.start_at)
    if kept is not None and kept.made_of == made_of:
        return kept
    report = msgspec.structs.replace(drifting.report(what, profile, baseline, monitors, beside), made_of=made_of)
    if not monitors.drift.together or not what.whole:
        return report
    reference, where = drift_together.first_rows(tx, watched.lake, what)
    found = drift_together.together(reference, what, baseline.columns, report.level) if reference else []
    reason = where if found or not reference else drift_together.TOO_FEW
    return msgspec.structs.replace(report, together=found, together_reason=reason)


def _history(tx: Transaction, watched: Watched, what: Judgeable) -> Iterator[Past]:
    """Trailing windows of the same version and role, latest first, until there are windows and outcomes enough."""
    whole = watched.monitors.accuracy is not None and watched.monitors.accuracy.metric != "roc_auc"
    features = features_named(watched.file) if whole else False
    missing = judging.min_outcomes(watched.monitors) - int(what.rows.known.sum())
    shadow, least = what.role == "shadow", judging.windows_judged(watched.monitors) - 1
    width, seen = what.end_at - what.start_at, 0
    for start, end in spans_before(what.start_at, width, max(TRAILING_WINDOWS, least), least):
        if missing <= 0 and seen >= least:
            return
        rows = load(tx, watched.lake, watched.endpoint, start, end, shadow=shadow, features=features, outputs=whole)
        rows = rows.where((rows.version == what.version) & (rows.role == what.role) & rows.known)
        count, action = (end - start) // width, valued(watched.file, rows).action if whole else None
        yield Past(rows.score, rows.y, rows if whole else None, action, count)
        missing, seen = missing - len(rows), seen + count


def spans_before(start_at: int, width: int, windows: int, least: int) -> Iterator[tuple[int, int]]:
    """The spans of so many windows before one, the latest first.

    Those of hours are read a day at a time, since a file of the lake holds a day, and as many as so many days hold;
    that `least` windows are a span of their own end keeps what is pooled to what was asked for.
    """
    if not looking_back.are_hours(width):
        yield from ((start_at - number * width, start_at - (number - 1) * width) for number in range(1, windows + 1))
        return
    asked, last = start_at - least * width, start_at - max(windows * width, TRAILING_WINDOWS * DAY_US)
    end = start_at
    while end > last:
        start = max(end - 1 - (end - 1) % DAY_US, last)
        start = max(start, asked) if end > asked else start
        yield start, end
        end = start
