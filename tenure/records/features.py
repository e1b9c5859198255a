"""What a feature costs to compute and what it is worth: measured in training code, kept with the logged model.

The file `tenure/features.json` lies in the logged model's folder, so that a version's digest covers it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from tenure.records.base import Record

PATH = "tenure/features.json"
LARGEST_BYTES = 2 * 1024 * 1024
FORMAT = 1

Amount = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]
Name = Annotated[str, Meta(min_length=1, max_length=500)]
Short = Annotated[str, Meta(max_length=200)]


class Cost(Record):
    """What computing took, over all calls together.

    `rows`: how many were computed; None when nobody told. `memory_bytes`: the most that one call held on to at a time,
    beyond what was there before; None when it was not measured. `traced`: the time was taken while allocations were
    traced, so it is at most this. `columns`: how many columns the step computes together; then this is one's share.
    """

    wall_s: Amount
    cpu_s: Amount
    calls: Count
    rows: Count | None = None
    memory_bytes: Count | None = None
    traced: bool = False
    columns: Annotated[int, Meta(ge=1)] = 1

    @property
    def ms_per_1000_rows(self) -> float | None:
        return self.wall_s / self.rows * 1_000_000 if self.rows else None


class Importance(Record):
    """`low` and `high` bound the value at the method's confidence; None when the method gives no interval."""

    value: float
    low: float | None = None
    high: float | None = None


class ImportanceMethod(Record):
    """How importances were found.

    `permutation`: how much `scoring` falls when the column's values are shuffled among `rows` rows, `repeats` times.
    `coefficients`: the sum of |coefficient| × standard deviation over what the column becomes. `impurity`: the model's
    own `feature_importances_`, summed likewise.
    """

    name: Literal["permutation", "coefficients", "impurity"]
    scoring: Short = ""
    rows: Count = 0
    repeats: Count = 0
    seed: Count = 0
    confidence: Annotated[float, Meta(gt=0, lt=1)] = 0.95
    score: float | None = None


class MeasuredFeature(Record):
    """One input column. `computing` was measured where the training code makes it, `preparing` in the pipeline."""

    name: Name
    kind: Short = ""
    computing: Cost | None = None
    preparing: Cost | None = None
    importance: Importance | None = None


class MeasuredFeatures(Record):
    """All columns of a logged model. `rows` is the size of the sample that the pipeline was measured on."""

    features: Annotated[list[MeasuredFeature], Meta(max_length=10_000)]
    rows: Count = 0
    method: ImportanceMethod | None = None
    notes: Annotated[list[Annotated[str, Meta(max_length=1000)]], Meta(max_length=20)] = []
    format: int = FORMAT


class FeatureRow(Record):
    """A column with everything that is known: measured at training, declared in the model's file.

    `available`: as the file says, None when it does not name the column. `at_scoring` is None then, too.
    """

    name: str
    kind: str
    available: str | None
    at_scoring: bool | None
    source: str | None
    freshness_minutes: float | None
    forbidden_because: str
    computing: Cost | None
    preparing: Cost | None
    importance: Importance | None

    @property
    def ms_per_1000_rows(self) -> float | None:
        """Computing and preparing together; None when neither was measured."""
        told = [cost.ms_per_1000_rows for cost in (self.computing, self.preparing) if cost]
        known = [one for one in told if one is not None]
        return sum(known) if known else None

    @property
    def memory_bytes(self) -> int | None:
        """The larger of the two: they do not run at the same time."""
        known = [
            cost.memory_bytes for cost in (self.computing, self.preparing) if cost and cost.memory_bytes is not None
        ]
        return max(known) if known else None


class FeatureTable(Record):
    """The features of a logged model or a version, side by side.

    `sentence` names what stands out. `problem` says why measurements that are there cannot be read. `is_pinned`:
    whether the version's digest covers the measurements; None when there are none, or this is no version.
    """

    features: list[FeatureRow]
    sentence: str
    rows: int = 0
    method: ImportanceMethod | None = None
    notes: list[str] = []
    problem: str = ""
    is_pinned: bool | None = None
