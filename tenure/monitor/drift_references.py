"""What a window is compared with, found among what is stored: baseline, windows before it, what columns are worth."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from tenure.build import features as measured
from tenure.build import model_versions
from tenure.errors import TenureError
from tenure.monitor import profiling
from tenure.monitor.drifting import Reference
from tenure.monitor.judging import Judgeable
from tenure.monitor.looking_back import are_hours, same_hours
from tenure.records.base import DAY_US
from tenure.records.model_files import Against, DriftMonitor, Monitors
from tenure.records.profiles import ColumnProfile, NumericProfile, Profile
from tenure.records.windows import Window
from tenure.store import drift_reports, windows
from tenure.store.database import Transaction
from tenure.store.ground import Ground

log = logging.getLogger("tenure.monitor")
MOST_WINDOWS = 400
THURSDAY, SATURDAY = 3, 5
"""From Monday, 0, on. 1970 began on a Thursday."""
NONE_YET = "There is no past window of the same season yet."
NONE_OF_HOURS = (
    "There is no past window of the same season yet: windows of hours are compared with those at the same hours of "
    "such days, and the first of these is yet to come again."
)


def references(tx: Transaction, what: Judgeable, baseline: Profile, monitors: Monitors) -> list[Reference]:
    """The references that the model's file asks for, in its order; one that there is none of says why."""
    drift = monitors.drift
    return [_reference(tx, what, baseline, drift, against) for against in drift.against]


def same_season(start_at: int, end_at: int, drift: DriftMonitor, past: Iterable[tuple[int, int]]) -> list[int]:
    """Which of past windows (start, end) are of the same season, by where they start; latest first.

    Windows of a day: on the same weekday, or the same kind of day, within the last `cycles` weeks. Windows of hours:
    those at the same hours of such days. Longer ones, which are of whole weeks: the last `cycles`.
    """
    width = end_at - start_at
    alike = sorted((one for one, until in past if until - one == width and until <= start_at), reverse=True)
    if width > DAY_US:
        return alike[: drift.cycles]
    recent = [one for one in alike if start_at - one <= 7 * drift.cycles * DAY_US]
    return [one for one in recent if _slot(one, drift) == _slot(start_at, drift)]


def _slot(start_at: int, drift: DriftMonitor) -> tuple[int, int]:
    """Which days are alike, and the time of day (µs UTC) at which windows of hours are."""
    days, of_day = divmod(start_at, DAY_US)
    weekday = (days + THURSDAY) % 7
    return (int(weekday >= SATURDAY) if drift.season == "day_type" else weekday), of_day


def _reference(tx: Transaction, what: Judgeable, baseline: Profile, drift: DriftMonitor, against: Against) -> Reference:
    if against == "training":
        return Reference("training", baseline)
    past = windows.search(
        tx,
        what.endpoint,
        version=what.version,
        role=what.role,
        from_at=_back_to(what, drift),
        until_at=what.start_at,
        starts=_starts(what, drift, against),
        limit=MOST_WINDOWS,
    )
    known = [one for one in past if one.model == what.model and one.profile is not None]
    if against == "previous":
        chosen = [one for one in known if one.end_at == what.start_at][:1]
        return _merged(tx, against, chosen, baseline, "Version and role had no window just before this one.")
    starts = same_season(what.start_at, what.end_at, drift, [(one.start_at, one.end_at) for one in known])
    chosen = [one for one in known if one.start_at in set(starts)]
    return _merged(tx, against, chosen, baseline, NONE_OF_HOURS if are_hours(what.end_at - what.start_at) else NONE_YET)


def _starts(what: Judgeable, drift: DriftMonitor, against: Against) -> list[int] | None:
    """Where windows of hours that may be meant begin: of a thousand of them, few are read. None for any."""
    width = what.end_at - what.start_at
    if not are_hours(width):
        return None
    if against == "previous":
        return [what.start_at - width]
    days = same_hours(what.start_at, 7 * drift.cycles)
    return [one for one in days if _slot(one, drift) == _slot(what.start_at, drift)]


def _back_to(what: Judgeable, drift: DriftMonitor) -> int:
    return what.start_at - max(7 * DAY_US, what.end_at - what.start_at) * (drift.cycles + 1)


def _merged(tx: Transaction, against: Against, chosen: Sequence[Window], baseline: Profile, reason: str) -> Reference:
    """Past windows' counts added up. Windows that were counted in other bins, before another baseline, are left out."""
    alike = [one for one in chosen if one.profile is not None and _same_bins(one.profile, baseline)]
    if not alike:
        return Reference(against, None, reason)
    reports = [
        drift_reports.get(tx, one.endpoint, version=one.version, role=one.role, start_at=one.start_at) for one in alike
    ]
    return Reference(
        against,
        profiling.merge([one.profile for one in alike if one.profile is not None]),
        from_at=min(one.start_at for one in alike),
        until_at=max(one.end_at for one in alike),
        decided_yes=sum(one.decided_yes for one in reports if one),
        decided=sum(one.decided for one in reports if one),
    )


def _same_bins(profile: Profile, baseline: Profile) -> bool:
    if profile.columns.keys() != baseline.columns.keys():
        return False
    pairs = [(profile.columns[name], like) for name, like in baseline.columns.items()]
    if profile.score is not None and baseline.score is not None:
        pairs.append((profile.score, baseline.score))
    pairs += [(one.score, like.score) for one, like in zip(profile.classes, baseline.classes, strict=False)]
    return all(_cut(one) == _cut(like) for one, like in pairs)


def _cut(column: ColumnProfile) -> object:
    return (column.edges, column.points) if isinstance(column, NumericProfile) else (column.levels, column.other_levels)


def importances(ground: Ground, tx: Transaction, model: str, version: int) -> dict[str, float]:
    """How much each column counts, as shares of 1; empty when nothing was measured at training or can be read."""
    try:
        info = model_versions.get(tx, model, version, with_labels=False)
        found = measured.of_version(ground.opened(info.storage_location), info).found
    except TenureError as trouble:
        log.info("importances of %s/%s are not known: %s", model, version, trouble)
        return {}
    worth = {one.name: max(one.importance.value, 0.0) for one in found.features if one.importance} if found else {}
    total = sum(worth.values())
    return {name: one / total for name, one in worth.items()} if total else {}
