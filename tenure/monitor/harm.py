"""Harm that lasts: detectors that take every champion's rows in the order of prediction, each row once.

A window is taken when enough of its outcomes are known, and after those before it: early outcomes are not like late
ones, and a window that has not matured would be counted as if it had. One whose outcomes do not come while four later
ones mature is passed over. What comes for a window after it was taken is not taken any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from tenure.manage import profiles
from tenure.monitor import judging, losses
from tenure.monitor.alerts import Finding
from tenure.monitor.findings_harm import harm_finding
from tenure.monitor.judging import Judgeable
from tenure.monitor.looking_back import are_hours
from tenure.monitor.rivals import compared
from tenure.monitor.rows import Floats, Instants, load
from tenure.monitor.value import features_named, valued
from tenure.records.base import DAY_US, HOUR_US
from tenure.records.harm import Alarm, Detector, DetectorName, Memory, Paid, Point, Reference, Together
from tenure.records.model_files import Harm, ModelFile, Monitors
from tenure.records.profiles import Profile
from tenure.records.windows import Window
from tenure.stats import detectors as stats
from tenure.store import alerts, detectors, windows
from tenure.store.database import Transaction
from tenure.store.lake import Lake

WAITING = 16
LATER = 4
POINTS = 400
POINTS_A_WINDOW = 8
TRAILING_WINDOWS = 12
A_YEAR_US = 365.25 * DAY_US
LEAST = 1e-3


@dataclass(frozen=True)
class Watching:
    """What a detector goes by: the model's file, and how many detectors share the budget of harm."""

    monitors: Monitors
    harm: Harm
    baseline: Profile | None
    detectors: int


@dataclass(frozen=True)
class Cohort:
    """A matured window of one version: its rows' event times and losses in their own units, each of shape (n,)."""

    window: Window
    event_at: Instants
    losses: Mapping[DetectorName, Floats]


@dataclass(frozen=True)
class Moved:
    """A detector after what it took; `before`: where it stood, None for a new one."""

    detector: Detector
    before: int | None
    findings: list[Finding]


def look(
    tx: Transaction, lake: Lake, file: ModelFile | None, judged: Sequence[tuple[Judgeable, Window]]
) -> list[Moved]:
    """Have the detectors of the champions of a span take what has matured by now. Changes nothing by itself."""
    monitors = file.monitors if file else Monitors()
    if monitors.harm is None:
        return []
    moved: list[Moved] = []
    for what, window in judged:
        if what.role == "champion":
            moved += _of_version(tx, lake, file, monitors, monitors.harm, what, window)
    return moved


def advanced(detector: Detector, cohort: Cohort, watching: Watching) -> tuple[Detector, Finding | None]:
    """A detector after one cohort, and what it says of it; None while it has nothing to say. Pure.

    While it learns it keeps losses until there are enough for a reference. While it fires it goes on counting, so that
    the picture shows whether the harm lasts.
    """
    window, name = cohort.window, detector.detector
    lost = cohort.losses.get(name, np.full(len(cohort.event_at), np.nan))
    there = ~np.isnan(lost) & (cohort.event_at >= detector.quiet_until)
    at, lost = cohort.event_at[there], lost[there]
    after = _counted(detector, window, len(lost), watching)
    if detector.state == "cooldown" and window.end_at > detector.quiet_until:
        after = msgspec.structs.replace(after, state="watching")
    if not len(lost):
        return after, None
    if after.reference is None:
        after = _learned(after, at, lost, window, watching)
        if after.reference is None or after.reference.source == "first outcomes":
            return after, None
    fired_before = after.state == "firing"
    reference = losses.tolerating(name, after.reference, watching.harm)
    x = losses.scaled(name, lost, reference)
    after = _followed(_together(after, at, x, window), reference, at, x)
    if after.state != "firing" and _on_probation(after):
        return after, None
    anew = after.state == "firing" and not fired_before and after.restarts > 0
    return after, harm_finding(after, window, anew=anew)


def restarted(detector: Detector, harm: Harm) -> Detector:
    """A detector that begins again after its alarm was acknowledged: from nothing, once the cooldown is over."""
    return msgspec.structs.replace(
        detector,
        state="cooldown",
        memory=Memory(),
        quiet_until=detector.consumed_until + int(harm.cooldown_days * DAY_US),
        restarts=detector.restarts + 1,
    )


def _of_version(
    tx: Transaction,
    lake: Lake,
    file: ModelFile | None,
    monitors: Monitors,
    harm: Harm,
    what: Judgeable,
    window: Window,
) -> Iterator[Moved]:
    """The detectors of one version after all of its windows that have matured in their order."""
    known = {one.detector: one for one in detectors.of_endpoint(tx, what.endpoint, what.version)}
    known = {name: one for name, one in known.items() if one.model == what.model}
    names = list({**dict.fromkeys(known), **dict.fromkeys(losses.losses_of(what))})
    if not names:
        return
    stood = {name: known[name].consumed_until if name in known else None for name in names}
    now = {name: known.get(name) or _new(what, name) for name in names}
    acknowledged = {key for key, alert in alerts.unresolved(tx, what.endpoint).items() if alert.state == "acknowledged"}
    stored = profiles.get(tx, what.model, what.version)
    watching = Watching(monitors, harm, stored.profile if stored else None, len(names))
    said: dict[DetectorName, list[Finding]] = {name: [] for name in names}
    for step in _due(tx, window, min(one.consumed_until for one in now.values())):
        cohort = None if step.provisional else _cohort(tx, lake, file, what, step)
        for name, detector in now.items():
            if step.start_at < detector.consumed_until:
                continue
            if cohort is None:
                now[name] = _passed_over(detector, step)
                continue
            if detector.state == "firing" and ("harm", name) in acknowledged:
                detector = restarted(detector, harm)  # noqa: PLW2901
            now[name], finding = advanced(detector, cohort, watching)
            said[name] += [finding] if finding else []
    for name, detector in now.items():
        if detector.consumed_until != (stood[name] or 0):
            shown = _with_rivals(tx, lake, file, harm, detector, window)
            yield Moved(shown, stood[name], said[name])


def _due(tx: Transaction, judged: Window, from_at: int) -> Iterator[Window]:
    """Windows in their order until one must be waited for; one that comes out provisional is to be passed over."""
    kept = windows.following(tx, judged.endpoint, judged.version, "champion", from_at, WAITING)
    waiting = {one.start_at: one for one in kept}
    if judged.start_at >= from_at:
        waiting[judged.start_at] = judged
    ordered = [waiting[start] for start in sorted(waiting)]
    for place, window in enumerate(ordered):
        later = [one for one in ordered[place + 1 :] if not one.provisional]
        if window.provisional and len(later) < LATER and len(ordered) - place < WAITING:
            return
        yield window


def _cohort(tx: Transaction, lake: Lake, file: ModelFile | None, what: Judgeable, window: Window) -> Cohort:
    """A window's rows and losses: those at hand, else those of the lake."""
    if (window.start_at, window.end_at) == (what.start_at, what.end_at):
        return Cohort(window, what.rows.event_at, losses.losses_of(what))
    then = _rows(tx, lake, file, window, window.start_at, window.end_at)
    return Cohort(window, then.rows.event_at, losses.losses_of(then))


def _rows(tx: Transaction, lake: Lake, file: ModelFile | None, window: Window, start_at: int, end_at: int) -> Judgeable:
    """A champion's rows of a span, with what the model's file says of each."""
    rows = load(tx, lake, window.endpoint, start_at, end_at, features=features_named(file))
    mine = (rows.version == window.version) & (rows.role == "champion") & (rows.model == window.model)
    rows = rows.where(mine)
    said = valued(file, rows)
    about = (window.endpoint, window.model, window.version, window.role)
    return Judgeable(*about, start_at, end_at, rows, said.action, said.value)


def _new(what: Judgeable, name: DetectorName) -> Detector:
    return Detector(endpoint=what.endpoint, model=what.model, version=what.version, detector=name)


def _passed_over(detector: Detector, window: Window) -> Detector:
    return msgspec.structs.replace(
        detector, consumed_until=window.end_at, passed_over=detector.passed_over + window.predictions
    )


def _counted(detector: Detector, window: Window, rows: int, watching: Watching) -> Detector:
    """With the traffic seen by now, which turns the budget of time into a run length in rows."""
    first_at = detector.first_at or window.start_at
    outcomes = detector.outcomes + rows
    length = detector.run_length
    if outcomes:
        yearly = outcomes * A_YEAR_US / (window.end_at - first_at)
        sharing = watching.detectors * judging.sharing(watching.monitors)
        length = stats.run_length(watching.monitors.false_alerts_per_year, yearly, sharing)
    return msgspec.structs.replace(
        detector, consumed_until=window.end_at, first_at=first_at, outcomes=outcomes, run_length=length
    )


def _learned(detector: Detector, at: Instants, lost: Floats, window: Window, watching: Watching) -> Detector:
    """With a reference once one is at hand: in windows of hours after about a day, since a night is not like it."""
    name, least = detector.detector, judging.min_outcomes(watching.monitors)
    kept = np.concatenate((np.array(detector.held, dtype=np.float64), lost))
    kept_at = np.concatenate((np.array(detector.held_at, dtype=np.int64), at))
    groups = kept_at // _share_luck_us(window)
    known = losses.baseline_reference(name, watching.baseline, watching.harm, kept, groups)
    if known is not None:
        return msgspec.structs.replace(detector, reference=known, state="watching")
    seen_us = window.end_at - (int(kept_at.min()) if len(kept_at) else window.end_at)
    if len(kept) < least or (are_hours(window.end_at - window.start_at) and seen_us < DAY_US - HOUR_US):
        return msgspec.structs.replace(detector, held=kept.tolist(), held_at=kept_at.tolist())
    reference, seen = losses.first_reference(name, kept, groups, watching.harm)
    together = Together(between=seen.between, alone=seen.alone)
    return msgspec.structs.replace(
        detector, reference=reference, state="watching", held=[], held_at=[], together=together
    )


def _share_luck_us(window: Window) -> int:
    """The time whose rows share their luck: a day; in windows of a day or two, which tell little of days, an hour; in
    windows of hours a sixth of one, an hour at most."""
    width = window.end_at - window.start_at
    return DAY_US if width > 2 * DAY_US else min(HOUR_US, width // 6)


def _together(detector: Detector, at: Instants, x: Floats, window: Window) -> Detector:
    """With how much rows of a day share their luck, as all windows until now show, each around its own mean."""
    seen = stats.dispersion(x, at // _share_luck_us(window))
    gathered = stats.Dispersion(detector.together.between + seen.between, detector.together.alone + seen.alone)
    return msgspec.structs.replace(
        detector,
        together=Together(between=gathered.between, alone=gathered.alone),
        design_effect=gathered.design_effect,
    )


def _followed(detector: Detector, reference: Reference, at: Instants, x: Floats) -> Detector:
    bets = stats.bets_on(reference.mu0, reference.deviation, detector.design_effect)
    memory, m = _remembered(detector.memory, at, x, bets)
    points = _points(detector, at, m)
    after = msgspec.structs.replace(detector, reference=reference, memory=memory, points=points)
    over = np.flatnonzero(m >= detector.run_length)
    if detector.state == "firing" or not len(over):
        return after
    until = int(over[0]) + 1
    then, m = _remembered(detector.memory, at[:until], x[:until], bets)
    return msgspec.structs.replace(
        after, state="firing", alarm=_alarm(detector, reference, then, int(at[until - 1]), float(m[-1]))
    )


def _alarm(detector: Detector, reference: Reference, memory: Memory, at: int, statistic: float) -> Alarm:
    change = stats.change_of(_track(memory), detector.design_effect)
    assert change is not None
    own = sorted(losses.in_own_unit(detector.detector, end, reference) for end in (change.low, change.high))
    return Alarm(
        at=at,
        began_at=memory.since[int(np.argmax(memory.m))].at,
        rows=change.rows,
        mean=losses.in_own_unit(detector.detector, change.mean, reference),
        low=own[0],
        high=own[1],
        reference=losses.in_own_unit(detector.detector, reference.mean, reference),
        statistic=statistic,
        threshold=detector.run_length,
    )


def _remembered(memory: Memory, at: Instants, x: Floats, bets: stats.Bets) -> tuple[Memory, Floats]:
    """Go on over rows; each bet remembers the event time of the first row since which it pays."""
    track, m = stats.follow(_track(memory), x, bets)
    before = memory.since or [Paid(gain=0, rows=0, total=0, squares=0, at=int(at[0]))] * len(bets.stakes)
    since = []
    for was, now in zip(before, track.since, strict=True):
        moved = now.rows > memory.rows
        first = int(at[min(now.rows - memory.rows, len(at) - 1)]) if moved else was.at
        since.append(Paid(gain=now.gain, rows=now.rows, total=now.total, squares=now.squares, at=first))
    return Memory(rows=track.rows, total=track.total, squares=track.squares, m=list(track.m), since=since), m


def _track(memory: Memory) -> stats.Track:
    since = tuple(stats.Since(one.gain, one.rows, one.total, one.squares) for one in memory.since)
    return stats.Track(memory.rows, memory.total, memory.squares, tuple(memory.m), since)


def _points(detector: Detector, at: Instants, m: Floats) -> list[Point]:
    """The greatest statistic of each of a few parts of a window: enough for a picture."""
    parts = np.array_split(np.arange(len(m)), min(POINTS_A_WINDOW, len(m)))
    level = float(np.log10(detector.run_length))
    made = [
        Point(at=int(at[part[-1]]), statistic=float(np.log10(max(m[part].max(), LEAST))), threshold=level)
        for part in parts
    ]
    return [*detector.points, *made][-POINTS:]


def _on_probation(detector: Detector) -> bool:
    """After a restart, until as many rows have passed without an alarm as the last one needed."""
    return detector.alarm is not None and detector.restarts > 0 and detector.memory.rows < detector.alarm.rows


def _with_rivals(
    tx: Transaction, lake: Lake, file: ModelFile | None, harm: Harm, detector: Detector, window: Window
) -> Detector:
    """With what other detectors say of the latest windows, where the model's file asks for them."""
    if not harm.compare or detector.reference is None:
        return msgspec.structs.replace(detector, compared=[]) if detector.compared else detector
    end, width = detector.consumed_until, window.end_at - window.start_at
    start = max(detector.first_at, end - TRAILING_WINDOWS * width)
    then = _rows(tx, lake, file, window, start, end)
    lost = losses.losses_of(then).get(detector.detector, np.full(len(then.rows), np.nan))
    there = ~np.isnan(lost)
    x = losses.scaled(detector.detector, lost[there], detector.reference)
    return msgspec.structs.replace(
        detector, compared=[compared(name, x, then.rows.event_at[there]) for name in harm.compare]
    )
