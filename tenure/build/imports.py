"""Moving in: what another server has, taken up under its own ids. Doing any of it again changes nothing.

Where files lie here is decided here: a run's below its experiment, a logged model's beside them, and those of a version
that belongs to neither in a folder of their own. Until the files of an item have arrived, its location stays as the
source recorded it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from tenure.build import limits, locations
from tenure.errors import Conflict, InvalidInput, NotFound
from tenure.records.base import Instant
from tenure.records.imports import (
    Asked,
    Counts,
    ExperimentSent,
    ExperimentTaken,
    ImportEnded,
    ItemDone,
    Kind,
    LoggedModelSent,
    NewImport,
    Page,
    PointsSent,
    Refused,
    RegisteredModelSent,
    RunSent,
    Taken,
    VersionSent,
)
from tenure.records.registry import Pinned
from tenure.store import audit, bulk, datasets, experiments, imports, model_versions, registered_models, runs
from tenure.store.database import Database, Transaction
from tenure.store.roots import Opened, Roots

LARGEST_KEPT_ID = 10**9
"""Experiments with greater ids get another one, so that the counter of ids has room."""
MOST_POINTS = 20_000
PAGE = 5_000
FILED = ("run", "logged_model")
FILED_APART = "registered"
"""Where files lie that belong to a version and to no run or logged model."""


def begin(tx: Transaction, new: NewImport, *, by: str, now: Instant) -> str:
    """Note that an import begins, and name its source. Writes one audit event."""
    source = source_of(new.address)
    detail = {"address": new.address, **new.detail}
    audit.append(tx, "import.begun", subject=f"import:{source}", by=by, at=now, detail=detail)
    return source


def source_of(address: str) -> str:
    """A short name of a source: the beginning of the SHA-256 of its address.

    >>> source_of("http://127.0.0.1:5000")
    'b8dabf5f6bc0577c'
    """
    return hashlib.sha256(address.encode()).hexdigest()[:16]


def end(tx: Transaction, source: str, ended: ImportEnded, *, by: str, now: Instant) -> None:
    """Note how an import ended. Writes one audit event, with counts and a digest of what was compared."""
    detail = msgspec.to_builtins(ended)
    audit.append(tx, "import.ended", subject=f"import:{source}", by=by, at=now, detail=detail)


def known(tx: Transaction, source: str, kind: Kind, after: str) -> Page:
    """What was begun or done before, a page at a time."""
    items = imports.known(tx, source, kind, after, PAGE)
    return Page(items=items, after=items[-1].source_id if len(items) == PAGE else None)


def take_experiments(
    tx: Transaction, source: str, sent: Sequence[ExperimentSent], *, now: Instant
) -> list[ExperimentTaken]:
    """Take experiments: each keeps its id where that is free; one of a name that is here is the one that is here."""
    before = imports.targets(tx, source, "experiment", [one.source_id for one in sent])
    taken = [_take_experiment(tx, one, before.get(one.source_id)) for one in sent]
    imports.begin(tx, source, "experiment", [(one.source_id, one.target_id) for one in taken], now)
    pairs = [(int(one.target_id), told.tags) for one, told in zip(taken, sent, strict=True)]
    bulk.put_pairs(tx, "experiment_tags", "experiment_id", pairs)
    return taken


def _take_experiment(tx: Transaction, sent: ExperimentSent, before: str | None) -> ExperimentTaken:
    here = experiments.get(tx, int(before)) if before is not None else None
    if here is not None:  # of an earlier import: follow what changed at the source
        free = sent.name != here.name and experiments.get_by_name(tx, sent.name) is None
        stage = sent.lifecycle_stage if here.lifecycle_stage != sent.lifecycle_stage else None
        if free or stage:
            name = sent.name if free else None
            experiments.update(tx, int(here.experiment_id), sent.last_update_time, name=name, stage=stage)
        kept = here.experiment_id == sent.source_id
        return ExperimentTaken(source_id=sent.source_id, target_id=here.experiment_id, how="kept" if kept else "mapped")
    same = experiments.get_by_name(tx, sent.name)
    if same is not None:
        if same.lifecycle_stage != "active" and sent.lifecycle_stage == "active":
            raise Conflict(
                f"The experiment {sent.name!r} is here already, and is deleted (id {same.experiment_id}). Restore it "
                "to have the two joined, or remove it for good with `tenure admin gc`; then import again."
            )
        return ExperimentTaken(source_id=sent.source_id, target_id=same.experiment_id, how="same name")
    wanted = _free_id(tx, sent.source_id)
    number = bulk.add_experiment(tx, sent, wanted, locations.ROOT)
    return ExperimentTaken(source_id=sent.source_id, target_id=str(number), how="mapped" if wanted is None else "kept")


def _free_id(tx: Transaction, identifier: str) -> int | None:
    """The source's id as a number, if it is one of a reasonable size that is free here."""
    if not (identifier.isascii() and identifier.isdigit()) or int(identifier[:12]) > LARGEST_KEPT_ID:
        return None
    return None if experiments.stage_of(tx, int(identifier)) else int(identifier)


def take_runs(tx: Transaction, source: str, sent: Sequence[RunSent], *, now: Instant) -> Taken:
    """Take runs with params, tags, and what they read and made. The answer tells where the files of each belong."""
    found = _experiments(tx, source, sent)
    good = [(run, found[run.experiment_id]) for run in sent if run.experiment_id in found]
    bulk.put_runs(tx, good, now // 1000)
    bulk.put_pairs(tx, "params", "run_id", ((run.run_id, run.params) for run, _ in good))
    bulk.put_pairs(tx, "tags", "run_id", ((run.run_id, run.tags) for run, _ in good))
    for run, experiment_id in good:
        for given in run.datasets:
            datasets.add_input(tx, run.run_id, datasets.add(tx, experiment_id, given.dataset), given.tags)
        datasets.add_models(tx, run.run_id, "input", [(one.model_id, one.step) for one in run.models_read])
        datasets.add_models(tx, run.run_id, "output", [(one.model_id, one.step) for one in run.models_made])
    imports.begin(tx, source, "run", [(run.run_id, run.run_id) for run, _ in good], now)
    # A run that was here before the import may belong to another experiment: its files go where it stands.
    placed = imports.experiments_of(tx, "run", [run.run_id for run, _ in good])
    taken = {run_id: run_location(experiment_id, run_id) for run_id, experiment_id in placed.items()}
    return Taken(taken=taken, refused=_strangers(sent, [run.run_id for run, _ in good]))


def run_location(experiment_id: int, run_id: str) -> str:
    return locations.below(locations.ROOT, str(experiment_id), run_id, "artifacts")


def model_location(experiment_id: int, model_id: str) -> str:
    return locations.below(locations.ROOT, str(experiment_id), "models", model_id, "artifacts")


def take_points(tx: Transaction, sent: PointsSent) -> int:
    """Store points of runs that are here, at most MOST_POINTS, and return how many were sent."""
    lengths = {len(column) for one in sent.series for column in (one.values, one.timestamps, one.steps)}
    for place, one in enumerate(sent.series):
        if not len(one.values) == len(one.timestamps) == len(one.steps):
            raise InvalidInput(
                "The columns values, timestamps and steps must be of one length. "
                f"Got {len(one.values)}, {len(one.timestamps)} and {len(one.steps)}.",
                where=f"series[{place}]",
            )
    total = sum(len(one.values) for one in sent.series)
    if total > MOST_POINTS or (lengths and max(lengths) > MOST_POINTS):
        raise InvalidInput(f"One request may hold at most {MOST_POINTS} points. Got {total}. Split it.")
    for run_id in dict.fromkeys(one.run_id for one in sent.series):
        if runs.stage_of(tx, run_id) is None:
            raise NotFound(f"Run with id={run_id} not found. Send the run before its points.")
    bulk.add_series(tx, sent.series)
    return total


def take_logged_models(tx: Transaction, source: str, sent: Sequence[LoggedModelSent], *, now: Instant) -> Taken:
    """Take logged models. The answer tells where the files of each belong."""
    found = _experiments(tx, source, sent)
    good = [(one, found[one.experiment_id]) for one in sent if one.experiment_id in found]
    bulk.put_logged_models(tx, good)
    imports.begin(tx, source, "logged_model", [(one.model_id, one.model_id) for one, _ in good], now)
    placed = imports.experiments_of(tx, "logged_model", [one.model_id for one, _ in good])
    taken = {model_id: model_location(experiment_id, model_id) for model_id, experiment_id in placed.items()}
    return Taken(taken=taken, refused=_strangers(sent, [one.model_id for one, _ in good]))


def take_registered_models(
    tx: Transaction, source: str, sent: Sequence[RegisteredModelSent], *, by: str, now: Instant
) -> Taken:
    """Take registered models; one of a name that is here is the one that is here. One audit event for each new one."""
    taken: dict[str, str] = {}
    refused: list[Refused] = []
    for one in sent:
        try:
            limits.check_model_name(one.name)
        except InvalidInput as problem:
            refused.append(Refused(source_id=one.name, why=problem.message))
            continue
        if bulk.add_registered_model(tx, one):
            detail = {"imported_from": source}
            audit.append(tx, "model.created", subject=one.name, by=by, at=now, detail=detail)
        bulk.put_pairs(tx, "registered_model_tags", "name", [(one.name, one.tags)])
        taken[one.name] = one.name
    imports.begin(tx, source, "registered_model", taken.items(), now)
    return Taken(taken=taken, refused=refused)


def storage_of(tx: Transaction, sent: VersionSent) -> str | None:
    """Where a version's files lie here: below its run or logged model as that lies now, or where the client says."""
    owner = sent.run_id if sent.below == "run" else sent.model_id if sent.below == "logged_model" else None
    if sent.below is None or owner is None:
        return sent.storage_location
    root = imports.locations(tx, sent.below, [owner]).get(owner)
    if root is None:
        raise NotFound(f"Version {sent.version} of {sent.name!r} belongs to {owner}, which is not here. Send it first.")
    return locations.below(root, sent.path) if sent.path else root


def take_version(tx: Transaction, source: str, sent: VersionSent, pinned: Pinned, *, by: str, now: Instant) -> None:
    """Take a version under its own number. Writes one audit event.

    Raises Conflict when another version of that number is here.
    """
    subject = f"{sent.name}/{sent.version}"
    here = model_versions.registered_ms(tx, sent.name, sent.version)
    detail = {"digest": pinned.digest or None, "files": len(pinned.files), "imported_from": source}
    if here is None:
        bulk.add_version(tx, sent, pinned)
        action = "version.deleted" if sent.deleted else "version.registered"
        audit.append(tx, action, subject=subject, by=by, at=now, detail=detail)
    elif here != sent.creation_time:
        raise Conflict(
            f"Version {sent.version} of {sent.name!r} is here already and is another one: it was registered at another "
            "time. Rename the model at one of the two servers and import again."
        )
    elif not sent.deleted:
        changed_ms, stage = sent.last_updated_time, sent.current_stage
        model_versions.update(tx, sent.name, sent.version, changed_ms, description=sent.description, stage=stage)
        if pinned.files and bulk.pin_version(tx, sent, pinned):  # its files could not be read before
            audit.append(tx, "version.registered", subject=subject, by=by, at=now, detail=detail)
    if not sent.deleted:
        bulk.put_version_tags(tx, sent.name, sent.version, sent.tags)
    imports.begin(tx, source, "model_version", [(subject, subject)], now)


def finish(tx: Transaction, source: str, kind: Kind, items: Sequence[ItemDone], *, now: Instant) -> None:
    """Note that items have arrived whole. Those whose files came along lie here from now on."""
    if kind in ("run", "logged_model"):
        moved = [one.source_id for one in items if one.said.copied]
        place = run_location if kind == "run" else model_location
        table, key = imports.OWNERS[kind]
        placed = imports.experiments_of(tx, kind, moved)
        bulk.relocate(tx, table, key, [(one, place(number, one)) for one, number in placed.items()])
    imports.finish(tx, source, kind, [(one.source_id, one.said) for one in items], now)


def _experiments(tx: Transaction, source: str, sent: Iterable[RunSent | LoggedModelSent]) -> dict[str, int]:
    wanted = list(dict.fromkeys(one.experiment_id for one in sent))
    return {one: int(target) for one, target in imports.targets(tx, source, "experiment", wanted).items()}


def _strangers(sent: Sequence[RunSent | LoggedModelSent], taken: Sequence[str]) -> list[Refused]:
    known_ids = set(taken)
    ids = (one.run_id if isinstance(one, RunSent) else one.model_id for one in sent)
    return [Refused(source_id=one, why="Its experiment was not sent.") for one in ids if one not in known_ids]


def set_alias(tx: Transaction, name: str, alias: str, version: int, *, by: str, now: Instant) -> None:
    """Set an alias of a model that has no rules and no endpoint here. Writes one audit event."""
    if model_versions.get(tx, name, version) is None:
        raise NotFound(f"Model Version (name={name}, version={version}) not found. Send the version before its alias.")
    registered_models.set_alias(tx, name, limits.check_alias(alias), version)
    audit.append(tx, "alias.set", subject=f"{name}/{version}", by=by, at=now, detail={"alias": alias})


def count(database: Database, roots: Roots, source: str, asked: Asked) -> dict[str, Counts]:
    """How much of each item is here. Files are counted outside of the transaction."""

    def of_rows(tx: Transaction) -> tuple[dict[str, str], dict[str, Counts], dict[str, str]]:
        targets = imports.targets(tx, source, asked.kind, asked.source_ids)
        if asked.kind == "model_version":
            return targets, *imports.versions(tx, targets, f"{locations.ROOT}{FILED_APART}/")
        places = imports.locations(tx, asked.kind, list(targets.values())) if asked.kind in FILED else {}
        return targets, imports.counts(tx, asked.kind, targets), places

    targets, found, places = database.read(of_rows)
    return {one: _with_files(counted, roots.opened(places.get(targets[one]))) for one, counted in found.items()}


def _with_files(counted: Counts, folder: Opened | None) -> Counts:
    files = folder.store.files(folder.key) if folder and folder.key else []
    return msgspec.structs.replace(counted, files=len(files), bytes=sum(file.size_bytes for file in files))
