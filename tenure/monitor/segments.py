"""The audit log tells of predictions and outcomes by their files: counts, time range and SHA-256 of each.

Not one event for each file: the lake takes in a small one several times a second, and the log would hold little else.
One event an endpoint tells of everything that came within ten minutes, and of what was merged into what. A file that
was told of is kept until then, so that at every moment each told file is there to be checked.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from tenure.records.audit import SegmentsVerified
from tenure.records.base import SECOND_US, Instant
from tenure.store import audit, lake_files
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.store.lake_files import LakeFile

ACTION = "segments.recorded"
BY = "tenure-worker"
TELL_US = 600 * SECOND_US
LOOK_US = 10 * SECOND_US
FILES_AN_EVENT = 500
FOREVER = 2**62


class Teller:
    """Tells of an endpoint's files when the oldest that is not told of has been there for ten minutes."""

    def __init__(self) -> None:
        self._look_at = 0

    def tell_due(self, ground: Ground, now: Instant) -> bool:
        """True when something was told, so that the rest is told at the next look."""
        if now < self._look_at:
            return False
        due = [one for one, at in ground.database.read(lake_files.untold_since).items() if at <= now - TELL_US]
        for endpoint in due:
            tell(ground, endpoint, now=now)
        self._look_at = now if due else now + LOOK_US
        return bool(due)


def tell(ground: Ground, endpoint: str, *, now: Instant) -> int:
    """Tell of an endpoint's new files, and of what they replaced, in one audit event; how many files it tells of."""
    fresh = ground.database.read(lambda tx: lake_files.untold(tx, endpoint, FILES_AN_EVENT))
    digests = {one.path: one.sha256 or _sha256(_path(ground, one.path)) for one in fresh}  # outside of the transaction

    def write(tx: Transaction) -> int:
        present = [one for one in lake_files.untold(tx, endpoint, FILES_AN_EVENT) if one.path in digests]
        files = [msgspec.structs.replace(one, sha256=digests[one.path]) for one in present]
        merged = lake_files.replaced_and_told(tx, endpoint)
        if not files:
            return 0
        audit.append(tx, ACTION, subject=f"segments:{endpoint}", by=BY, at=now, detail=_told(files, merged))
        lake_files.mark_told(tx, files, merged, now)
        return len(files)

    return ground.database.write(write)


def verify(ground: Ground) -> SegmentsVerified:
    """Read every file that the log tells of and name the first that is gone, or is not what it was."""
    expected, untold = ground.database.read(lambda tx: (_expected(tx), lake_files.untold_count(tx)))
    rows = 0
    for number, (path, file) in enumerate(sorted(expected.items())):
        problem = _problem(ground, file)
        if problem and path in ground.database.read(_expected):  # else it was merged meanwhile, and told of
            return SegmentsVerified(files=number, rows=rows, untold=untold, first_bad=path, problem=problem)
        rows += file["rows"]
    strange = ground.database.read(lambda tx: sorted(set(lake_files.all_told(tx)) - set(_expected(tx))))
    return SegmentsVerified(
        files=len(expected),
        rows=rows,
        untold=untold,
        first_bad=strange[0] if strange else None,
        problem="it is registered as told of, but no event tells of it" if strange else "",
    )


def _told(files: Iterable[LakeFile], merged: Iterable[LakeFile]) -> dict[str, Any]:
    files = list(files)
    rows: Counter[str] = Counter()
    for one in files:
        rows[one.kind] += one.row_count
    return {
        "rows": dict(rows),
        "from_at": min(one.first_event_at for one in files),
        "until_at": max(one.last_event_at for one in files),
        "files": [{"path": one.path, "rows": one.row_count, "sha256": one.sha256} for one in files],
        "replaces": [{"path": one.path, "sha256": one.sha256} for one in merged],
    }


def _expected(tx: Transaction) -> dict[str, dict[str, Any]]:
    """The files that the log tells of and that nothing has replaced, by path, as the log tells of them."""
    files: dict[str, dict[str, Any]] = {}
    for event in audit.of_actions(tx, [ACTION], FOREVER):
        for gone in event.detail["replaces"]:
            files.pop(gone["path"], None)
        files |= {file["path"]: file for file in event.detail["files"]}
    return files


def _problem(ground: Ground, file: dict[str, Any]) -> str:
    """What is wrong with a file that the log tells of; empty when nothing is."""
    try:
        digest = _sha256(_path(ground, file["path"]))
    except OSError:
        return f"it is gone, or cannot be read; the log tells of {file['rows']} rows in it"
    if digest != file["sha256"]:
        return f"its content was changed: the log tells of SHA-256 {file['sha256']}, it has {digest}"
    return ""


def _path(ground: Ground, path: str) -> Path:
    return ground.settings.folder / "lake" / path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
