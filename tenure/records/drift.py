"""What a window says about drift: every statistic of every column, against each reference that was asked for."""

from __future__ import annotations

from typing import Literal

from tenure.records.base import Record
from tenure.records.model_files import Against
from tenure.records.routing import ReleaseRole

DriftState = Literal["ok", "breach", "not_enough_data"]


class Statistic(Record):
    """One line. Larger `value` is further apart. `threshold` is of `value` for a distance (a breach lies above it) and
    of `q_value` for a test (a breach lies below it). `q_value` is the p-value corrected over all columns."""

    name: str
    value: float
    kind: Literal["distance", "test"]
    direction: Literal["above", "below"]
    threshold: float
    n_reference: int
    n_current: int
    p_value: float | None = None
    q_value: float | None = None


class ColumnDrift(Record):
    """`words` say it plainly. The bins are those that PSI compares, rare ones joined. `importance` is the column's
    share (0–1) of all that was measured at training; None when nothing was. `unit_factor`: by which power of ten the
    values seem to have been multiplied."""

    column: str
    kind: Literal["numeric", "categorical"]
    state: DriftState
    words: str
    statistics: list[Statistic]
    reference_bins: list[int]
    current_bins: list[int]
    reference_null_share: float = 0.0
    importance: float | None = None
    unit_factor: float | None = None

    def value_of(self, name: str) -> Statistic | None:
        """The line of a statistic; None when it does not apply to this column."""
        return next((one for one in self.statistics if one.name == name), None)


class Comparison(Record):
    """The window against one reference; columns are the worst first.

    `reason` says why nothing can be told, and is empty otherwise. `weighted_drift` is the mean of the columns' excess
    PSI (at least 0), each counting by its importance; None when no importance is known. Instants are 0 for training.
    """

    against: Against
    state: DriftState
    reason: str = ""
    reference_from_at: int = 0
    reference_until_at: int = 0
    columns: list[ColumnDrift] = []
    weighted_drift: float | None = None


class NewLevel(Record):
    level: str
    count: int


class Unseen(Record):
    """The share of a column's values that training had not seen: of new levels, or outside its range.

    `low` and `high` bound it (Clopper & Pearson, 95 %). `names` are the most frequent new levels; a count may be too
    small by `lost`. `from_low` and `from_high` are the range.
    """

    column: str
    what: Literal["new_levels", "out_of_range"]
    count: int
    n: int
    share: float
    low: float | None
    high: float | None
    names: list[NewLevel] = []
    lost: int = 0
    from_low: float | None = None
    from_high: float | None = None


class SchemaBreach(Record):
    """`missing`: a column that training had and no row has. `type`: values of another kind. `extra`: a column that
    neither training nor the model's file knows; it is told, and raises no alert, since the model does not read it."""

    column: str
    problem: Literal["missing", "type", "extra"]
    words: str


class Telling(Record):
    column: str
    share: float


class Together(Record):
    """A test of all columns at once. `value` is the AUC of a classifier, or the ratio of reconstruction errors."""

    name: Literal["domain_classifier", "reconstruction"]
    state: DriftState
    value: float
    threshold: float
    p_value: float
    level: float
    n_reference: int
    n_current: int
    words: str
    telling: list[Telling] = []


class DriftReport(Record):
    """Of one window of one version. `together_reason` says why there is no test of all columns at once.
    `decided_yes` of `decided` rows led to an action. `made_of` is the digest of all that it was made of: while that is
    the same, so is the report."""

    endpoint: str
    model: str
    version: int
    role: ReleaseRole
    start_at: int
    end_at: int
    rows: int
    level: float
    floor: float
    comparisons: list[Comparison]
    unseen: list[Unseen] = []
    schema: list[SchemaBreach] = []
    together: list[Together] = []
    together_reason: str = ""
    decided_yes: int = 0
    decided: int = 0
    made_of: str = ""
