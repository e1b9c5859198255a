"""The states of a version and what moves it between them, as data.

registered → in_review → approved ⇄ suspended → retired, or rejected. "Deployed" is no state: releases tell of that.
A change to `revise` is about the model's file, so it moves no version.
Tables say which change may be opened in which state, what it moves, what its approval rules out, and what its
signatures mean.
"""

from __future__ import annotations

from typing import Literal

from tenure.records.changes import ChangeKind, Meaning, VersionState

Ending = Literal["approved", "rejected", "invalidated", "withdrawn"]

MAY_OPEN: dict[ChangeKind, frozenset[VersionState]] = {
    "register": frozenset({"registered"}),
    "deploy": frozenset({"registered", "in_review", "approved"}),  # a shadow; of who answers the gate asks more
    "promote": frozenset({"approved"}),
    "approve": frozenset({"registered", "in_review", "rejected", "suspended"}),
    "suspend": frozenset({"approved"}),
    "retire": frozenset({"registered", "approved", "suspended", "rejected"}),
    "revise": frozenset(),  # asked for by applying a file
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

MEANS: dict[ChangeKind, Meaning] = {
    "register": "review",
    "approve": "approval",
    "deploy": "release",
    "promote": "release",
    "suspend": "suspension",
    "retire": "retirement",
    "revise": "approval",
}
BOUND_WHEN_OPENED: frozenset[ChangeKind] = frozenset({"register", "approve", "deploy", "promote", "revise"})
"""Their signatures cover what stood when they were opened, and are void when it moves. The one signature of the others
covers what its signer saw: whoever edits a card must not hold up a suspension. Only what was decided about dependents
(`manage/decisions.py`) is bound from the opening for these, too."""
RULES_OUT: dict[ChangeKind, frozenset[ChangeKind]] = {
    "register": frozenset({"register"}),
    "approve": frozenset({"approve", "retire"}),
    "deploy": frozenset({"retire"}),
    "promote": frozenset({"promote", "retire"}),
    "suspend": frozenset({"approve", "suspend", "deploy", "promote"}),
    "retire": frozenset({"register", "approve", "deploy", "promote", "suspend", "retire"}),
    "revise": frozenset({"revise"}),
}
"""Open changes of the same version that end when one of this kind is approved. (The same target ends, too.)"""


def meaning(kind: ChangeKind, given: Meaning) -> Meaning | None:
    """What a signature means for a change of this kind; None for a word that does not fit it.

    `approval` is a yes to any kind.

    >>> meaning("promote", "approval"), meaning("promote", "rejection"), meaning("approve", "retirement")
    ('release', 'rejection', None)
    """
    if given in ("rejection", "author"):
        return given
    return MEANS[kind] if given in ("approval", MEANS[kind]) else None


def may_open(kind: ChangeKind, state: VersionState) -> bool:
    """Whether a change of this kind may be asked for a version in this state."""
    return state in MAY_OPEN.get(kind, frozenset())


def when_opened(kind: ChangeKind, state: VersionState) -> VersionState:
    """The version's state once the change is open."""
    return OPENED.get((kind, state), state)


def when_ended(kind: ChangeKind, ending: Ending, state: VersionState) -> VersionState:
    """The version's state once the change has ended. A pair that is not in the table moves nothing."""
    return ENDED.get((kind, ending, state), state)
