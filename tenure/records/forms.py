"""Forms: a version made into data that answers as the version itself does, and the proof that it does."""

from __future__ import annotations

from typing import Any, Literal

from tenure.records.base import Record
from tenure.records.routing import InputColumn, PinnedFile, ReleaseForm

FormKind = Literal["linear", "trees", "onnx", "original"]
FormState = Literal["waiting", "running", "done", "failed"]


class Candidate(Record):
    """A form that was tried. `problem` says why it is not used; empty for the one that is."""

    kind: FormKind
    problem: str = ""


class RowClass(Record):
    """Rows of one kind that both were asked for, such as those at thresholds.

    `refused`: how many of them the version itself fails at, each alone; the form must fail at the same.
    `largest_difference`: between the two answers, relative where the answer is larger than 1.
    """

    name: str
    rows: int
    refused: int
    largest_difference: float


class Timing(Record):
    """What one row takes of a processor, in microseconds, over `calls` calls in the process that compared."""

    calls: int
    p50_us: float
    p99_us: float


class FormReport(Record):
    """What was found when a version was compiled. `kind` is `original` when no form was proven; `reason` says why.

    `tolerance`: how far scores may differ; labels may not. `computed_in`: the type in which the version compares and
    sums. `warnings` are about callers, such as one that sends numbers of 32 bits to a version trained on 64.
    """

    kind: FormKind
    reason: str
    candidates: list[Candidate]
    classes: list[RowClass] = []
    largest_difference: float = 0.0
    tolerance: float = 0.0
    computed_in: str = ""
    original: Timing | None = None
    form: Timing | None = None
    size_bytes: int = 0
    libraries: dict[str, str] = {}
    warnings: list[str] = []


class Form(Record):
    """The form of a version, as it stands. Instants in µs UTC.

    `report` and `released` are there when `state` is `done`; `released` only when a form was proven. `problem` says why
    the process that compiles ended without a report.
    """

    model: str
    version: int
    digest: str
    state: FormState
    attempts: int
    asked_by: str
    asked_at: int
    changed_at: int
    problem: str = ""
    report: FormReport | None = None
    released: ReleaseForm | None = None


class FormOrder(Record):
    """What the process that compiles is told: the version's files, its columns, and rows like those of its baseline."""

    model: str
    version: int
    folder: str
    files: list[PinnedFile]
    inputs: list[InputColumn]
    out: str
    sample: dict[str, list[Any]] = {}


class FormResult(Record):
    """What it leaves: the report, and of a proven form a few rows with the version's own answers, in msgpack."""

    report: FormReport
    probe: dict[str, list[Any]] = {}
    answers: bytes = b""
