"""Removing compiled forms and environments that nobody needs any more: their versions are deleted or retired.

First the rows, with one audit event, then the files: whatever breaks off leaves files that no row names, which the next
call finds. A version that is compiled or released anew meanwhile has its form and environment made again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from tenure.build import deleted
from tenure.records.base import DAY_US, Instant
from tenure.records.leftovers import Cleared, Clearing, Leftover, LeftoverKind, Leftovers
from tenure.serving.processes import environment_folder
from tenure.store import audit
from tenure.store import leftovers as stored
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.store.leftovers import Made
from tenure.store.roots import FORMS_FOLDER

YOUNG_US = DAY_US
"""What no row tells of stays so long, whatever is asked: it may be about to be told of."""


def of(ground: Ground, *, older_than_s: float | None, now: Instant) -> Leftovers:
    """What may go: every version it was made for was deleted or retired by then, or no row tells of it any more."""
    due = deleted.due_ms(ground, older_than_s, now)
    forms, environments = ground.database.read(lambda tx: (stored.forms(tx), stored.environments(tx)))
    return _of(ground, forms, environments, due, now)


def remove(ground: Ground, asked: Clearing, *, by: str, now: Instant) -> Cleared:
    """Remove those of these that may go still. Writes one audit event."""
    wanted = set(asked.digests)
    due = of(ground, older_than_s=asked.older_than_s, now=now).items
    found = ground.database.write(lambda tx: _forget(tx, [one for one in due if one.digest in wanted], by=by, now=now))
    for one in found:
        _remove_files(ground, one)
    return Cleared(
        forms=sum(one.kind == "form" for one in found),
        environments=sum(one.kind == "environment" for one in found),
        files=sum(one.files for one in found),
        bytes=sum(one.bytes for one in found),
    )


def _forget(tx: Transaction, found: list[Leftover], *, by: str, now: Instant) -> list[Leftover]:
    """Drop the rows of what is still not needed, and tell the audit log of it."""
    forms, environments = stored.forms(tx), stored.environments(tx)
    needed = {(kind, one.digest) for kind, made in (("form", forms), ("environment", environments)) for one in made
              if one.ended_ms is None}  # fmt: skip
    gone = [one for one in found if (one.kind, one.digest) not in needed]
    digests = {kind: {one.digest for one in gone if one.kind == kind} for kind in ("form", "environment")}
    for made in forms:
        if made.digest in digests["form"]:
            stored.forget_form(tx, made)
    stored.forget_environments(tx, digests["environment"])
    if gone:
        counts = {f"{kind}s": len(each) for kind, each in digests.items()}
        told = {"bytes": sum(one.bytes for one in gone), "digest": deleted.digest_of(one.digest for one in gone)}
        audit.append(tx, "leftovers.removed", subject="leftovers", by=by, at=now, detail={**counts, **told})
    return gone


def _of(ground: Ground, forms: list[Made], environments: list[Made], due_ms: int, now: Instant) -> Leftovers:
    items, later = [], 0
    places = [("form", digest, forms) for digest in _form_digests(ground)]
    places += [("environment", digest, environments) for digest in _environment_digests(ground.settings.folder)]
    for kind, digest, made in places:
        versions = [one for one in made if one.digest == digest]
        ended = [one.ended_ms for one in versions]
        if None in ended:
            continue
        leftover = _described(ground, kind, digest, versions)  # type: ignore[arg-type]  # one of the two above
        since = max((one for one in ended if one is not None), default=0)
        if since > due_ms if versions else leftover.changed_at > now - YOUNG_US:
            later += 1
        else:
            items.append(leftover)
    return Leftovers(items=items, later=later)


def _described(ground: Ground, kind: LeftoverKind, digest: str, versions: list[Made]) -> Leftover:
    sizes = [*_stored_files(ground, digest)] if kind == "form" else []
    for place in _places(ground, kind, digest):
        sizes += _files(place)
    return Leftover(
        kind=kind,
        digest=digest,
        versions=sorted(f"{one.model}/{one.version}" for one in versions),
        why="deleted or retired" if versions else "no version tells of it",
        files=len(sizes),
        bytes=sum(size for size, _ in sizes),
        changed_at=max((at for _, at in sizes), default=0),
    )


def _form_digests(ground: Ground) -> list[str]:
    return [folder.rsplit("/", 1)[-1] for folder in ground.artifacts.level(FORMS_FOLDER)[0]]


def _environment_digests(folder: Path) -> list[str]:
    """Environments by their locks and by what was made from these; drafts and uv's cache are none."""
    root = environment_folder(folder, "")
    found = {path.name.removesuffix(".json") for path in root.glob("*") if path.is_dir() or path.suffix == ".json"}
    return sorted(name for name in found if not name.startswith("."))


def _places(ground: Ground, kind: LeftoverKind, digest: str) -> list[Path]:
    """What there is of it in the data folder; a form's copy is the gateway's."""
    folder = ground.settings.folder
    if kind == "form":
        return [folder / "models" / digest]
    made = environment_folder(folder, digest)
    return [made, *(made.with_suffix(ending) for ending in (".json", ".making"))]


def _stored_files(ground: Ground, digest: str) -> Iterable[tuple[int, int]]:
    return [(file.size_bytes, file.changed_at) for file in ground.artifacts.files(f"{FORMS_FOLDER}/{digest}")]


def _files(place: Path) -> list[tuple[int, int]]:
    """Size and time of change (µs) of each file; what goes meanwhile is not there."""
    found: dict[int, tuple[int, int]] = {}
    for path in (place, *place.rglob("*")) if place.exists() else ():
        if not path.is_dir() and not path.is_symlink():
            about = path.stat()
            found[about.st_ino] = about.st_size, about.st_mtime_ns // 1000
    return list(found.values())


def _remove_files(ground: Ground, one: Leftover) -> None:
    if one.kind == "form":
        ground.artifacts.delete([file.key for file in ground.artifacts.files(f"{FORMS_FOLDER}/{one.digest}")])
    for place in _places(ground, one.kind, one.digest):
        if place.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)
