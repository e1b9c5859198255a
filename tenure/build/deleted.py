"""Removing for good what was deleted and whose retention is over, with its files; and files that nothing owns.

The order makes every break-off harmless: a mark that hides the row and that no restore takes back (audited, in one
transaction), then the files, then the rows in short transactions. What broke off is still marked, and the next call
finishes it. Two calls at once do the same work twice and nothing else.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

from tenure.build import experiments as known_experiments
from tenure.build.imports import FILED_APART
from tenure.errors import NotFound
from tenure.records.base import DAY_US, Instant
from tenure.records.deleted import DeletedKind, Held, Orphan, Orphans, Removable, Removables, Removal, Removed, Swept
from tenure.store import audit, deleted, experiments, runs
from tenure.store.artifacts import ArtifactStore, FileInfo
from tenure.store.database import Transaction
from tenure.store.deleted import DeletedRow
from tenure.store.ground import Ground
from tenure.store.roots import Opened

PAGE = 100
POINTS_A_TRANSACTION = 20_000
POINTS_A_REQUEST = 400_000
"""A request ends after so many metric points, so that its answer comes in seconds."""
FILES_AT_ONCE = 500
YOUNG_US = DAY_US
RUN_ID = re.compile(r"[0-9a-f]{32}")
MODEL_ID = re.compile(r"m-[0-9a-f]{32}")
EVIDENCE = "a change, an evaluation of a gate, a card or a retraining refers to it"


def due_ms(ground: Ground, older_than_s: float | None, now: Instant) -> int:
    """What was deleted by then (ms) is due: by the retention that is set, unless another one is asked for."""
    kept_s = ground.settings.deleted_retention_days * 86_400 if older_than_s is None else older_than_s
    return int(now // 1000 - kept_s * 1000)


def removables(
    ground: Ground,
    kind: DeletedKind,
    *,
    due: int,
    after: str = "",
    experiment: str | None = None,
    ids: Sequence[str] = (),
) -> Removables:
    """A page of what is due, with the files of each; and what is due too, but held, with the reason."""
    if kind == "experiment":
        return ground.database.read(lambda tx: _experiments(tx, due, experiment))
    select = deleted.runs if kind == "run" else deleted.logged_models

    def of_rows(tx: Transaction) -> tuple[list[DeletedRow], list[Held], dict[str, int], int]:
        number = _number(tx, experiment)
        rows = select(tx, due, after, PAGE, number, ids)
        points = deleted.points(tx, [row.id for row in rows]) if kind == "run" else {}
        return rows, _held(tx, kind, rows, deleted.evidence(tx)), points, deleted.later(tx, due) if not after else 0

    rows, held, points, later = ground.database.read(of_rows)
    stay = {one.id for one in held}
    items = [_removable(ground, kind, row, points.get(row.id, 0)) for row in rows if row.id not in stay]
    return Removables(items=items, held=held, after=rows[-1].id if len(rows) == PAGE else None, later=later)


def _removable(ground: Ground, kind: DeletedKind, row: DeletedRow, points: int) -> Removable:
    folder = own_folder(ground.opened(row.location), row.id)
    files = folder.store.files(folder.key) if folder else []
    return Removable(
        kind=kind,
        id=row.id,
        name=row.name,
        experiment_id=str(row.experiment_id),
        deleted_at=row.deleted_ms * 1000,
        points=points,
        files=len(files),
        bytes=sum(file.size_bytes for file in files),
        location=row.location,
        reached=folder is not None or not row.location,
        unfinished=row.stage == runs.GONE,
    )


def own_folder(opened: Opened | None, identifier: str) -> Opened | None:
    """The folder that is named after a run or model. Where its location names another place, nothing is removed."""
    parts = opened.key.split("/") if opened else []
    if opened is None or identifier not in parts:
        return None
    return Opened(opened.store, "/".join(parts[: parts.index(identifier) + 1]))


def _held(tx: Transaction, kind: DeletedKind, rows: Sequence[DeletedRow], evidence: frozenset[str]) -> list[Held]:
    fresh = [row for row in rows if row.stage != runs.GONE]
    pinned = deleted.pinned(tx, kind, fresh)
    found = []
    for row in fresh:
        why = f"version {pinned[row.id]} needs it" if row.id in pinned else EVIDENCE if row.id in evidence else ""
        if why:
            found.append(Held(kind=kind, id=row.id, name=row.name, why=why))
    return found


def _experiments(tx: Transaction, due: int, experiment: str | None) -> Removables:
    """Deleted experiments; those that still hold something that stays are held too."""
    items, held = [], []
    evidence = deleted.evidence(tx)
    for number, name, at in deleted.experiments(tx, due, _number(tx, experiment)):
        identifier = str(number)
        why = _why_experiment_stays(tx, number, due, evidence)
        if why:
            held.append(Held(kind="experiment", id=identifier, name=name, why=why))
        else:
            items.append(
                Removable(kind="experiment", id=identifier, name=name, experiment_id=identifier, deleted_at=at * 1000)
            )
    return Removables(items=items, held=held)


def _why_experiment_stays(tx: Transaction, number: int, due: int, evidence: frozenset[str]) -> str:
    if number == known_experiments.DEFAULT_ID:
        return "the default experiment is always there"
    for kind, select in (("run", deleted.runs), ("logged_model", deleted.logged_models)):
        after = ""
        while rows := select(tx, due, after, PAGE, number, ()):
            held = _held(tx, kind, rows, evidence)  # type: ignore[arg-type]  # one of the two above
            if held:
                return f"it holds the {kind.replace('_', ' ')} {held[0].id}, which stays: {held[0].why}"
            after = rows[-1].id
    young = deleted.young(tx, number, due)
    return f"it holds {young} runs or logged models that are not due" if young else ""


def remove(ground: Ground, asked: Removal, *, by: str, now: Instant) -> Removed:
    """Remove these for good, as far as they are due and nothing holds them. Writes one audit event, with its marks."""
    due = due_ms(ground, asked.older_than_s, now)
    if asked.kind == "experiment":
        return _remove_experiments(ground, asked.ids, due, by=by, now=now)
    select = deleted.runs if asked.kind == "run" else deleted.logged_models
    if not asked.ids:
        return Removed(done=[], unfinished=[], held=[])

    def marked(tx: Transaction) -> tuple[list[DeletedRow], list[Held]]:
        rows = select(tx, due, "", len(asked.ids), None, asked.ids)
        held = _held(tx, asked.kind, rows, deleted.evidence(tx))
        stay = {one.id for one in held}
        newly = deleted.mark(tx, asked.kind, [row.id for row in rows if row.id not in stay], due)
        if newly:
            deleted.forget(tx, asked.kind, newly)
            detail = {"kind": asked.kind, "count": len(newly), "digest": digest_of(newly), "deleted_by_ms": due}
            audit.append(tx, "deleted.removed", subject=f"deleted:{asked.kind}", by=by, at=now, detail=detail)
        held += _no_longer_due(tx, asked, {row.id for row in rows})
        return [row for row in select(tx, due, "", len(asked.ids), None, asked.ids) if row.stage == runs.GONE], held

    rows, held = ground.database.write(marked)
    again = ground.database.read(lambda tx: deleted.pinned(tx, asked.kind, rows))
    if again:  # a version was registered while we marked: it wins
        ground.database.write(lambda tx: deleted.unmark(tx, asked.kind, list(again)))
        held += [
            Held(kind=asked.kind, id=row.id, name=row.name, why=f"version {again[row.id]} needs it")
            for row in rows
            if row.id in again
        ]
    return _finish(ground, asked.kind, [row for row in rows if row.id not in again], held)


def _no_longer_due(tx: Transaction, asked: Removal, due: set[str]) -> list[Held]:
    """What was asked for and is not due: restored meanwhile, as a rule. What another call removed is no news."""
    rest = [one for one in asked.ids if one not in due]
    there = deleted.owners(tx, asked.kind, rest)
    return [
        Held(kind=asked.kind, id=one, name="", why="it was restored, or deleted again too recently")
        for one in rest
        if one in there
    ]


def tell_files(tx: Transaction, place: str, keys: Sequence[str], *, by: str, now: Instant) -> None:
    """Say in the audit log that somebody deletes files below a place, before they go."""
    detail = {"files": len(keys), "digest": digest_of(keys)}
    audit.append(tx, "artifacts.deleted", subject=f"artifacts:{place}", by=by, at=now, detail=detail)


def digest_of(ids: Iterable[str]) -> str:
    """SHA-256 over ids, sorted, a line each."""
    return hashlib.sha256("".join(f"{one}\n" for one in sorted(ids)).encode()).hexdigest()


def _finish(ground: Ground, kind: DeletedKind, rows: Sequence[DeletedRow], held: list[Held]) -> Removed:
    """Files first, then rows: what has no row any more has no files either."""
    done: list[str] = []
    files = size = points = 0
    for row in rows:
        if points >= POINTS_A_REQUEST:
            break
        folder = own_folder(ground.opened(row.location), row.id)
        if folder is not None:
            removed = _remove_files(folder.store, folder.store.files(folder.key))
            files, size = files + removed[0], size + removed[1]
        if kind == "run":
            count, whole = _remove_points(ground, row.id, POINTS_A_REQUEST - points)
            points += count
            if not whole:
                break
        remove_row = deleted.remove_run if kind == "run" else deleted.remove_logged_model
        ground.database.write(lambda tx, one=row.id, remove_row=remove_row: remove_row(tx, one))  # type: ignore[misc]
        done.append(row.id)
    left = [row.id for row in rows if row.id not in set(done)]
    return Removed(done=done, unfinished=left, held=held, points=points, files=files, bytes=size)


def _remove_points(ground: Ground, run_id: str, limit: int) -> tuple[int, bool]:
    """Remove points of a run in short transactions: how many, and whether none is left."""
    count = 0
    while count < limit:
        step = ground.database.write(lambda tx: deleted.remove_points(tx, run_id, POINTS_A_TRANSACTION))
        count += step
        if step < POINTS_A_TRANSACTION:
            return count, True
    return count, False


def _remove_files(store: ArtifactStore, files: Sequence[FileInfo]) -> tuple[int, int]:
    for start in range(0, len(files), FILES_AT_ONCE):
        store.delete([file.key for file in files[start : start + FILES_AT_ONCE]])
    return len(files), sum(file.size_bytes for file in files)


def _remove_experiments(ground: Ground, ids: Sequence[str], due: int, *, by: str, now: Instant) -> Removed:
    """Experiments go last, when nothing is left in them; their names are free from then on."""

    def removed(tx: Transaction) -> list[str]:
        numbers = [known_experiments.parse_id(one) for one in ids]
        gone = [
            str(number)
            for number in numbers
            if number != known_experiments.DEFAULT_ID and deleted.remove_experiment(tx, number, due)
        ]
        if gone:
            deleted.forget(tx, "experiment", gone)
            detail = {"kind": "experiment", "count": len(gone), "digest": digest_of(gone), "deleted_by_ms": due}
            audit.append(tx, "deleted.removed", subject="deleted:experiment", by=by, at=now, detail=detail)
        return gone

    done = ground.database.write(removed)
    return Removed(done=done, unfinished=[one for one in ids if one not in set(done)], held=[])


def _number(tx: Transaction, experiment: str | None) -> int | None:
    """An experiment's number, from its name or its id."""
    if experiment is None:
        return None
    found = experiments.get_by_name(tx, experiment)
    if found is None and experiment.isascii() and experiment.isdigit():
        found = experiments.get(tx, known_experiments.parse_id(experiment))
    if found is None:
        raise NotFound(f"There is no experiment {experiment!r}, neither by name nor by id.", where="experiment")
    return int(found.experiment_id)


# --- files that nothing owns ---


def orphans(ground: Ground, *, after: str = "", now: Instant) -> Orphans:
    """A page of folders below `mlflow-artifacts:/` that carry an id which no row has, and did not change for a day."""
    store = ground.artifacts
    found, young = [], 0
    candidates = [folder for folder in _candidates(ground) if folder > after]
    page = candidates[: PAGE * 10]
    for folder in _unowned(ground, page):
        files = store.files(folder)
        if not files:
            continue
        changed_at = max(file.changed_at for file in files)
        if changed_at > now - YOUNG_US:
            young += 1
            continue
        size = sum(file.size_bytes for file in files)
        found.append(Orphan(folder=folder, files=len(files), bytes=size, changed_at=changed_at))
    return Orphans(items=found, young=young, after=page[-1] if len(page) < len(candidates) else None)


def sweep(ground: Ground, folders: Sequence[str], *, by: str, now: Instant) -> Swept:
    """Remove those of these folders that are orphans still, and drafts of uploads that broke off. One audit event."""
    ground.artifacts.sweep()
    known = set(_candidates(ground))
    mine = _unowned(ground, [folder for folder in folders if folder in known])
    files = size = 0
    swept = []
    for folder in mine:
        inside = ground.artifacts.files(folder)
        if not inside or max(file.changed_at for file in inside) > now - YOUNG_US:
            continue
        removed = _remove_files(ground.artifacts, inside)
        files, size = files + removed[0], size + removed[1]
        swept.append(folder)
    if swept:
        detail = {"folders": len(swept), "files": files, "bytes": size, "digest": digest_of(swept)}
        ground.database.write(
            lambda tx: audit.append(tx, "orphans.swept", subject="orphans", by=by, at=now, detail=detail)
        )
    return Swept(folders=len(swept), files=files, bytes=size)


def _candidates(ground: Ground) -> list[str]:
    """Folders that are named after a run, a logged model or a version, wherever experiments keep them."""
    store = ground.artifacts
    bases = {folder for folder in store.level("")[0] if folder.isdigit()}
    for location in ground.database.read(deleted.experiment_locations):
        opened = ground.opened(location)
        if opened is not None and opened.store is store and opened.key:
            bases.add(opened.key)
    found = set()
    for base in bases:
        for folder in store.level(base)[0]:
            if RUN_ID.fullmatch(_name(folder)):
                found.add(folder)
        found |= {folder for folder in store.level(f"{base}/models")[0] if MODEL_ID.fullmatch(_name(folder))}
    for model in store.level(FILED_APART)[0]:
        found |= {folder for folder in store.level(model)[0] if _name(folder).isdigit()}
    return sorted(found)


def _unowned(ground: Ground, folders: Sequence[str]) -> list[str]:
    """Those that no row knows and below which no registered version keeps its files."""

    def of_rows(tx: Transaction) -> list[str]:
        names = [_name(folder) for folder in folders]
        owned = deleted.owners(tx, "run", [name for name in names if RUN_ID.fullmatch(name)])
        owned |= deleted.owners(tx, "logged_model", [name for name in names if MODEL_ID.fullmatch(name)])
        return [
            folder
            for folder, name in zip(folders, names, strict=True)
            if name not in owned and not deleted.lies_there(tx, ground.roots.spellings(ground.artifacts, folder))
        ]

    return ground.database.read(of_rows)


def _name(folder: str) -> str:
    return folder.rsplit("/", 1)[-1]
