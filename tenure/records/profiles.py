"""A profile: the distribution of a table as integer counts. Merging two with the same bins is integer addition."""

from __future__ import annotations

from tenure.records.base import Record


class NumericProfile(Record, tag_field="kind", tag="numeric"):
    """Counts of one numeric column.

    Bin i holds `edges[i-1] <= x < edges[i]`; the first and the last are open. A value equal to one of `points`
    is counted in `point_counts` instead of in a bin.
    """

    edges: list[float]
    counts: list[int]
    points: list[float] = []
    point_counts: list[int] = []
    null_count: int = 0
    positive_infinity_count: int = 0
    negative_infinity_count: int = 0
    n: int = 0
    mean: float = 0.0
    m2: float = 0.0
    min: float | None = None
    max: float | None = None


class CategoricalProfile(Record, tag_field="kind", tag="categorical"):
    """Counts of one categorical column over the levels that were frozen at training.

    `other_count`: levels beyond the frozen ones that training had seen too. `new_count`: levels never seen at training.
    """

    levels: list[str]
    counts: list[int]
    other_levels: list[str] = []
    other_count: int = 0
    new_count: int = 0
    null_count: int = 0
    n: int = 0


ColumnProfile = NumericProfile | CategoricalProfile


class Judged(Record):
    """How a version did on rows it was not trained on, when its baseline was taken."""

    rows: int
    positives: int
    roc_auc: float
    roc_auc_low: float
    roc_auc_high: float
    brier: float
    value_per_row: float | None = None


class Profile(Record):
    """A table's columns, the scores on it, and the scores of the positives and the negatives apart."""

    rows: int
    columns: dict[str, ColumnProfile]
    score: NumericProfile | None = None
    score_of_positives: NumericProfile | None = None
    score_of_negatives: NumericProfile | None = None
    judged: Judged | None = None
