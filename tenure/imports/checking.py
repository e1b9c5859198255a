"""The count at the end: what the source has and what Tenure has, kind by kind and item by item."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from tenure.imports.moving import chosen_experiments
from tenure.imports.plan import Choice, Step, Told
from tenure.imports.source import Owner, Source, Unreadable
from tenure.imports.target import Target
from tenure.records.imports import Counts, ImportEnded, Kind

LINES: tuple[tuple[str, Kind, str], ...] = (
    ("experiments", "experiment", ""),
    ("runs", "run", ""),
    ("params", "run", "params"),
    ("tags", "run", "tags"),
    ("metric points", "run", "points"),
    ("latest values", "run", "latest"),
    ("inputs and outputs", "run", "inputs"),
    ("logged models", "logged_model", ""),
    ("logged model params", "logged_model", "params"),
    ("logged model tags", "logged_model", "tags"),
    ("logged model metrics", "logged_model", "points"),
    ("registered models", "registered_model", ""),
    ("aliases", "registered_model", "aliases"),
    ("versions", "model_version", ""),
    ("version tags", "model_version", "tags"),
)
"""What is counted: a line's name, of which kind of item, and which of its counts; without one the items themselves."""
FILED: tuple[Kind, ...] = ("run", "logged_model", "model_version")
EXAMPLES = 10


@dataclass(frozen=True)
class Line:
    """One row of the comparison."""

    what: str
    source: int
    here: int
    at_least: bool = False

    @property
    def agrees(self) -> bool:
        return self.here >= self.source if self.at_least else self.here == self.source


@dataclass
class Comparison:
    """All rows, and the first items that differ, each with what differs."""

    lines: list[Line] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    differing_count: int = 0
    digest: str = ""

    @property
    def agrees(self) -> bool:
        return all(line.agrees for line in self.lines) and not self.differing_count

    def ended(self, complete: bool) -> ImportEnded:
        return ImportEnded(
            source_counts={line.what: line.source for line in self.lines},
            target_counts={line.what: line.here for line in self.lines},
            agrees=self.agrees and complete,
            digest=self.digest,
        )


def compare(
    told: Told,
    totals: Mapping[str, int],
    target: Target,
    *,
    artifacts: bool,
    step: Step,
) -> Comparison:
    """Ask Tenure what it has of every item. `totals`: what the source itself counts, where it can."""
    here: dict[Kind, dict[str, Counts]] = {}
    step("counted", sum(len(items) for items in told.counts.values()), 0)
    for kind, items in told.counts.items():
        here[kind] = {}
        for part in target.count(kind, list(items)):
            here[kind].update(part)
            step("counted", None, len(part))
    found = Comparison()
    for what, kind, name in LINES:
        source = totals.get(what, _total(told.counts[kind], name))
        # Tenure also files a metric under its model where a run's point names one; the source may tell the last alone
        found.lines.append(Line(what, source, _total(here[kind], name), at_least=what == "logged model metrics"))
    if artifacts:
        for what, name in (("artifact files", "files"), ("artifact bytes", "bytes")):
            source = sum(_total(told.counts[kind], name) for kind in FILED)
            found.lines.append(Line(what, source, sum(_total(here[kind], name) for kind in FILED)))
    _compare_items(told, here, found, artifacts)
    return found


def _compare_items(told: Told, here: Mapping[Kind, Mapping[str, Counts]], found: Comparison, artifacts: bool) -> None:
    digest = hashlib.sha256()
    for kind, items in told.counts.items():
        for item in sorted(items):
            source, there = items[item], here[kind].get(item)
            digest.update(msgspec.json.encode([kind, item, source, there]) + b"\n")
            difference = _difference(source, there, kind, artifacts)
            if difference:
                found.differing_count += 1
                if len(found.differing) < EXAMPLES:
                    found.differing.append(f"{kind.replace('_', ' ')} {item}: {difference}")
    found.digest = digest.hexdigest()


def _difference(source: Counts, here: Counts | None, kind: Kind, artifacts: bool) -> str:
    if here is None:
        return "not here"
    apart = []
    for name in Counts.__struct_fields__:
        if name in ("files", "bytes") and not artifacts:
            continue
        if kind == "experiment" or (kind == "registered_model" and name == "tags"):
            continue  # what joined one of the same name here may have more
        one, other = getattr(source, name), getattr(here, name)
        enough = other >= one if kind == "logged_model" and name == "points" else other == one
        if not enough:
            apart.append(f"{name} {one:,} there, {other:,} here")
    return "; ".join(apart)


def _total(items: Mapping[str, Counts], name: str) -> int:
    return sum(getattr(one, name) for one in items.values()) if name else len(items)


def count_source(source: Source, choice: Choice, step: Step) -> tuple[dict[str, int], list[tuple[str, str, str]]]:
    """What there is to be moved, and the files that cannot be read. A server tells points only when they are read."""
    chosen = chosen_experiments(source.experiments(), choice.names)
    ids = [one.source_id for one in chosen]
    found = {"experiments": len(chosen), **dict.fromkeys(("runs", "params", "tags", "latest values"), 0)}
    owners: list[tuple[Owner, str]] = []
    step("runs", source.count_runs(ids), 0)
    for chunk in source.runs(ids):
        for run in chunk:
            owners.append((Owner("run", run.sent.run_id), run.sent.artifact_uri))
            for what, count in (("params", run.sent.params), ("tags", run.sent.tags), ("latest values", run.latest)):
                found[what] += len(count)
            if run.points is not None:
                found["metric points"] = found.get("metric points", 0) + run.points
        found["runs"] += len(chunk)
        step("runs", None, len(chunk))
    models = [one for chunk in source.logged_models(ids) for one in chunk]
    owners += [(Owner("logged_model", one.model_id), one.artifact_location) for one in models]
    registered = source.registered_models()
    found["logged models"] = len(models)
    found["registered models"] = len(registered)
    found["versions"] = sum(not version.deleted for one in registered for version in one.versions)
    found["aliases"] = sum(len(one.aliases) for one in registered)
    return found, _count_files(source, owners, found, step) if choice.artifacts else []


def _count_files(
    source: Source, owners: list[tuple[Owner, str]], found: dict[str, int], step: Step
) -> list[tuple[str, str, str]]:
    unreadable = []
    found["artifact files"] = found["artifact bytes"] = 0
    step("places of files", len(owners), 0)
    for owner, location in owners:
        try:
            files = source.files.sizes(location, owner) if location else {}
            found["artifact files"] += len(files)
            found["artifact bytes"] += sum(files.values())
        except Unreadable as problem:
            unreadable.append((f"{owner.kind.replace('_', ' ')} {owner.id}", location, problem.message))
        step("places of files", None, 1)
    return unreadable
