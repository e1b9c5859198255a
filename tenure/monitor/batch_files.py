"""The files of a batch: parts beside the lake, what a process in limits sees in them, and their way into the lake."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from tenure.errors import InvalidInput, TooMany
from tenure.records.base import moment_of
from tenure.records.batches import BatchInfo, BatchPart, PartAsked, PartsAsked, PartSeen
from tenure.serving.routing import unwritten
from tenure.store import confined
from tenure.store.ground import Ground
from tenure.store.lake_files import LakeFile

SPARE_BYTES = 1024 * 1024
processes = confined.Processes(
    (sys.executable, "-m", "tenure.monitor.part_reader"), at_once=1, turn_s=60.0, wall_s=1800.0
)
"""Of this process."""


class Draft:
    """A part while it comes: a file of its own beside the parts, with its size and digest so far.

    Raises Unavailable when the disk refuses it. Closed before it is kept, it leaves nothing behind.
    """

    def __init__(self, folder: Path, first_row: int) -> None:
        self.size_bytes = 0
        self._digest = hashlib.sha256()
        self._folder = folder
        self._path = folder / f".{first_row}.{secrets.token_hex(8)}"
        with _told(self._path):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("wb")

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, content: bytes) -> None:
        """Add what came next."""
        self.size_bytes += len(content)
        self._digest.update(content)
        with _told(self._path):
            self._file.write(content)

    def keep(self, part: BatchPart) -> None:
        """Put it in the part's place, whatever was there."""
        with _told(self._path):
            self._file.close()
            self._path.replace(self._folder / name_of(part))

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise unwritten(path.name, problem) from None


def looked_into(ground: Ground, batch: BatchInfo, parts: Sequence[BatchPart]) -> list[PartSeen]:
    """What each part holds. Raises InvalidInput for one that is not what it must be."""
    held = {part.first_row: known(ground, batch.batch_id, part) for part in parts}
    fresh = [part for part in parts if held[part.first_row] is None]
    held |= {part.first_row: one for part, one in zip(fresh, looked_at(ground, batch, fresh), strict=True)}
    found = []
    for part in parts:
        seen = held[part.first_row]
        assert seen is not None
        if seen.problem:
            raise InvalidInput(f"The part from row {part.first_row} on is not what it must be: {seen.problem}.")
        found.append(seen)
    return found


def known(ground: Ground, batch_id: str, part: BatchPart) -> PartSeen | None:
    """What was seen in exactly these bytes before."""
    try:
        sha256, seen = msgspec.json.decode(note(ground, batch_id, part).read_bytes(), type=tuple[str, PartSeen])
    except (OSError, msgspec.DecodeError):
        return None
    return seen if sha256 == part.sha256 else None


def note(ground: Ground, batch_id: str, part: BatchPart) -> Path:
    return folder(ground, batch_id) / f"{part.first_row}.json"


def looked_at(ground: Ground, batch: BatchInfo, parts: Sequence[BatchPart]) -> list[PartSeen]:
    """What each part holds, by a process in limits."""
    if not parts:
        return []
    paths = [_there(ground, batch, part) for part in parts]
    wanted = [
        PartAsked(path=str(path), first_row=one.first_row, until_row=one.until_row, rows=one.rows)
        for path, one in zip(paths, parts, strict=True)
    ]
    asked = PartsAsked(batch_id=batch.batch_id, parts=wanted, said=_said(batch))
    try:
        told = processes.answer(msgspec.json.encode(asked), b"", most_bytes=len(parts) * 65_536 + SPARE_BYTES)
        seen = msgspec.json.decode(told, type=list[PartSeen])
    except confined.Busy:
        raise TooMany("Another batch is being looked into. Try again in a minute.") from None
    except (confined.Failed, msgspec.DecodeError) as failure:
        raise InvalidInput(f"The parts could not be read: {failure}.") from None
    if len(seen) != len(parts):
        raise InvalidInput("The parts could not be read: what reads them said too little.")
    return seen


def _said(batch: BatchInfo) -> dict[str, str | int | None]:
    terms = batch.admitted
    return {
        "release_id": batch.release_id,
        "model": batch.model,
        "version": batch.version,
        "role": "champion",
        "caller": batch.opened_by,
        "batch": batch.batch_id,
        "latency_us": None,
        "file_revision": terms.revision if terms else None,
        "jurisdiction": (terms.jurisdiction or None) if terms else None,
        "purpose": (terms.purpose or None) if terms else None,
        "channel": (terms.channel or None) if terms else None,
    }


def moved(
    ground: Ground, batch: BatchInfo, parts: Sequence[BatchPart], seen: Sequence[PartSeen]
) -> tuple[list[LakeFile], set[int]]:
    """Move the parts to where the lake has its files. Whatever breaks off here is found there the next time."""
    files, hours = [], set()
    for part, one in zip(parts, seen, strict=True):
        path = _lake_path(batch, part)
        source, target = folder(ground, batch.batch_id) / name_of(part), _lake_root(ground) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.exists():
            source.replace(target)
        files.append(
            LakeFile(
                path=path,
                kind="predictions",
                endpoint=batch.endpoint,
                row_count=part.rows,
                first_event_at=one.first_event_at,
                last_event_at=one.last_event_at,
                first_id=one.first_id,
                last_id=one.last_id,
                sha256=part.sha256,
            )
        )
        hours |= set(one.hours)
    return files, hours


def _there(ground: Ground, batch: BatchInfo, part: BatchPart) -> Path:
    staged = folder(ground, batch.batch_id) / name_of(part)
    moved = _lake_root(ground) / _lake_path(batch, part)
    path = staged if staged.exists() else moved
    if not path.exists():
        raise InvalidInput(f"The part from row {part.first_row} on is gone from the server. Start the batch anew.")
    return path


def _lake_path(batch: BatchInfo, part: BatchPart) -> str:
    """By the day that the batch was opened on: the column `event_at` decides, never the folder."""
    date = moment_of(batch.opened_at).date().isoformat()
    return f"predictions/endpoint={batch.endpoint}/date={date}/batch-{batch.batch_id}-{part.first_row}.parquet"


def _lake_root(ground: Ground) -> Path:
    return ground.settings.folder / "lake"


def name_of(part: BatchPart) -> str:
    return f"{part.first_row}.parquet"


def folder(ground: Ground, batch_id: str) -> Path:
    return ground.settings.folder / "batches" / batch_id
