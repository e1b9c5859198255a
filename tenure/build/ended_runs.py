"""Whether ended runs still hold what they held at their end.

MLflow's protocol lets clients log to a run that has ended, and its tags change as people work. The event of a run's end
has a digest of all it held, so what came later, through whichever door, shows.
"""

from __future__ import annotations

from collections.abc import Iterator

from tenure.build import runs
from tenure.records.audit import ChangedRun, RunsVerified
from tenure.records.changes import AuditEvent
from tenure.records.tracking import RunDigest
from tenure.store import audit
from tenure.store import runs as kept
from tenure.store.database import Database, Transaction

ENDED = "run.ended"
PAGE = 500
MOST_NAMED = 1000


def verify(database: Database) -> RunsVerified:
    """Count again what every ended run holds, newest first, and name those that hold something else.

    Runs that were removed for good, or that run again, are left out. Each run is read by itself, so that no transaction
    is long.
    """
    looked = 0
    changed: list[ChangedRun] = []
    seen: set[str] = set()
    for event in _ends(database):
        run_id = event.subject.removeprefix("run:")
        if run_id in seen:  # an earlier end of a run that ran again
            continue
        seen.add(run_id)
        found = database.read(lambda tx, run_id=run_id: runs.digested(tx, run_id) if _is_over(tx, run_id) else None)  # type: ignore[misc]
        looked += found is not None
        if found is not None and found.sha256 != event.detail["sha256"] and len(changed) < MOST_NAMED:
            changed.append(ChangedRun(run_id=run_id, event=event.sequence, what=_difference(event, found)))
    return RunsVerified(runs=looked, changed=changed)


def _ends(database: Database) -> Iterator[AuditEvent]:
    before: int | None = None
    while True:
        page = database.read(lambda tx, before=before: audit.search(tx, action=ENDED, before=before, limit=PAGE))  # type: ignore[misc]
        yield from page
        if len(page) < PAGE:
            return
        before = page[-1].sequence


def _is_over(tx: Transaction, run_id: str) -> bool:
    found = kept.info(tx, run_id)
    return found is not None and found.status in runs.ENDED


def _difference(event: AuditEvent, found: RunDigest) -> str:
    """What differs, by the counts that the event tells; the same counts with another digest are other values."""
    counts = ("metric_points", "metric_keys", "params", "tags")
    moved = [
        f"{name.replace('_', ' ')} {event.detail[name]} → {getattr(found, name)}"
        for name in counts
        if event.detail[name] != getattr(found, name)
    ]
    return ", ".join(moved) or "other values"
