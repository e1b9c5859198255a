"""The journal becomes the lake, exactly once.

For each segment, also the one that is still being written: read new whole frames, write their rows to Parquet files
whose names follow from the segment and the offset, then register the files and move the cursor in one transaction.
Killed between, nothing is registered and the cursor stands still: the next look writes files of the same names again.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import msgspec

from tenure.monitor import compaction, joining, overrides, repeats, tables
from tenure.monitor.outcomes import OUTCOMES_NAME
from tenure.monitor.progress import journal_folder, lake_of, size_of
from tenure.records.base import DAY_US, HOUR_US, SECOND_US, Instant
from tenure.records.frames import Frame, OutcomeFrame, OverrideFrame, PredictionFrame, RefusalFrame
from tenure.serving.journal import MIB, Segment, read_frames, segments
from tenure.store import journal_cursors, lake_files, outcomes, watermarks
from tenure.store import overrides as kept_overrides
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.store.lake import Lake, Table, hours_of
from tenure.store.lake_files import LakeFile
from tenure.store.outcomes import Told
from tenure.store.overrides import Decided

log = logging.getLogger("tenure.monitor")
PREDICTIONS_A_BITE = 4 * MIB  # about 5,000 rows of 25 features
OUTCOMES_A_BITE = 4 * MIB  # about 60,000 outcomes, which may all be unknown
MOST_OUTCOMES_A_BITE = 64 * MIB  # about a million: a lake of any size is looked through once for all of them
SMALL_BITE = MIB // 8
KEYS_LOOKED_AT = 500
MOST_WAITING = 2_000  # what a transaction of 20 ms can keep waiting
LOOK_US = SECOND_US
RESTS = 4.0
KEPT_US = DAY_US


class EndpointIntake(msgspec.Struct):
    """What one bite of a segment brings for one endpoint: files that are written, and what is yet to be stored."""

    endpoint: str
    files: list[LakeFile] = []
    predictions: list[LakeFile] = []
    refusals: list[LakeFile] = []
    found: list[str] = []
    waiting: list[Told] = []
    refused: list[outcomes.Refused] = []
    outcomes_until: int = 0
    overrides: list[LakeFile] = []
    decided: list[str] = []
    undecided: list[Decided] = []
    hours: set[int] = set()
    """The hours of event time that the files hold, besides the one that each begins with, by where they begin."""

    @property
    def written(self) -> list[LakeFile]:
        return [*self.files, *self.refusals, *self.overrides]


class Pace:
    """When a segment that is still written is taken in again.

    Files and a transaction cost much the same for ten rows and for a thousand. So what is less than a whole bite waits
    until four times as long has passed as the bite before it took: under load bites become large by themselves, and
    what comes alone is taken in at once.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due_at: dict[str, float] = {}

    def due(self, segment: Segment, waiting_bytes: int) -> bool:
        whole = segment.sealed or waiting_bytes >= PREDICTIONS_A_BITE
        return whole or self._clock() >= self._due_at.get(segment.key, 0.0)

    def took(self, segment: Segment, seconds: float) -> None:
        now = self._clock()
        later = {key: at for key, at in self._due_at.items() if at > now}
        self._due_at = {**later, segment.key: now + RESTS * seconds}


class Follower(Protocol):
    """Somebody else who wants what is taken in, as an export does: chosen outside of the transaction that moves the
    cursor, noted in it, kept after it."""

    def choose(self, ground: Ground, frames: list[Frame]) -> Any: ...

    def note(self, tx: Transaction, chosen: Any) -> None: ...

    def keep(self, chosen: Any) -> None: ...


def take_in(ground: Ground, now: Instant, follower: Follower | None = None, pace: Pace | None = None) -> bool:
    """Take new frames of every segment into the lake; False when there was nothing to do.

    One call works for about a second, then returns so that what came in can be judged meanwhile. A segment that
    cannot be taken in is logged and holds nothing else back; its bytes keep waiting. `pace`: of who calls again and
    again; without it everything that is there is taken in.
    """
    lake, moved = lake_of(ground), False
    found = segments(journal_folder(ground))
    cursors = ground.database.read(journal_cursors.all_of)
    until = time.monotonic_ns() + LOOK_US * 1000
    for segment in sorted(found, key=lambda one: one.process == OUTCOMES_NAME):  # predictions before their outcomes
        if time.monotonic_ns() > until:
            return True
        try:
            reached = _take_segment(ground, lake, segment, cursors.get(segment.key, 0), until, now, follower, pace)
        except Exception:
            log.exception("segment %s of the journal cannot be taken in; it is tried again", segment.key)
            continue
        moved = moved or reached > cursors.get(segment.key, 0)
        cursors[segment.key] = reached
    if not moved:
        _forget_old(ground, found, cursors, now)
    return compaction.tidy(ground, lake, now) or moved


def journaled(ground: Ground) -> list[tuple[str, int]]:
    """Every segment and how long it is by now; it differs when something was journaled."""
    return [(segment.key, size_of(segment)) for segment in segments(journal_folder(ground))]


def _take_segment(
    ground: Ground,
    lake: Lake,
    segment: Segment,
    offset: int,
    until_ns: int,
    now: Instant,
    follower: Follower | None,
    pace: Pace | None,
) -> int:
    """Take in a segment from an offset on, bite by bite; the offset after the last whole frame that is there."""
    while (waiting := size_of(segment) - offset) > 0 and time.monotonic_ns() < until_ns:
        if pace and not pace.due(segment, waiting):
            break
        began = time.monotonic()
        reached = _take_bite(ground, lake, segment, offset, now, follower)
        if pace:
            pace.took(segment, time.monotonic() - began)
        if reached == offset:
            break
        offset = reached
    return offset


def _take_bite(
    ground: Ground, lake: Lake, segment: Segment, offset: int, now: Instant, follower: Follower | None
) -> int:
    """Take in some frames of a segment from an offset on; the offset after them."""
    limit = MOST_OUTCOMES_A_BITE if segment.process == OUTCOMES_NAME else PREDICTIONS_A_BITE
    frames, reached = read_frames(segment.path, offset, limit)
    if not frames:
        return offset
    if reached - offset > OUTCOMES_A_BITE and _mostly_waiting(ground, lake, frames):
        limit = OUTCOMES_A_BITE
        frames, reached = read_frames(segment.path, offset, limit)
    name = f"{segment.key.replace('/', '-')}-{offset}"
    parts = _all_prepared(ground, lake, name, frames)
    if sum(len(part.waiting) + len(part.undecided) for part in parts) > MOST_WAITING and limit > SMALL_BITE:
        lake.delete(file.path for part in parts for file in part.written)
        frames, reached = read_frames(segment.path, offset, SMALL_BITE)
        parts = _all_prepared(ground, lake, name, frames)
    chosen = follower.choose(ground, frames) if follower else None

    def commit(tx: Transaction) -> None:
        journal_cursors.move(tx, segment.key, from_bytes=offset, to_bytes=reached)
        for part in parts:
            store(tx, part, now)
        if follower:
            follower.note(tx, chosen)

    ground.database.write(commit)
    if follower:
        follower.keep(chosen)
    return reached


def _mostly_waiting(ground: Ground, lake: Lake, frames: list[Frame]) -> bool:
    """Whether more outcomes of a large bite than a transaction can take are likely to wait for their prediction."""
    with ground.database.reading() as tx:
        for endpoint, mine in _by_endpoint(frames).items():
            keys = [key for frame in mine if isinstance(frame, OutcomeFrame) for key in frame.key]
            share = joining.unknown_share(tx, lake, endpoint, keys, KEYS_LOOKED_AT)
            if share * len(keys) > MOST_WAITING:
                return True
    return False


def _all_prepared(ground: Ground, lake: Lake, name: str, frames: list[Frame]) -> list[EndpointIntake]:
    with ground.database.reading() as tx:
        return [_prepared(tx, lake, name, endpoint, mine) for endpoint, mine in _by_endpoint(frames).items()]


def _by_endpoint(frames: Iterable[Frame]) -> dict[str, list[Frame]]:
    grouped: dict[str, list[Frame]] = defaultdict(list)
    for frame in frames:
        grouped[frame.endpoint].append(frame)
    return grouped


def _prepared(tx: Transaction, lake: Lake, name: str, endpoint: str, frames: list[Frame]) -> EndpointIntake:
    """Write what frames of one endpoint bring to the lake, without registering anything."""
    part = EndpointIntake(endpoint)
    predicted = [frame for frame in frames if isinstance(frame, PredictionFrame) and frame.rows]
    answered = [frame for frame in predicted if frame.role != "shadow"]
    shadows = [frame for frame in predicted if frame.role == "shadow"]
    told = [one for frame in frames if isinstance(frame, OutcomeFrame) for one in _told(frame)]
    if answered:
        _prepare_answered(tx, lake, name, part, answered)
    if shadows:
        table = repeats.without(tx, lake, endpoint, "shadows", shadows, tables.of_shadows(shadows))
        part.hours |= hours_of(table)
        part.predictions += lake.write(endpoint, "shadows", name, table)
    not_admitted = [frame for frame in frames if isinstance(frame, RefusalFrame)]
    if not_admitted:
        part.refusals += lake.write(endpoint, "refusals", name, tables.of_refusals(not_admitted))
    if told:
        _prepare_outcomes(tx, lake, name, part, told)
    decided = overrides.told([frame for frame in frames if isinstance(frame, OverrideFrame)])
    if decided:
        found, part.undecided = overrides.join(tx, lake, endpoint, decided)
        _write_overrides(lake, name, part, found)
    part.files += part.predictions
    return part


def _prepare_answered(
    tx: Transaction, lake: Lake, name: str, part: EndpointIntake, frames: list[PredictionFrame]
) -> None:
    """Write predictions, and the outcomes and overrides that waited for them."""
    table = repeats.without(tx, lake, part.endpoint, "predictions", frames, tables.of_predictions(frames))
    part.hours |= hours_of(table)
    part.predictions += lake.write(part.endpoint, "predictions", name, table)
    join_waiting(tx, lake, name, part, table)


def is_awaited(tx: Transaction, endpoint: str) -> bool:
    """Whether outcomes or overrides wait for predictions that did not come yet."""
    return outcomes.waiting_count(tx, endpoint) > 0 or kept_overrides.waiting_count(tx, endpoint) > 0


def join_waiting(tx: Transaction, lake: Lake, name: str, part: EndpointIntake, table: Table) -> None:
    """Write the outcomes and overrides that were told before the predictions of a table came."""
    if kept_overrides.waiting_count(tx, part.endpoint):
        _prepare_waited_overrides(tx, lake, name, part, table)
    if outcomes.waiting_count(tx, part.endpoint) == 0:
        return
    named = joining.named_by(table)
    waited = outcomes.waiting_among(tx, part.endpoint, list(named))
    part.found = list(waited)
    matched: dict[str, joining.Matched] = {}
    for key, told in waited.items():
        first = matched.setdefault(named[key].prediction_id, joining.Matched(told, named[key]))
        if first.told.value != told.value:  # told by id and by reference, differently
            part.refused.append(outcomes.Refused(key, first.told.value, told.value, told.event_at))
    _write_outcomes(lake, f"{name}-waited", part, list(matched.values()))


def _prepare_waited_overrides(tx: Transaction, lake: Lake, name: str, part: EndpointIntake, table: Table) -> None:
    named = joining.named_by(table)
    waited = kept_overrides.waiting_among(tx, part.endpoint, list(named))
    part.decided = [one.key for one in waited]
    found = overrides.new(tx, lake, part.endpoint, overrides.matched(waited, named))
    _write_overrides(lake, f"{name}-waited", part, found)


def _write_overrides(lake: Lake, name: str, part: EndpointIntake, found: list[overrides.Joined]) -> None:
    if found:
        part.overrides += lake.write(part.endpoint, "overrides", name, overrides.table_of(found))


def _prepare_outcomes(tx: Transaction, lake: Lake, name: str, part: EndpointIntake, told: list[Told]) -> None:
    waiting = outcomes.waiting_among(tx, part.endpoint, [one.key for one in told])
    joined = joining.join(tx, lake, part.endpoint, told, waiting)
    part.waiting, part.refused = joined.unknown, part.refused + joined.refused
    _write_outcomes(lake, name, part, joined.matched)


def _write_outcomes(lake: Lake, name: str, part: EndpointIntake, matched: list[joining.Matched]) -> None:
    if matched:
        table = joining.of_matched(matched)
        part.hours |= hours_of(table)
        part.files += lake.write(part.endpoint, "outcomes", name, table)
        part.outcomes_until = max(part.outcomes_until, *(one.told.event_at for one in matched), 0)


def store(tx: Transaction, part: EndpointIntake, now: Instant) -> None:
    """Register an endpoint's new files, and store what waits, what was refused, and which hours changed."""
    lake_files.add(tx, part.written, now)  # no window judges the last two
    outcomes.stop_waiting(tx, part.endpoint, part.found)
    outcomes.keep_waiting(tx, part.endpoint, part.waiting, now)
    outcomes.keep_refused(tx, part.endpoint, part.refused, now)
    kept_overrides.stop_waiting(tx, part.endpoint, part.decided)
    kept_overrides.keep_waiting(tx, part.endpoint, part.undecided, now)
    if part.predictions:
        first = min(file.first_event_at for file in part.predictions)
        watermarks.received(tx, part.endpoint, first, max(file.last_event_at for file in part.predictions))
    if part.outcomes_until:
        watermarks.outcomes_received(tx, part.endpoint, part.outcomes_until)
    hours = {file.first_event_at // HOUR_US * HOUR_US for file in part.files}
    watermarks.mark_days(tx, part.endpoint, hours | part.hours, now)


def _told(frame: OutcomeFrame) -> list[Told]:
    return [Told(*one) for one in zip(frame.key, frame.value, frame.event_at, strict=True)]


def _forget_old(ground: Ground, found: list[Segment], cursors: dict[str, int], now: Instant) -> None:
    """Delete segments that have been in the lake for a day. A process's latest stays, so that no number comes again."""
    latest = {segment.process: segment.sequence for segment in found}  # in the order of writing
    old = [
        segment
        for segment in found
        if segment.sealed
        and segment.sequence < latest[segment.process]
        and segment.path.stat().st_mtime_ns // 1000 < now - KEPT_US
        and cursors.get(segment.key, 0) >= size_of(segment)
    ][:200]
    for segment in old:
        segment.path.unlink()
    present = {segment.key for segment in found} - {segment.key for segment in old}
    gone = [key for key in cursors if key not in present][:500]
    if gone:
        ground.database.write(lambda tx: journal_cursors.forget(tx, gone))
