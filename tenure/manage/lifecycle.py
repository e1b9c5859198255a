"""The states of a version and what moves it between them, as data.

registered → in_review → approved ⇄ suspended → retired, or rejected. "Deployed" is no state: releases tell of that.
"""

from __future__ import annotations

from typing import Literal

from tenure.records.changes import ChangeKind, VersionState

Ending = Literal["approved", "rejected", "invalidated", "withdrawn"]

MAY_OPEN: dict[ChangeKind, frozenset[VersionState]] = {
    "approve": frozenset({"registered", "in_review", "rejected", "suspended"}),
    "suspend": frozenset({"approved"}),
    "retire": frozenset({"registered", "approved", "suspended", "rejected"}),
}
OPENED: dict[tuple[ChangeKind, VersionState], VersionState] = {
    ("approve", "registered"): "in_review",
    ("approve", "rejected"): "in_review",
}
ENDED: dict[tuple[ChangeKind, Ending, VersionState], VersionState] = {
    ("approve", "approved", "in_review"): "approved",
    ("approve", "approved", "suspended"): "approved",
    ("approve", "rejected", "in_review"): "rejected",
    ("approve", "invalidated", "in_review"): "registered",
    ("approve", "withdrawn", "in_review"): "registered",
    ("suspend", "approved", "approved"): "suspended",
    ("retire", "approved", "registered"): "retired",
    ("retire", "approved", "approved"): "retired",
    ("retire", "approved", "suspended"): "retired",
    ("retire", "approved", "rejected"): "retired",
}


def may_open(kind: ChangeKind, state: VersionState) -> bool:
    """Whether a change of this kind may be asked for a version in this state."""
    return state in MAY_OPEN.get(kind, frozenset())


def when_opened(kind: ChangeKind, state: VersionState) -> VersionState:
    """The version's state once the change is open."""
    return OPENED.get((kind, state), state)


def when_ended(kind: ChangeKind, ending: Ending, state: VersionState) -> VersionState:
    """The version's state once the change has ended. A pair that is not in the table moves nothing."""
    return ENDED.get((kind, ending, state), state)
