"""Moving in, as one readable story: experiments, logged models, runs with their points and files, then the registry.

Everything may be killed anywhere: what had not been noted as done is sent again, and nothing of it is doubled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

import msgspec

from tenure.errors import InvalidInput
from tenure.imports.copying import Copier
from tenure.imports.plan import Choice, Step, Story, Told
from tenure.imports.registering import Registrar
from tenure.imports.source import Owner, RunRead, Source, digest_of
from tenure.imports.target import Target
from tenure.records.imports import (
    Counts,
    ExperimentSent,
    ItemDone,
    LoggedModelSent,
    NewImport,
    Said,
    Series,
)

SENDERS = 2
"""Requests with points that travel at once: while one is stored, the next is read."""
LARGEST_REQUEST_BYTES = 4 * 1024 * 1024


class Move:
    """One import. `step` is told of every bit of progress."""

    def __init__(self, source: Source, target: Target, choice: Choice, step: Step) -> None:
        self._source = source
        self._target = target
        self.told = Told()
        self._story = Story(choice, self.told, step)
        self._copier = Copier(source, target, self._story)
        self._senders = ThreadPoolExecutor(SENDERS, thread_name_prefix="import-send")
        self._roots: dict[str, str] = {}  # run or model id → where its files lie at the source

    def run(self) -> Told:
        try:
            detail: dict[str, Any] = {
                "artifacts": self._story.choice.artifacts,
                "experiments": list(self._story.choice.names),
            }
            self._target.begin(NewImport(address=self._source.address, detail=detail))
            chosen = chosen_experiments(self._source.experiments(), self._story.choice.names)
            self._experiments(chosen)
            ids = [one.source_id for one in chosen if one.source_id in self.told.counts["experiment"]]
            self._logged_models(self._source.logged_models(ids))
            self._runs(ids)
            self._logged_models([self._source.deleted_models()])
            Registrar(self._source, self._target, self._story, self._copier, self._roots).run()
            return self.told
        finally:
            self._senders.shutdown(cancel_futures=True)
            self._copier.close()

    # --- experiments ---

    def _experiments(self, chosen: Sequence[ExperimentSent]) -> None:
        known = self._target.known("experiment")
        chosen = [one for one in chosen if not self._story.was_removed(known.get(one.source_id))]
        sent = [
            msgspec.structs.replace(one, artifact_location="") if self._story.choice.artifacts else one
            for one in chosen
        ]
        self._story.step("experiments", len(sent), 0)
        self.told.experiments = self._target.experiments(sent)
        items = []
        for one in chosen:
            counts = Counts(tags=len(one.tags))
            self.told.counts["experiment"][one.source_id] = counts
            items.append(ItemDone(source_id=one.source_id, said=Said(digest=digest_of(one), counts=counts)))
        for part in _parts(items, 500):
            self._target.done("experiment", part)
        self._story.step("experiments", None, len(sent))

    # --- runs ---

    def _runs(self, experiment_ids: Sequence[str]) -> None:
        known = self._target.known("run")
        self._story.step("runs", self._source.count_runs(experiment_ids), 0)
        for chunk in self._source.runs(experiment_ids):
            due: list[tuple[RunRead, str]] = []
            for run in chunk:
                self._roots[run.sent.run_id] = run.sent.artifact_uri
                digest = digest_of(run.sent, run.latest, run.points)
                before = known.get(run.sent.run_id)
                if self._story.was_removed(before):
                    continue
                if before is not None and before.said is not None and self._story.settled(before, digest, run.sent):
                    self._story.skip("run", before)
                else:
                    due.append((run, digest))
            for part in _sized(due, lambda item: _weight(item[0].sent)):
                self._move_runs(part)
            self._story.step("runs", None, len(chunk))

    def _move_runs(self, due: Sequence[tuple[RunRead, str]]) -> None:
        taken = self._target.runs([run.sent for run, _ in due])
        self.told.refused += [(f"run {one.source_id}", one.why) for one in taken.refused]
        moved = [(run, digest) for run, digest in due if run.sent.run_id in taken.taken]
        points = self._points([run for run, _ in moved])
        copies = self._copier.copy_all(
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
                self._story.step("metric points", None, count)

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
                if self._story.was_removed(before):
                    continue
                if before is not None and self._story.settled(before, digest) and one.status != "PENDING":
                    self._story.skip("logged_model", before)
                else:
                    due.append((one, digest))
            for part in _sized(due, lambda item: _weight(item[0])):
                self._move_models(part)
            self._story.step("logged models", None, len(chunk))

    def _move_models(self, due: Sequence[tuple[LoggedModelSent, str]]) -> None:
        taken = self._target.logged_models([one for one, _ in due])
        self.told.refused += [(f"logged model {one.source_id}", one.why) for one in taken.refused]
        moved = [(one, digest) for one, digest in due if one.model_id in taken.taken]
        copies = self._copier.copy_all(
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


def chosen_experiments(found: Sequence[ExperimentSent], names: Sequence[str]) -> list[ExperimentSent]:
    """Experiments of these names, or all of them. Raises InvalidInput for a name that is not there."""
    if not names:
        return list(found)
    absent = sorted(set(names) - {one.name for one in found})
    if absent:
        known = ", ".join(sorted(one.name for one in found)[:20])
        raise InvalidInput(f"The source has no experiment {absent[0]!r}. It has: {known}.", where="--experiment")
    return [one for one in found if one.name in names]


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
