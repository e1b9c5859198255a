"""What a table of drift says about a column, in one plain sentence. Pure."""

from __future__ import annotations

from tenure.records.drift import DriftState, Statistic
from tenure.records.model_files import Against
from tenure.records.profiles import ColumnProfile, NumericProfile

REFERENCES: dict[Against, str] = {
    "training": "the rows it was trained beside",
    "previous": "the window before",
    "season": "the same season",
}
FEW = "Too few rows on a side to tell; 100 are needed."


def column_words(
    reference: ColumnProfile,
    current: ColumnProfile,
    statistics: list[Statistic],
    state: DriftState,
    factor: float | None,
) -> str:
    """How a column moved, and whether that matters."""
    if state == "not_enough_data":
        return FEW
    moved = next((one.value for one in statistics if one.name == "total_variation"), 0.0)
    psi = next((one for one in statistics if one.name == "psi"), None)
    if state == "ok":
        certain = psi is not None and psi.q_value is not None and psi.q_value < 0.05
        return f"Moved, by less than matters: {moved:.1%} of the rows lie elsewhere." if certain else "No change."
    said = [f"{moved:.0%} of the rows lie elsewhere"]
    if factor is not None:
        said.append(f"values are about {factor:g} times what they were, as when a unit is changed")
    elif isinstance(reference, NumericProfile) and isinstance(current, NumericProfile) and reference.n and current.n:
        said.append(f"the mean went from {reference.mean:.4g} to {current.mean:.4g}")
    elif not isinstance(reference, NumericProfile) and not isinstance(current, NumericProfile):
        said.append(_levels(reference.levels, reference.counts, current.counts, reference.n, current.n))
    gone = [side.null_count / max(side.n + side.null_count, 1) for side in (reference, current)]
    if abs(gone[1] - gone[0]) > 0.01:
        said.append(f"{gone[1]:.1%} are missing, {gone[0]:.1%} before")
    return f"Moved: {', '.join(one for one in said if one)}."


def _levels(levels: list[str], before: list[int], after: list[int], n: int, m: int) -> str:
    """The level whose share changed most."""
    if not levels or not n or not m:
        return ""
    at = max(range(len(levels)), key=lambda place: abs(after[place] / m - before[place] / n))
    return f"{levels[at]!r} went from {before[at] / n:.1%} to {after[at] / m:.1%}"
