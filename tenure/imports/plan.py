"""What an import was asked to do, what it knows of earlier ones, and what it has to tell at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tenure.records.imports import Counts, ExperimentTaken, Kind, Known, RunSent


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


@dataclass(frozen=True)
class Story:
    """One import as it goes: what was chosen, what came of it so far, and who is told of progress."""

    choice: Choice
    told: Told
    step: Step

    def settled(self, before: Known, digest: str, run: RunSent | None = None) -> bool:
        """Whether an item was moved whole before and has not changed since, as far as the source tells."""
        said = before.said
        if before.state != "done" or said is None or said.digest != digest or self.choice.again:
            return False
        running = run is not None and run.status in ("RUNNING", "SCHEDULED") and run.lifecycle_stage == "active"
        return not running and (said.copied or not self.choice.artifacts)

    def was_removed(self, before: Known | None) -> bool:
        """Whether it was here and was removed for good on purpose: it is not brought back, and not counted."""
        removed = before is not None and before.state == "removed" and not self.choice.again
        self.told.removed += removed
        return removed

    def skip(self, kind: Kind, before: Known) -> None:
        assert before.said is not None
        self.told.counts[kind][before.source_id] = before.said.counts
        self.told.skipped += 1
