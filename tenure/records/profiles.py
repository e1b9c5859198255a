"""A profile: the distribution of a table as integer counts. Merging two with the same bins is integer addition."""

from __future__ import annotations

from typing import Literal

from tenure.records.base import Record

Measure = Literal["length", "words", "letters", "digits", "marks", "moment", "hour of week"]
"""What was counted of a column that cannot be counted as it is: of free texts the first five, of moments the others."""

OutcomeKind = Literal["binary", "regression", "multiclass", "ranking", "none"]
ReferenceKind = Literal["training", "artifact", "production"]


class NumericProfile(Record, tag_field="kind", tag="numeric"):
    """Counts of one numeric column.

    Bin i holds `edges[i-1] <= x < edges[i]`; the first and the last are open. A value equal to one of `points`
    is counted in `point_counts` instead of in a bin. `wrong_type_count` of the nulls were there but were no numbers;
    `outside_count` of the finite values lie beyond the least and the greatest of the baseline.

    `distances` and `squares` are the exact sums, in hexadecimal, from which mean and M2 follow
    (`stats/exact_sums.py`); empty when they were not kept. `of` and `measure`: the column this was measured of, and
    what was.
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
    wrong_type_count: int = 0
    outside_count: int = 0
    distances: str = ""
    squares: str = ""
    of: str = ""
    measure: Measure | None = None


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
    of: str = ""
    measure: Measure | None = None


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


class ErrorProfile(Record):
    """Of a regression, where the outcome is known: outcome, error (prediction − outcome) and the error's size.

    Their moments give the bias (mean of `error`), RMSE (its M2 and mean), MAE (mean of `size`) and R² exactly.
    """

    outcome: NumericProfile
    error: NumericProfile
    size: NumericProfile


class ClassProfile(Record):
    """One class among several: the scores that it was given, those where it was the outcome, and how often it was said.

    `said_where`: how often it was said (had the greatest score), by the class that was the outcome, in the order of
    the profile's classes.
    """

    name: str
    score: NumericProfile
    score_where_true: NumericProfile
    said: int
    said_where: list[int]


class Reference(Record):
    """Where a profile was taken from. `production` is the weaker kind: a model that was wrong from its first day on
    looks right beside it, and there is nothing to tell how good it was.

    `name`: the file or the endpoint. `sha256`: of the bytes that were read. Instants are the span of event time.
    """

    kind: ReferenceKind
    name: str = ""
    sha256: str = ""
    from_at: int | None = None
    until_at: int | None = None


class Profile(Record):
    """A table's columns, the scores on it, and the scores of the positives and the negatives apart.

    `score` are chances of 1 (binary), predictions (regression), greatest chances (multiclass) or scores on a scale of
    their own (ranking), as `outcome` says. `class_names`: of all classes, in the order of the model's chances; `said`
    counts which was answered. Where `classes` are fewer than that, the last of them is the rest together.
    """

    rows: int
    columns: dict[str, ColumnProfile]
    score: NumericProfile | None = None
    score_of_positives: NumericProfile | None = None
    score_of_negatives: NumericProfile | None = None
    judged: Judged | None = None
    outcome: OutcomeKind = "binary"
    errors: ErrorProfile | None = None
    classes: list[ClassProfile] = []
    reference: Reference = Reference(kind="training")
    class_names: list[str] = []
    said: CategoricalProfile | None = None

    def names(self) -> set[str]:
        """The columns of the table, those among them too of which something was measured instead."""
        return {column.of or name for name, column in self.columns.items()}
