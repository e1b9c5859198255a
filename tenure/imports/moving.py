"""Moving in, as one readable story: experiments, logged models, runs with their points and files, then the registry.

Everything may be killed anywhere: what had not been noted as done is sent again, and nothing of it is doubled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from tenure.errors import InvalidInput, TenureError, Unavailable
from tenure.imports.rest import RestSource
from tenure.imports.source import ModelRead, Owner, RunRead, Source, Unreadable, digest_of
from tenure.imports.target import Target
from tenure.records.imports import (
    AliasSent,
    Counts,
    ExperimentSent,
    ExperimentTaken,
    ItemDone,
    Kind,
    Known,
    LoggedModelSent,
    NewImport,
    RunSent,
    Said,
    Series,
    VersionSent,
)

SENDERS = 2
"""Requests with points that travel at once: while one is stored, the next is read."""
COPIERS = 4
LARGEST_REQUEST_BYTES = 4 * 1024 * 1024
APART = "mlflow-artifacts:/registered"


@dataclass(frozen=True)
class Choice:
    """What is to be moved: of all experiments or of those with these names; `again` looks at what is done once more."""

    names: Sequence[str] = ()
    artifacts: bool = True
    again: bool = False


@dataclass
class Told:
    """What came of it: how much the source had of each item, and what was not moved, with the reason."""

    experiments: list[ExperimentTaken] = field(default_factory=list)
    counts: dict[Kind, dict[str, Counts]] = field(
        default_factory=lambda: {
            "experiment": {},
            "run": {},
            "logged_model": {},
            "registered_model": {},
            "model_version": {},
        }
    )
    refused: list[tuple[str, str]] = field(default_factory=list)
    unreadable: list[tuple[str, str, str]] = field(default_factory=list)  # item, location, why
    skipped: int = 0
    removed: int = 0
    copied_files: int = 0
    copied_bytes: int = 0
    points: int = 0


Step = Callable[[str, int | None, int], None]
"""Tells progress: of what, how many there are in all (None: unknown), how many more are done."""


class Move:
    """One import. `step` is told of every bit of progress."""

    def __init__(self, source: Source, target: Target, choice: Choice, step: Step) -> None:
        self._source = source
        self._target = target
        self._choice = choice
        self._step = step
        self._senders = ThreadPoolExecutor(SENDERS, thread_name_prefix="import-send")
        self._copiers = ThreadPoolExecutor(COPIERS, thread_name_prefix="import-copy")
        self._roots: dict[str, str] = {}  # run or model id → where its files lie at the source
        self.told = Told()

    def run(self) -> Told:
        try:
            detail: dict[str, Any] = {"artifacts": self._choice.artifacts, "experiments": list(self._choice.names)}
            self._target.begin(NewImport(address=self._source.address, detail=detail))
            chosen = chosen_experiments(self._source.experiments(), self._choice.names)
            self._experiments(chosen)
            ids = [one.source_id for one in chosen if one.source_id in self.told.counts["experiment"]]
            self._logged_models(self._source.logged_models(ids))
            self._runs(ids)
            if isinstance(self._source, RestSource):  # only runs name what was deleted
                self._logged_models([self._source.deleted_models()])
            self._registry()
            return self.told
        finally:
            self._senders.shutdown(cancel_futures=True)
            self._copiers.shutdown(cancel_futures=True)

    # --- experiments ---

    def _experiments(self, chosen: Sequence[ExperimentSent]) -> None:
        known = self._target.known("experiment")
        chosen = [one for one in chosen if not self._was_removed(known.get(one.source_id))]
        sent = [msgspec.structs.replace(one, artifact_location="") if self._choice.artifacts else one for one in chosen]
        self._step("experiments", len(sent), 0)
        self.told.experiments = self._target.experiments(sent)
        items = []
        for one in chosen:
            counts = Counts(tags=len(one.tags))
            self.told.counts["experiment"][one.source_id] = counts
            items.append(ItemDone(source_id=one.source_id, said=Said(digest=digest_of(one), counts=counts)))
        for part in _parts(items, 500):
            self._target.done("experiment", part)
        self._step("experiments", None, len(sent))

    # --- runs ---

    def _runs(self, experiment_ids: Sequence[str]) -> None:
        known = self._target.known("run")
        self._step("runs", self._source.count_runs(experiment_ids), 0)
        for chunk in self._source.runs(experiment_ids):
            due: list[tuple[RunRead, str]] = []
            for run in chunk:
                self._roots[run.sent.run_id] = run.sent.artifact_uri
                digest = digest_of(run.sent, run.latest, run.points)
                before = known.get(run.sent.run_id)
                if self._was_removed(before):
                    continue
                if before is not None and before.said is not None and self._settled(before, digest, run.sent):
                    self._skip("run", before)
                else:
                    due.append((run, digest))
            for part in _sized(due, lambda item: _weight(item[0].sent)):
                self._move_runs(part)
            self._step("runs", None, len(chunk))

    def _settled(self, before: Known, digest: str, run: RunSent | None = None) -> bool:
        """Whether an item was moved whole before and has not changed since, as far as the source tells."""
        said = before.said
        if before.state != "done" or said is None or said.digest != digest or self._choice.again:
            return False
        running = run is not None and run.status in ("RUNNING", "SCHEDULED") and run.lifecycle_stage == "active"
        return not running and (said.copied or not self._choice.artifacts)

    def _was_removed(self, before: Known | None) -> bool:
        """Whether it was here and was removed for good on purpose: it is not brought back, and not counted."""
        removed = before is not None and before.state == "removed" and not self._choice.again
        self.told.removed += removed
        return removed

    def _skip(self, kind: Kind, before: Known) -> None:
        assert before.said is not None
        self.told.counts[kind][before.source_id] = before.said.counts
        self.told.skipped += 1

    def _move_runs(self, due: Sequence[tuple[RunRead, str]]) -> None:
        taken = self._target.runs([run.sent for run, _ in due])
        self.told.refused += [(f"run {one.source_id}", one.why) for one in taken.refused]
        moved = [(run, digest) for run, digest in due if run.sent.run_id in taken.taken]
        points = self._points([run for run, _ in moved])
        copies = self._copy_all(
            (Owner("run", run.sent.run_id), run.sent.artifact_uri, taken.taken[run.sent.run_id]) for run, _ in moved
        )
        items = []
        for run, digest in moved:
            sent, run_id = run.sent, run.sent.run_id
            files = copies.get(run_id)
            counts = Counts(
                params=len(sent.params),
                tags=len(sent.tags),
                points=points.get(run_id, 0),
                latest=len(run.latest),
                inputs=len(sent.datasets) + len(sent.models_read) + len(sent.models_made),
                files=len(files) if files is not None else 0,
                bytes=sum(files.values()) if files is not None else 0,
            )
            self.told.counts["run"][run_id] = counts
            items.append(ItemDone(source_id=run_id, said=Said(digest=digest, counts=counts, copied=files is not None)))
        self._target.done("run", items)

    def _points(self, runs: Sequence[RunRead]) -> dict[str, int]:
        """Send every point of these runs, and return how many the source had of each."""
        counted: dict[str, int] = {}
        with self._sending() as send:
            for series in self._source.points(runs):
                for one in series:
                    counted[one.run_id] = counted.get(one.run_id, 0) + len(one.values)
                send(series)
        return counted

    @contextmanager
    def _sending(self) -> Iterator[Callable[[list[Series]], None]]:
        """Points leave on other threads, a few requests at once; at the end all have arrived, or one has failed."""
        waiting: set[Future[int]] = set()

        def arrive(done: Iterable[Future[int]]) -> None:
            for future in done:
                count = future.result()
                self.told.points += count
                self._step("metric points", None, count)

        def send(series: list[Series]) -> None:
            nonlocal waiting
            if len(waiting) >= SENDERS:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                arrive(done)
            waiting.add(self._senders.submit(self._target.points, series))

        yield send
        arrive(wait(waiting).done)

    # --- logged models ---

    def _logged_models(self, chunks: Iterable[Sequence[LoggedModelSent]]) -> None:
        known = self._target.known("logged_model")
        for chunk in chunks:
            due = []
            for one in chunk:
                self._roots[one.model_id] = one.artifact_location
                digest = digest_of(one)
                before = known.get(one.model_id)
                if self._was_removed(before):
                    continue
                if before is not None and self._settled(before, digest) and one.status != "PENDING":
                    self._skip("logged_model", before)
                else:
                    due.append((one, digest))
            for part in _sized(due, lambda item: _weight(item[0])):
                self._move_models(part)
            self._step("logged models", None, len(chunk))

    def _move_models(self, due: Sequence[tuple[LoggedModelSent, str]]) -> None:
        taken = self._target.logged_models([one for one, _ in due])
        self.told.refused += [(f"logged model {one.source_id}", one.why) for one in taken.refused]
        moved = [(one, digest) for one, digest in due if one.model_id in taken.taken]
        copies = self._copy_all(
            (Owner("logged_model", one.model_id), one.artifact_location, taken.taken[one.model_id]) for one, _ in moved
        )
        items = []
        for one, digest in moved:
            files = copies.get(one.model_id)
            counts = Counts(
                params=len(one.params),
                tags=len(one.tags),
                points=len(one.points),
                files=len(files) if files is not None else 0,
                bytes=sum(files.values()) if files is not None else 0,
            )
            self.told.counts["logged_model"][one.model_id] = counts
            said = Said(digest=digest, counts=counts, copied=files is not None)
            items.append(ItemDone(source_id=one.model_id, said=said))
        self._target.done("logged_model", items)

    # --- files ---

    def _copy_all(self, wanted: Iterable[tuple[Owner, str, str]]) -> dict[str, dict[str, int]]:
        """Copy the files of each owner; the answer tells what the source had of those whose place could be read."""
        if not self._choice.artifacts:
            return {}
        wanted = list(wanted)
        found = self._copiers.map(lambda one: self._copy(*one), wanted)
        return {owner.id: files for (owner, _, _), files in zip(wanted, found, strict=True) if files is not None}

    def _copy(self, owner: Owner, location: str, here: str) -> dict[str, int] | None:
        """Copy what is not here yet. None when the place cannot be read, which is noted."""
        name = f"{owner.kind.replace('_', ' ')} {owner.id}"
        if not location:
            return {}
        try:
            files = self._source.files.sizes(location, owner)
        except Unreadable as problem:
            self.told.unreadable.append((name, location, problem.message))
            return None
        there = self._target.files(here) if files else {}
        for path, size in sorted(files.items()):
            if there.get(path) == size:  # a file appears whole or not at all
                continue
            try:
                self._target.upload(here, path, self._source.files.read(location, path, owner))
                self.told.copied_files += 1
                self.told.copied_bytes += size
            except Unreadable as problem:
                self.told.unreadable.append((name, f"{location}/{path}", problem.message))
            except Unavailable:
                raise
            except TenureError as problem:
                self.told.refused.append((f"file {path!r} of {name}", problem.message))
            self._step("artifact bytes", None, size)
        return files

    # --- the registry ---

    def _registry(self) -> None:
        models = self._chosen_models()
        self._step("registered models", len(models), 0)
        taken = self._target.registered_models([one.sent for one in models]) if models else None
        for refused in taken.refused if taken else ():
            self.told.refused.append((f"registered model {refused.source_id!r}", refused.why))
        known = self._target.known("model_version")
        for model in models:
            name = model.sent.name
            if taken and name in taken.taken:
                for version in model.versions:
                    self._version(version, known)
                self._aliases(model)
                counts = Counts(tags=len(model.sent.tags), aliases=len(model.aliases))
                self.told.counts["registered_model"][name] = counts
                said = Said(digest=digest_of(model.sent, model.aliases), counts=counts)
                self._target.done("registered_model", [ItemDone(source_id=name, said=said)])
            self._step("registered models", None, 1)

    def _chosen_models(self) -> list[ModelRead]:
        """Every model, or with chosen experiments those versions that came from them."""
        models = self._source.registered_models()
        if not self._choice.names:
            return models
        runs, logged = self.told.counts["run"], self.told.counts["logged_model"]
        found = []
        for model in models:
            versions = [one for one in model.versions if one.run_id in runs or one.model_id in logged]
            if versions:
                numbers = {one.version for one in versions}
                aliases = {alias: number for alias, number in model.aliases.items() if number in numbers}
                found.append(ModelRead(model.sent, aliases, versions))
        return found

    def _version(self, version: VersionSent, known: Mapping[str, Known]) -> None:
        name = f"{version.name}/{version.version}"
        digest = digest_of(version)
        before = known.get(name)
        if before is not None and self._settled(before, digest):
            if not version.deleted:
                self._skip("model_version", before)
            return
        sent, files = self._placed(version)
        try:
            self._target.version(sent)
        except Unavailable:
            raise
        except TenureError as problem:
            self.told.refused.append((f"version {name}", problem.message))
            return
        counts = Counts(tags=len(version.tags), files=len(files or {}), bytes=sum((files or {}).values()))
        if not version.deleted:
            self.told.counts["model_version"][name] = counts
        said = Said(digest=digest, counts=counts, copied=files is not None)
        self._target.done("model_version", [ItemDone(source_id=name, said=said)])

    def _placed(self, version: VersionSent) -> tuple[VersionSent, dict[str, int] | None]:
        """A version with the place of its files after the move, and the files that were copied for it alone.

        What lies below a run or a logged model came with it, and lies wherever that lies now.
        """
        location = version.storage_location
        if version.deleted or not location:
            return version, {}
        owners: tuple[tuple[Literal["run", "logged_model"], str | None], ...]
        owners = (("logged_model", version.model_id), ("run", version.run_id))
        for kind, owner in owners:
            root = self._roots.get(owner) if owner else None
            if root and f"{location}/".startswith(f"{root}/"):
                path = location[len(root) :].strip("/")
                return msgspec.structs.replace(version, below=kind, path=path), {}
        if not self._choice.artifacts:
            return version, {}
        here = apart(version.name, version.version)
        files = self._copy(Owner("model_version", f"{version.name}/{version.version}"), location, here)
        return msgspec.structs.replace(version, storage_location=here) if files else version, files

    def _aliases(self, model: ModelRead) -> None:
        for alias, number in sorted(model.aliases.items()):
            try:
                self._target.alias(AliasSent(name=model.sent.name, alias=alias, version=number))
            except Unavailable:
                raise
            except TenureError as problem:
                self.told.refused.append((f"alias {alias!r} of {model.sent.name!r}", problem.message))


def chosen_experiments(found: Sequence[ExperimentSent], names: Sequence[str]) -> list[ExperimentSent]:
    """Experiments of these names, or all of them. Raises InvalidInput for a name that is not there."""
    if not names:
        return list(found)
    absent = sorted(set(names) - {one.name for one in found})
    if absent:
        known = ", ".join(sorted(one.name for one in found)[:20])
        raise InvalidInput(f"The source has no experiment {absent[0]!r}. It has: {known}.", where="--experiment")
    return [one for one in found if one.name in names]


def apart(name: str, version: int) -> str:
    """Where files lie here that belong to a version and to no run or logged model."""
    return f"{APART}/{hashlib.sha256(name.encode()).hexdigest()[:32]}/{version}"


def _parts(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _sized(items: Sequence[Any], weight: Callable[[Any], int]) -> Iterator[list[Any]]:
    """Items in groups of at most LARGEST_REQUEST_BYTES, an item that is larger alone."""
    group: list[Any] = []
    total = 0
    for item in items:
        heavy = weight(item)
        if group and total + heavy > LARGEST_REQUEST_BYTES:
            yield group
            group, total = [], 0
        group.append(item)
        total += heavy
    if group:
        yield group


def _weight(record: Any) -> int:
    return len(msgspec.json.encode(record))
