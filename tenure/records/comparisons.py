"""How far one table lies from another, column by column, without any server."""

from __future__ import annotations

from typing import Literal

from tenure.records.base import Record
from tenure.records.profiles import ColumnProfile, Reference

ColumnState = Literal["ok", "drift", "breach", "not_enough_data"]


class ColumnComparison(Record):
    """One column, or one measure of it, beside the same in the reference.

    `psi_excess` is PSI less what sampling alone gives; `p_value` belongs to it and `q_value` is it corrected for the
    number of columns (Benjamini–Hochberg). KS is told of ordered columns only. Shares are of rows, 0–1; of what has
    no meaning for a column they are None. A breach is one of the schema: `told` says which, in words.
    """

    column: str
    state: ColumnState
    told: str
    psi: float = 0.0
    psi_excess: float = 0.0
    p_value: float = 1.0
    q_value: float = 1.0
    ks: float | None = None
    ks_p_value: float | None = None
    chi_squared: float = 0.0
    chi_squared_p_value: float = 1.0
    cramers_v: float = 0.0
    n_reference: int = 0
    n_current: int = 0
    null_share_reference: float = 0.0
    null_share: float = 0.0
    new_level_share: float | None = None
    outside_share: float | None = None
    wrong_type_share: float | None = None
    reference: ColumnProfile | None = None
    current: ColumnProfile | None = None


class Comparison(Record):
    """A table beside its reference. A column drifts when its q-value is below `level` and its excess above `psi_floor`.

    `added`: columns that the reference lacks, `left_out`: those of kinds that are not counted.
    """

    reference: Reference
    current: str
    rows_reference: int
    rows: int
    level: float
    psi_floor: float
    columns: list[ColumnComparison]
    added: list[str] = []
    left_out: list[str] = []

    def has_drifted(self) -> bool:
        """Whether any column drifts or breaks the schema."""
        return any(column.state in ("drift", "breach") for column in self.columns)
